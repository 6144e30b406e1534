#include "daemon/boundary/walls.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "daemon/boundary/descriptor.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/boundary/seccomp_filter.hpp"

namespace xinfu::boundary {
namespace {

#ifdef XINFU_SANITIZED
constexpr bool kSanitized = true;  // the sanitizers read files, start helpers and trace the process
#else
constexpr bool kSanitized = false;
#endif

// linux/landlock.h of the oldest supported system ends at ABI 2; these are the kernel's numbers up to ABI 7.
namespace landlock {
constexpr long kCreateRuleset = 444;  // the same number on every architecture
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kAskVersion = 1U << 0;
constexpr int kRulePathBeneath = 1;
constexpr int kRuleNetPort = 2;

constexpr std::uint64_t kWriteFile = 1U << 1;
constexpr std::uint64_t kReadFile = 1U << 2;
constexpr std::uint64_t kReadDir = 1U << 3;
constexpr std::uint64_t kRemoveDir = 1U << 4;
constexpr std::uint64_t kRemoveFile = 1U << 5;
constexpr std::uint64_t kMakeDir = 1U << 7;
constexpr std::uint64_t kMakeReg = 1U << 8;
constexpr std::uint64_t kRefer = 1U << 13;     // ABI 2
constexpr std::uint64_t kTruncate = 1U << 14;  // ABI 3
constexpr std::uint64_t kIoctlDev = 1U << 15;  // ABI 5
constexpr std::uint64_t kFsAbi1 = (1U << 13) - 1;

constexpr std::uint64_t kConnectTcp = 1U << 1;               // ABI 4
constexpr std::uint64_t kNetAbi4 = kConnectTcp | 1U;         // and bind
constexpr std::uint64_t kScopeAbi6 = (1U << 0) | (1U << 1);  // abstract AF_UNIX sockets, signals

struct Ruleset {
    std::uint64_t handled_fs;
    std::uint64_t handled_net;  // ABI 4
    std::uint64_t scoped;       // ABI 6
};
struct PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent_fd;
} __attribute__((packed));
struct NetPort {
    std::uint64_t allowed;
    std::uint64_t port;
};
}  // namespace landlock

bool allow_beneath(int ruleset, int fd, std::uint64_t allowed) {
    const landlock::PathBeneath rule{allowed, fd};
    return ::syscall(landlock::kAddRule, ruleset, landlock::kRulePathBeneath, &rule, 0) == 0;
}

// A path that is not there grants nothing and is no error.
bool allow_reading(int ruleset, const char* path, std::uint64_t handled) {
    const Descriptor place(::open(path, O_PATH | O_CLOEXEC));
    if (!place) {
        return true;
    }
    struct stat status {};
    if (::fstat(place.get(), &status) != 0) {
        return false;
    }
    const auto wanted = S_ISDIR(status.st_mode) ? landlock::kReadFile | landlock::kReadDir : landlock::kReadFile;
    return allow_beneath(ruleset, place.get(), wanted & handled);
}

bool allow_role(int ruleset, Role role, const WallOptions& options, std::uint64_t handled_fs, int abi) {
    if (kSanitized && !allow_reading(ruleset, "/", handled_fs)) {
        return false;
    }
    if (role == Role::vault) {
        constexpr auto kState = landlock::kWriteFile | landlock::kReadFile | landlock::kReadDir | landlock::kRemoveDir |
                                landlock::kRemoveFile | landlock::kMakeDir | landlock::kMakeReg | landlock::kRefer |
                                landlock::kTruncate;
        return allow_beneath(ruleset, options.state_directory_fd, kState & handled_fs);
    }
    if (role == Role::courier) {
        // What resolving a host's name reads. An upper level is often configured by name.
        for (const char* path : {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
                                 "/etc/host.conf", "/etc/services", "/run/systemd/resolve"}) {
            if (!allow_reading(ruleset, path, handled_fs)) {
                return false;
            }
        }
        if (abi >= 4) {
            for (const std::uint16_t port : options.connect_ports) {
                const landlock::NetPort rule{landlock::kConnectTcp, port};
                if (::syscall(landlock::kAddRule, ruleset, landlock::kRuleNetPort, &rule, 0) != 0) {
                    return false;
                }
            }
        }
    }
    return true;
}

// Answers the ABI in force; 0: the kernel has no Landlock.
Result<int> raise_landlock(Role role, const WallOptions& options) {
    const long version = ::syscall(landlock::kCreateRuleset, nullptr, 0, landlock::kAskVersion);
    if (version <= 0) {
        return 0;
    }
    const int abi = static_cast<int>(version);
    landlock::Ruleset attributes{landlock::kFsAbi1, 0, 0};
    std::size_t size = sizeof attributes.handled_fs;
    if (abi >= 2) {
        attributes.handled_fs |= landlock::kRefer;
    }
    if (abi >= 3) {
        attributes.handled_fs |= landlock::kTruncate;
    }
    if (abi >= 4) {
        attributes.handled_net = landlock::kNetAbi4;
        if (role == Role::courier && options.connect_ports.empty()) {
            attributes.handled_net &= ~landlock::kConnectTcp;
        }
        size = offsetof(landlock::Ruleset, scoped);
    }
    if (abi >= 5) {
        attributes.handled_fs |= landlock::kIoctlDev;
    }
    if (abi >= 6) {
        attributes.scoped = landlock::kScopeAbi6;
        size = sizeof attributes;
    }
    const Descriptor ruleset(static_cast<int>(::syscall(landlock::kCreateRuleset, &attributes, size, 0)));
    if (!ruleset || !allow_role(ruleset.get(), role, options, attributes.handled_fs, abi) ||
        ::syscall(landlock::kRestrictSelf, ruleset.get(), 0) != 0) {
        return Errc::walls_failed;
    }
    return abi;
}

// Threads that exist already would stay outside Landlock, which has no way to reach them.
bool is_single_threaded() {
    DIR* tasks = ::opendir("/proc/self/task");
    if (tasks == nullptr) {
        return true;  // no /proc here: the caller's promise has to do
    }
    int count = 0;
    while (const dirent* entry = ::readdir(tasks)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    ::closedir(tasks);
    return count == 1;
}

// Started as root by mistake or by a container, the process keeps root's files but none of root's powers.
bool drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    return ::syscall(SYS_capset, &header, none.data()) == 0;
}

bool limit(int resource, rlim_t value) {
    const rlimit both{value, value};
    return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &both) == 0;
}

}  // namespace

Result<Walls> raise_walls(Role role, const WallOptions& options) {
    if (!kSanitized && !is_single_threaded()) {
        return Errc::walls_failed;
    }
    if (!limit(RLIMIT_CORE, 0)) {  // a core would hold records and keys
        return Errc::walls_failed;
    }
    if (!kSanitized && options.memory_size_bytes_max != 0 && !limit(RLIMIT_DATA, options.memory_size_bytes_max)) {
        return Errc::walls_failed;
    }
    // Not traceable, and /proc/<pid> belongs to root, even for another process of the same user.
    if (!kSanitized && ::prctl(PR_SET_DUMPABLE, 0) != 0) {
        return Errc::walls_failed;
    }
    if (!drop_capabilities() || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return Errc::walls_failed;
    }
    Walls walls;
    const auto abi = raise_landlock(role, options);
    if (!abi) {
        return abi.error();
    }
    walls.landlock_abi = *abi;
    if constexpr (!kSanitized) {
        // Last, because raising the others needs calls that it forbids.
        const auto trapping = load_seccomp_filter(role, options);
        if (!trapping) {
            return trapping.error();
        }
        walls.seccomp = true;
        walls.trapping = *trapping;
    }
    return walls;
}

}  // namespace xinfu::boundary
