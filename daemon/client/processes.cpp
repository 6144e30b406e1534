#include "daemon/client/processes.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

Stop system_failure(const std::string& what) {
    const std::string why = std::strerror(errno);
    return {Exit::unreachable, {what + ": " + why, what + "：" + why}, {}};
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

std::vector<std::string> arguments_of(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    std::vector<std::string> arguments;
    for (std::string argument; std::getline(file, argument, '\0');) {
        arguments.push_back(std::move(argument));
    }
    return arguments;
}

}  // namespace

std::string program_directory() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

int start_detached(const std::vector<std::string>& command, const std::string& log) {
    // Everything that allocates happens before the fork.
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    std::array<int, 2> failure{-1, -1};
    if (output < 0 || input < 0 || ::pipe2(failure.data(), O_CLOEXEC) != 0) {
        throw system_failure(log);
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::setsid();
        ::dup2(input, STDIN_FILENO);
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        ::execv(arguments.front(), arguments.data());
        const int error = errno;
        const ssize_t ignored = ::write(failure[1], &error, sizeof error);
        ::_exit(ignored > 0 ? 127 : 126);
    }
    ::close(output);
    ::close(input);
    ::close(failure[1]);
    int error = 0;
    const ssize_t told = pid < 0 ? 0 : ::read(failure[0], &error, sizeof error);
    ::close(failure[0]);
    if (pid < 0 || told > 0) {
        errno = pid < 0 ? errno : error;
        throw system_failure(command.front());
    }
    return pid;
}

std::vector<int> find_processes(const std::string& name, const std::string& argument) {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string file = entry.path().filename().string();
        int pid = 0;
        const auto [end, error] = std::from_chars(file.data(), file.data() + file.size(), pid);
        if (error != std::errc{} || end != file.data() + file.size() || !is_running(pid)) {
            continue;
        }
        const auto arguments = arguments_of(pid);
        if (!arguments.empty() && std::filesystem::path(arguments.front()).filename() == name &&
            std::ranges::find(arguments, argument) != arguments.end()) {
            found.push_back(pid);
        }
    }
    return found;
}

bool is_running(int pid) {
    ::waitpid(pid, nullptr, WNOHANG);  // our own child, when it is one
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string stat((std::istreambuf_iterator<char>(file)), {});
    const auto name_end = stat.rfind(')');
    return name_end != stat.npos && name_end + 2 < stat.size() && stat[name_end + 2] != 'Z';
}

void end_processes(const std::vector<int>& pids, std::chrono::seconds limit) {
    for (const int pid : pids) {
        ::kill(pid, SIGTERM);
    }
    const auto until = std::chrono::steady_clock::now() + limit;
    const auto any = [&] { return std::ranges::any_of(pids, is_running); };
    while (any() && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    for (const int pid : pids) {
        if (is_running(pid)) {
            ::kill(-pid, SIGKILL);  // the supervisor leads a session, and with it a group
            ::kill(pid, SIGKILL);
        }
    }
    while (any()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

std::vector<int> free_ports(std::size_t count) {
    // Below the ports that the kernel gives to outgoing connections (from 32768 on, unless it was told otherwise): one
    // of those may be taken between this look and the node's own listening.
    constexpr int kFirst = 20000;
    constexpr int kLast = 32767;
    constexpr std::size_t kTriesMax = 1000;
    std::random_device chance;
    std::uniform_int_distribution<int> any(kFirst, kLast);
    // All are held until the last is known, so that none comes twice.
    std::vector<int> sockets;
    std::vector<int> ports;
    for (std::size_t tries = 0; ports.size() < count && tries < kTriesMax; ++tries) {
        const int port = any(chance);
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            break;
        }
        const sockaddr_in address = loopback(port);
        sockets.push_back(fd);
        if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            ports.push_back(port);
        }
    }
    for (const int fd : sockets) {
        ::close(fd);
    }
    if (ports.size() < count) {
        throw system_failure("127.0.0.1");
    }
    return ports;
}

bool answers_ok(int port, const std::string& path) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{.tv_sec = 2, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const sockaddr_in address = loopback(port);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    std::array<char, 64> head{};
    const bool ok = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0 &&
                    ::recv(fd, head.data(), head.size(), 0) >= 12 &&
                    std::string_view(head.data(), head.size()).substr(8, 4) == " 200";
    ::close(fd);
    return ok;
}

}  // namespace xinfu::client
