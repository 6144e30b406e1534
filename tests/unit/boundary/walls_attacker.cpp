// Somebody who owns a process: raises a role's walls, then tries one thing. Used by walls_test.
//
// walls_attacker ROLE ATTEMPT (role "nobody": no walls at all, to see what an attempt is worth): exit 0 the
// attempt worked, 10 it was denied with an error, 11 no such attempt, 12 the walls did not rise; killed by
// SIGSYS: denied by the filter.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/walls.hpp"

namespace {

using namespace xinfu::boundary;

// What the process holds when it is taken over: things opened before the walls.
struct Loot {
    int listener = -1;        // TCP, listening
    int accepted = -1;        // TCP, accepted
    int client = -1;          // its other end, in the same process only for the test
    sockaddr_in elsewhere{};  // somebody else's listening socket
    int folder = -1;          // the state directory
    std::string outside;      // a file of the same user outside the state directory
    int program = -1;         // an executable file
};

int listen_on_loopback(sockaddr_in& address) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 16) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        std::abort();
    }
    return fd;
}

Loot gather() {
    Loot loot;
    sockaddr_in own{};
    loot.listener = listen_on_loopback(own);
    listen_on_loopback(loot.elsewhere);
    loot.client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(loot.client, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) {
        std::abort();
    }
    loot.accepted = ::accept4(loot.listener, nullptr, nullptr, SOCK_CLOEXEC);
    char folder[] = "/tmp/xinfu-walls-XXXXXX";
    if (::mkdtemp(folder) == nullptr) {
        std::abort();
    }
    loot.outside = std::string(folder) + ".secret";
    ::close(::open(loot.outside.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (::chdir(folder) != 0) {
        std::abort();
    }
    loot.folder = ::open(".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    loot.program = ::open("/bin/true", O_RDONLY | O_CLOEXEC);
    return loot;
}

bool call_out(int fd, const Loot& loot) {
    sockaddr unspecified{};
    unspecified.sa_family = AF_UNSPEC;
    static_cast<void>(::connect(fd, &unspecified, sizeof unspecified));
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&loot.elsewhere), sizeof loot.elsewhere) == 0;
}

bool send_fast_open(int fd, const Loot& loot) {
    const char byte = 'x';
    return ::sendto(fd, &byte, 1, MSG_FASTOPEN, reinterpret_cast<const sockaddr*>(&loot.elsewhere),
                    sizeof loot.elsewhere) == 1;
}

bool send_message_fast_open(int fd, const Loot& loot) {
    char byte = 'x';
    iovec span{&byte, 1};
    sockaddr_in address = loot.elsewhere;
    msghdr header{};
    header.msg_name = &address;
    header.msg_namelen = sizeof address;
    header.msg_iov = &span;
    header.msg_iovlen = 1;
    return ::sendmsg(fd, &header, MSG_FASTOPEN) == 1;
}

bool open_file(const std::string& path, int flags) {
    return ::open(path.c_str(), flags, 0600) >= 0;
}

bool run_thread() {
    bool ran = false;
    std::thread([&ran] { ran = true; }).join();
    return ran;
}

bool fork_process() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::_exit(0);
    }
    return pid > 0;
}

bool execute(const Loot& loot) {
    char name[] = "true";
    char* arguments[] = {name, nullptr};
    char* environment[] = {nullptr};
    ::syscall(SYS_execveat, loot.program, "", arguments, environment, AT_EMPTY_PATH);
    return false;  // success would not come back: /bin/true then ends with 0, as "worked"
}

bool write_state() {
    if (::mkdir("objects", 0700) != 0 || !open_file("objects/a", O_CREAT | O_RDWR) || ::rename("objects/a", "b") != 0) {
        return false;
    }
    const int fd = ::open("b", O_RDWR);
    const bool wrote = fd >= 0 && ::pwrite(fd, "x", 1, 0) == 1 && ::ftruncate(fd, 0) == 0 && ::fdatasync(fd) == 0;
    return wrote && ::unlink("b") == 0;
}

bool list_folder(const char* path) {
    DIR* folder = ::opendir(path);
    return folder != nullptr && ::readdir(folder) != nullptr;
}

bool exchange_packets() {
    // Made before the walls in real life; socketpair(2) is the vault's alone.
    auto pair = make_packet_pair();
    if (!pair) {
        return false;
    }
    Connection connection;
    connection.descriptor = std::move(pair->first);
    BlockingChannel channel(std::move(connection));
    return send_packet(pair->second.get(), "x", -1, 0).has_value() &&
           channel.receive_bytes(std::chrono::seconds{1}).has_value();
}

