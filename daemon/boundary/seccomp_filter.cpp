#include "daemon/boundary/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "daemon/boundary/error.hpp"

namespace xinfu::boundary {
namespace {

// A call beyond the list means that somebody else is in charge, so the process ends (default action). Two
// kinds fail with an error instead: calls that libraries make on a guess and can do without (a file with time
// zones, a terminal's settings), and those a kept promise needs to be seen (shutdown of reading).
struct Filter {
    explicit Filter(std::uint32_t default_action) : context(::seccomp_init(default_action), &::seccomp_release) {}

    std::unique_ptr<void, decltype(&::seccomp_release)> context;
    bool failed = false;

    void rule(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> conditions = {}) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) {
            return;  // newer than the library: then nothing here uses it either
        }
        // Calls that this architecture lacks have negative numbers, which the library skips.
        if (::seccomp_rule_add_array(context.get(), action, number, static_cast<unsigned>(conditions.size()),
                                     conditions.size() == 0 ? nullptr : conditions.begin()) != 0) {
            failed = true;
        }
    }
    void allow(std::initializer_list<const char*> names) {
        for (const char* name : names) {
            rule(SCMP_ACT_ALLOW, name);
        }
    }
    void allow(const char* name, std::initializer_list<scmp_arg_cmp> conditions) {
        rule(SCMP_ACT_ALLOW, name, conditions);
    }
    void refuse(int error, std::initializer_list<const char*> names) {
        for (const char* name : names) {
            rule(SCMP_ACT_ERRNO(static_cast<std::uint16_t>(error)), name);
        }
    }
};

constexpr scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_EQ, value, 0};
}
constexpr scmp_arg_cmp differs(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_NE, value, 0};
}
constexpr scmp_arg_cmp has_bits(unsigned argument, std::uint64_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}
constexpr scmp_arg_cmp lacks_bits(unsigned argument, std::uint64_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}

// Memory, time, locks and descriptors that are open already: what any program needs to think.
void allow_thinking(Filter& filter) {
    filter.allow({"read",
                  "readv",
                  "write",
                  "writev",
                  "close",
                  "lseek",
                  "fstat",
                  "munmap",
                  "mremap",
                  "brk",
                  "madvise",
                  "futex",
                  "rt_sigaction",
                  "rt_sigprocmask",
                  "rt_sigreturn",
                  "sigaltstack",
                  "restart_syscall",
                  "clock_gettime",
                  "clock_getres",
                  "clock_nanosleep",
                  "nanosleep",
                  "gettimeofday",
                  "time",
                  "getpid",
                  "gettid",
                  "getppid",
                  "getuid",
                  "geteuid",
                  "getgid",
                  "getegid",
                  "uname",
                  "getrusage",
                  "sched_yield",
                  "sched_getaffinity",
                  "getcpu",
                  "getrandom",
                  "exit",
                  "exit_group",
                  "poll",
                  "ppoll",
                  "rseq",
                  "set_robust_list",
                  "membarrier",
                  "mlock",
                  "munlock",
                  "sysinfo",
                  "getrlimit"});
    // Never executable: data stays data, even when somebody else says what it is.
    filter.allow("mmap", {lacks_bits(2, PROT_EXEC)});
    filter.allow("mprotect", {lacks_bits(2, PROT_EXEC)});
    // fstat(3) of newer C libraries; with a path it would be stat(2) of anything.
    filter.allow("newfstatat", {has_bits(3, AT_EMPTY_PATH)});
    // abort(3), aimed at nobody else.
    filter.allow("tgkill", {equals(0, static_cast<std::uint64_t>(::getpid()))});
    for (const int command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC}) {
        filter.allow("fcntl", {equals(1, static_cast<std::uint64_t>(command))});
    }
    filter.allow("ioctl", {equals(1, FIONBIO)});
    filter.allow("ioctl", {equals(1, FIONREAD)});
    // Is it a terminal? The answer "no" is right.
    filter.rule(SCMP_ACT_ERRNO(ENOTTY), "ioctl", {equals(1, TCGETS)});
    filter.allow("prctl", {equals(0, PR_SET_NAME)});
    filter.rule(SCMP_ACT_ERRNO(EINVAL), "prctl", {equals(0, 0x53564d41)});  // PR_SET_VMA: names for malloc's maps
    filter.allow("prlimit64", {equals(2, 0)});                              // reading a limit, not setting one
}

