#include "daemon/supervisor/launch.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "daemon/boundary/descriptor.hpp"

namespace xinfu::supervisor {
namespace {

using boundary::Descriptor;
using boundary::Role;

// Users of nobody else on a Debian system (its policy leaves 60000 to 64999 to fixed, seldom used ids), for
// machines where the package's users were not created: checkouts and containers.
constexpr uid_t kFirstUid = 61601;

uid_t numbered_uid(Role role) {
    switch (role) {
        case Role::gateway: return kFirstUid;
        case Role::inspector: return kFirstUid + 1;
        case Role::vault: return kFirstUid + 2;
        case Role::courier: return kFirstUid + 3;
    }
    return kFirstUid;
}

Descriptor open_program(const LaunchPlan& plan) {
    for (const auto& folder : plan.folders) {
        const std::string path = folder + "/" + boundary::program_name(plan.role);
        Descriptor program(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (program) {
            return program;
        }
    }
    return {};
}

// What a role's program may know of the environment. Service-manager variables are the supervisor's own.
std::vector<std::string> short_environment() {
    std::vector<std::string> environment;
    for (const char* name : {"LANG", "LC_ALL", "TZ", "XINFU_SECCOMP", "JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                             "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name); value != nullptr) {
            environment.push_back(std::string(name) + "=" + value);
        }
    }
    return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (auto& text : texts) {
        list.push_back(text.data());
    }
    list.push_back(nullptr);
    return list;
}

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "xinfud: cannot start a process: %s: %s\n", what, std::strerror(errno));
    ::_exit(126);
}

void drop_to(const Account& account) {
    if (::geteuid() != 0) {
        return;
    }
    if (::setgroups(0, nullptr) != 0 || ::setresgid(account.gid, account.gid, account.gid) != 0 ||
        ::setresuid(account.uid, account.uid, account.uid) != 0) {
        give_up("changing the user");
    }
}

[[noreturn]] void become(const LaunchPlan& plan, const Descriptor& program, pid_t supervisor,
                         std::vector<std::string> arguments) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::setpgid(0, 0);
    // A file its user could not reach by name serves all the same: the folder is entered while still root.
    const int moved = plan.working_directory >= 0 ? ::fchdir(plan.working_directory) : ::chdir("/");
    if (moved != 0) {
        give_up("changing the folder");
    }
    ::umask(077);
    drop_to(plan.account);
    // After the change of user, which would clear it.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        give_up("tying it to the supervisor");
    }
    if (::getppid() != supervisor) {
        ::_exit(125);  // the supervisor died before the line above
    }
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup2(nothing.get(), STDIN_FILENO);
    for (const auto& [option, fd] : plan.inherited) {
        if (::fcntl(fd, F_SETFD, 0) != 0) {
            give_up("passing a descriptor");
        }
    }
    auto environment = short_environment();
    ::fexecve(program.get(), pointers(arguments).data(), pointers(environment).data());
    give_up("executing its program");
}

}  // namespace

Account account_of(Role role) {
    if (::geteuid() != 0) {
        return {::geteuid(), ::getegid()};
    }
    const passwd* entry = ::getpwnam(boundary::program_name(role).c_str());
    if (entry != nullptr) {
        return {entry->pw_uid, entry->pw_gid};
    }
    const uid_t number = numbered_uid(role);
    return {number, number};
}

std::vector<std::string> program_folders() {
    std::error_code ignored;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
    std::vector<std::string> folders;
    if (!ignored) {
        folders.push_back(self.parent_path().string());
    }
    folders.emplace_back("/usr/libexec/xinfu");
    return folders;
}

Result<pid_t> launch(const LaunchPlan& plan) {
    const Descriptor program = open_program(plan);
    if (!program) {
        return boost::system::errc::make_error_code(boost::system::errc::no_such_file_or_directory);
    }
    std::vector<std::string> arguments{boundary::program_name(plan.role)};
    arguments.insert(arguments.end(), plan.arguments.begin(), plan.arguments.end());
    for (const auto& [option, fd] : plan.inherited) {
        arguments.push_back(option);
        arguments.push_back(std::to_string(fd));
    }
    const pid_t supervisor = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        become(plan, program, supervisor, std::move(arguments));
    }
    if (child < 0) {
        return boost::system::error_code(errno, boost::system::system_category());
    }
    return child;
}

}  // namespace xinfu::supervisor