using Attempt = std::function<bool(const Loot&)>;

const std::map<std::string, Attempt>& attempts() {
    static const std::map<std::string, Attempt> all{
        {"open_shadow", [](const Loot&) { return open_file("/etc/shadow", O_RDONLY); }},
        {"open_passwd", [](const Loot&) { return open_file("/etc/passwd", O_RDONLY); }},
        {"open_hosts", [](const Loot&) { return open_file("/etc/hosts", O_RDONLY); }},
        {"open_own_memory", [](const Loot&) { return open_file("/proc/self/mem", O_RDWR); }},
        {"open_state", [](const Loot&) { return open_file("seen", O_CREAT | O_RDWR); }},
        {"open_beneath_descriptor", [](const Loot& l) { return ::openat(l.folder, "x", O_CREAT | O_RDWR, 0600) >= 0; }},
        {"open_how",
         [](const Loot& l) {
             std::uint64_t how[3] = {O_RDONLY, 0, 0};
             return ::syscall(SYS_openat2, AT_FDCWD, l.outside.c_str(), how, sizeof how) >= 0;
         }},
        {"read_outside", [](const Loot& l) { return open_file(l.outside, O_RDONLY); }},
        {"write_outside", [](const Loot& l) { return open_file(l.outside, O_WRONLY); }},
        {"create_outside", [](const Loot&) { return open_file("../xinfu-walls-created", O_CREAT | O_WRONLY); }},
        {"remove_outside", [](const Loot& l) { return ::unlink(l.outside.c_str()) == 0; }},
        {"rename_in", [](const Loot& l) { return ::rename(l.outside.c_str(), "stolen") == 0; }},
        {"link_in", [](const Loot& l) { return ::link(l.outside.c_str(), "stolen") == 0; }},
        {"symlink", [](const Loot& l) { return ::symlink(l.outside.c_str(), "link") == 0; }},
        {"list_root", [](const Loot&) { return list_folder("/"); }},
        {"stat_outside",
         [](const Loot& l) {
             struct stat status {};
             return ::stat(l.outside.c_str(), &status) == 0;
         }},
        {"make_device", [](const Loot&) { return ::mknod("null", S_IFCHR | 0600, 0x103) == 0; }},
        {"make_fifo", [](const Loot&) { return ::mkfifo("fifo", 0600) == 0; }},
        {"chmod", [](const Loot& l) { return ::chmod(l.outside.c_str(), 0777) == 0; }},
        {"change_root", [](const Loot&) { return ::chroot("/") == 0; }},
        {"socket_tcp", [](const Loot&) { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; }},
        {"socket_udp", [](const Loot&) { return ::socket(AF_INET6, SOCK_DGRAM, 0) >= 0; }},
        {"socket_unix", [](const Loot&) { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }},
        {"socket_packet", [](const Loot&) { return ::socket(AF_PACKET, SOCK_RAW, 0) >= 0; }},
        {"socket_netlink", [](const Loot&) { return ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0; }},
        {"socket_vsock", [](const Loot&) { return ::socket(AF_VSOCK, SOCK_STREAM, 0) >= 0; }},
        {"connect_accepted", [](const Loot& l) { return call_out(l.accepted, l); }},
        {"connect_listener", [](const Loot& l) { return call_out(l.listener, l); }},
        {"fast_open_listener", [](const Loot& l) { return send_fast_open(l.listener, l); }},
        {"fast_open_accepted", [](const Loot& l) { return send_fast_open(l.accepted, l); }},
        {"fast_open_message", [](const Loot& l) { return send_message_fast_open(l.listener, l); }},
        {"shut_listener", [](const Loot& l) { return ::shutdown(l.listener, SHUT_RD) == 0; }},
        {"shut_both", [](const Loot& l) { return ::shutdown(l.accepted, SHUT_RDWR) == 0; }},
        {"shut_writing", [](const Loot& l) { return ::shutdown(l.accepted, SHUT_WR) == 0; }},
        {"bind",
         [](const Loot& l) {
             sockaddr_in any{};
             any.sin_family = AF_INET;
             return ::bind(l.client, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
         }},
        {"bind_new",
         [](const Loot&) {
             sockaddr_in any{};
             any.sin_family = AF_INET;
             const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
             return fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
         }},
        {"listen", [](const Loot& l) { return ::listen(l.listener, 1) == 0; }},
        {"accept",
         [](const Loot& l) { return ::accept4(l.listener, nullptr, nullptr, SOCK_NONBLOCK) >= 0 || errno == EAGAIN; }},
        {"connect_new", [](const Loot& l) { return call_out(::socket(AF_INET, SOCK_STREAM, 0), l); }},
        {"transparent_proxy",
         [](const Loot& l) {
             const int on = 1;
             return ::setsockopt(l.accepted, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0;
         }},
        {"no_delay",
         [](const Loot& l) {
             const int on = 1;
             return ::setsockopt(l.accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
         }},
        {"io_uring",
         [](const Loot&) {
             io_uring_params parameters{};
             return ::syscall(SYS_io_uring_setup, 4, &parameters) >= 0;
         }},
        {"execute", execute},
        {"fork", [](const Loot&) { return fork_process(); }},
        {"vfork_shell", [](const Loot&) { return ::system("true") == 0; }},
        {"thread", [](const Loot&) { return run_thread(); }},
        {"trace_parent", [](const Loot&) { return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr) == 0; }},
        {"read_parent",
         [](const Loot&) {
             char byte = 0;
             iovec here{&byte, 1};
             iovec there{const_cast<char*>("x"), 1};
             return ::syscall(SYS_process_vm_readv, ::getppid(), &here, 1, &there, 1, 0) == 1;
         }},
        {"signal_parent", [](const Loot&) { return ::kill(::getppid(), SIGCONT) == 0; }},
        {"thread_signal_parent",
         [](const Loot&) { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), SIGCONT) == 0; }},
        {"executable_memory",
         [](const Loot&) {
             return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                    MAP_FAILED;
         }},
        {"executable_later",
         [](const Loot&) {
             void* place = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return ::mprotect(place, 4096, PROT_READ | PROT_EXEC) == 0;
         }},
        {"memory_file", [](const Loot&) { return ::syscall(SYS_memfd_create, "code", 0) >= 0; }},
        {"become_root", [](const Loot&) { return ::setuid(0) == 0; }},
        {"new_namespace", [](const Loot&) { return ::unshare(CLONE_NEWUSER) == 0; }},
        {"mount", [](const Loot&) { return ::syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr) == 0; }},
        {"load_program", [](const Loot&) { return ::syscall(SYS_bpf, 0, nullptr, 0) >= 0; }},
        {"watch_events", [](const Loot&) { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0) >= 0; }},
        {"keyring", [](const Loot&) { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0) >= 0; }},
        {"user_faults", [](const Loot&) { return ::syscall(SYS_userfaultfd, 0) >= 0; }},
        {"set_clock",
         [](const Loot&) {
             timespec now{};
             ::clock_gettime(CLOCK_REALTIME, &now);
             return ::clock_settime(CLOCK_REALTIME, &now) == 0;
         }},
        {"dumpable_again", [](const Loot&) { return ::prctl(PR_SET_DUMPABLE, 1) == 0; }},
        {"raise_limit",
         [](const Loot&) {
             const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
             return ::setrlimit(RLIMIT_CORE, &limit) == 0;
         }},
        {"socket_pair",
         [](const Loot&) {
             int ends[2];
             return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
         }},
        {"packets", [](const Loot&) { return exchange_packets(); }},
        {"write_state", [](const Loot&) { return write_state(); }},
        {"think",
         [](const Loot&) {
             std::string big(8 << 20, 'x');
             std::fprintf(stderr, "%s", "");
             return big[4096] == 'x' && ::getpid() > 0;
         }},
        {"hoard",
         [](const Loot&) {
             void* place = ::mmap(nullptr, 512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
             return place != MAP_FAILED;
         }},
    };
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    const std::map<std::string, Role> roles{
        {"gateway", Role::gateway}, {"inspector", Role::inspector}, {"vault", Role::vault}, {"courier", Role::courier}};
    const bool walled = argc == 3 && std::string(argv[1]) != "nobody";
    if (argc != 3 || (walled && !roles.contains(argv[1])) || !attempts().contains(argv[2])) {
        return 11;
    }
    const Attempt attempt = attempts().at(argv[2]);
    const Loot loot = gather();
    if (!walled) {
        return attempt(loot) ? 0 : 10;
    }
    WallOptions options;
    options.state_directory_fd = loot.folder;
    options.memory_size_bytes_max = roles.at(argv[1]) == Role::inspector ? 256 << 20 : 0;
    options.connect_ports = {443};
    if (!raise_walls(roles.at(argv[1]), options)) {
        return 12;
    }
    return attempt(loot) ? 0 : 10;
}