// Packets and streams on sockets that are connected already. MSG_FASTOPEN would make a listening or closed
// TCP socket call out, an address would make a datagram socket do so.
void allow_talking(Filter& filter) {
    filter.allow({"recvmsg", "recvfrom"});
    filter.allow("sendmsg", {lacks_bits(2, MSG_FASTOPEN)});
    filter.allow("sendto", {lacks_bits(3, MSG_FASTOPEN), equals(4, 0)});
    filter.allow({"eventfd2"});
}

// Asio's reactor, signals and worker threads.
void allow_waiting(Filter& filter) {
    filter.allow({"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "timerfd_create",
                  "timerfd_settime", "timerfd_gettime", "pipe2", "getsockopt", "getsockname", "getpeername"});
    filter.allow("setsockopt", {equals(1, SOL_SOCKET), equals(2, SO_PASSCRED)});
    filter.allow("setsockopt", {equals(1, SOL_SOCKET), equals(2, SO_KEEPALIVE)});
    filter.allow("setsockopt", {equals(1, SOL_SOCKET), equals(2, SO_LINGER)});
    filter.allow("setsockopt", {equals(1, SOL_SOCKET), equals(2, SO_RCVBUF)});
    filter.allow("setsockopt", {equals(1, SOL_SOCKET), equals(2, SO_SNDBUF)});
    for (const int option :
         {TCP_NODELAY, TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_NOTSENT_LOWAT}) {
        filter.allow("setsockopt", {equals(1, IPPROTO_TCP), equals(2, static_cast<std::uint64_t>(option))});
    }
    // A thread, never a process. clone3's flags lie in memory where no filter can look: as if the kernel were
    // older, and the C library falls back to clone.
    filter.allow("clone", {has_bits(0, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)});
    filter.refuse(ENOSYS, {"clone3"});
}

// Files are not there, as far as libraries' guesses are concerned; Landlock says the same.
void refuse_files(Filter& filter) {
    filter.refuse(EACCES, {"open", "openat", "openat2", "creat", "stat", "lstat", "statx", "access", "faccessat",
                           "faccessat2", "readlink", "readlinkat"});
    filter.rule(SCMP_ACT_ERRNO(EACCES), "newfstatat", {lacks_bits(3, AT_EMPTY_PATH)});
}

void allow_gateway(Filter& filter) {
    allow_talking(filter);
    allow_waiting(filter);
    filter.allow({"accept", "accept4"});
    filter.allow("shutdown", {equals(1, SHUT_WR)});
    // Shutting a listener for reading un-listens it, after which it could be made to call out.
    filter.rule(SCMP_ACT_ERRNO(EPERM), "shutdown", {differs(1, SHUT_WR)});
    refuse_files(filter);
}

void allow_inspector(Filter& filter) {
    allow_talking(filter);
    filter.allow("setsockopt", {equals(1, SOL_SOCKET), equals(2, SO_PASSCRED)});
    refuse_files(filter);
}

void allow_vault(Filter& filter, const WallOptions& options) {
    allow_talking(filter);
    allow_waiting(filter);
    filter.allow({"shutdown"});
    filter.allow("socketpair", {equals(0, AF_UNIX)});
    if (options.dials_paths) {
        filter.allow("socket", {equals(0, AF_UNIX)});
        filter.allow({"connect"});  // of AF_UNIX sockets only: it can make no others, and receives none
    }
    // Files; where, is Landlock's to say.
    filter.allow({"open",       "openat",    "stat",       "lstat",     "newfstatat", "statx",
                  "access",     "faccessat", "faccessat2", "readlink",  "readlinkat", "getcwd",
                  "getdents64", "statfs",    "fstatfs",    "pread64",   "pwrite64",   "preadv",
                  "pwritev",    "preadv2",   "pwritev2",   "fsync",     "fdatasync",  "sync_file_range",
                  "msync",      "ftruncate", "fallocate",  "fadvise64", "rename",     "renameat",
                  "renameat2",  "unlink",    "unlinkat",   "mkdir",     "mkdirat",    "rmdir",
                  "link",       "linkat",    "umask",      "fchmod",    "flock",      "copy_file_range",
                  "dup"});
    for (const int command : {F_SETLK, F_SETLKW, F_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_OFD_GETLK}) {
        filter.allow("fcntl", {equals(1, static_cast<std::uint64_t>(command))});
    }
}

void allow_courier(Filter& filter) {
    filter.allow({"recvmsg", "recvfrom", "eventfd2", "recvmmsg"});
    filter.allow("sendmsg", {lacks_bits(2, MSG_FASTOPEN)});
    filter.allow("sendmmsg", {lacks_bits(3, MSG_FASTOPEN)});  // the resolver asks for both families at once
    filter.allow("sendto", {lacks_bits(3, MSG_FASTOPEN)});
    allow_waiting(filter);
    filter.allow({"shutdown", "connect", "accept", "accept4"});
    for (const int family : {AF_INET, AF_INET6}) {
        const auto domain = static_cast<std::uint64_t>(family);
        filter.allow("socket", {equals(0, domain)});
        // The resolver marks its sockets; nothing else of these levels is needed.
        filter.allow("setsockopt", {equals(1, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6)});
    }
    // getaddrinfo(3) asks which addresses this machine has, and tries a name service cache.
    filter.allow("socket", {equals(0, AF_NETLINK), equals(2, NETLINK_ROUTE)});
    filter.rule(SCMP_ACT_ERRNO(EACCES), "socket", {equals(0, AF_UNIX)});
    filter.allow({"bind"});
    // Reading what the resolver reads; which files, is Landlock's to say. Writing is not there at all.
    for (const auto& [name, flags] : {std::pair("open", 1U), std::pair("openat", 2U)}) {
        filter.allow(name, {lacks_bits(flags, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)});
        for (const int writing : {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC}) {
            filter.rule(SCMP_ACT_ERRNO(EACCES), name, {has_bits(flags, static_cast<std::uint64_t>(writing))});
        }
    }
    filter.allow({"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
                  "pread64"});
    // A name service module would be code from outside: the resolver goes on without it.
    filter.rule(SCMP_ACT_ERRNO(EACCES), "mmap", {has_bits(2, PROT_EXEC)});
}

void say_forbidden(int, siginfo_t* info, void*) {
    // Signal context: only write(2), no formatting library.
    char text[] = "forbidden system call 0000\n";
    constexpr std::size_t kLastDigit = sizeof text - 3;
    unsigned number = static_cast<unsigned>(info->si_syscall);
    for (std::size_t n = 0; n < 4; ++n, number /= 10) {
        text[kLastDigit - n] = static_cast<char>('0' + number % 10);
    }
    static_cast<void>(!::write(STDERR_FILENO, text, sizeof text - 1));
    ::_exit(128 + SIGSYS);
}

bool trap_wanted() {
    const char* wanted = std::getenv("XINFU_SECCOMP");
    return wanted != nullptr && std::string_view(wanted) == "trap";
}

}  // namespace

Result<bool> load_seccomp_filter(Role role, const WallOptions& options) {
    const bool trapping = trap_wanted();
    if (trapping) {
        struct sigaction action {};
        action.sa_sigaction = &say_forbidden;
        action.sa_flags = SA_SIGINFO;
        if (::sigaction(SIGSYS, &action, nullptr) != 0) {
            return Errc::walls_failed;
        }
    }
    Filter filter(trapping ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
    if (!filter.context) {
        return Errc::walls_failed;
    }
    allow_thinking(filter);
    switch (role) {
        case Role::gateway: allow_gateway(filter); break;
        case Role::inspector: allow_inspector(filter); break;
        case Role::vault: allow_vault(filter, options); break;
        case Role::courier: allow_courier(filter); break;
    }
    // Calls of another architecture's numbering are a way around the list.
    if (::seccomp_attr_set(filter.context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
        filter.failed || ::seccomp_load(filter.context.get()) != 0) {
        return Errc::walls_failed;
    }
    return trapping;
}

}  // namespace xinfu::boundary
