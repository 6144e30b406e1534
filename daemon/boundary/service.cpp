#include "daemon/boundary/service.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "daemon/boundary/descriptor.hpp"

namespace xinfu::boundary {
namespace {

// A datagram socket connected to `path`; a leading @ means the abstract namespace. Connected now, because
// behind the walls neither socket(2) nor connect(2) remains; sd_notify(3) would open a new one each time.
Descriptor connect_datagram(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return {};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    Descriptor descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!descriptor || ::connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
        return {};
    }
    return descriptor;
}

// JOURNAL_STREAM names the device and inode of the journal's stream, so that a redirected standard error is
// not mistaken for it (systemd.exec(5)).
bool stderr_is_the_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    if (stream == nullptr) {
        return false;
    }
    unsigned long long device = 0;
    unsigned long long inode = 0;
    struct stat status {};
    return std::sscanf(stream, "%llu:%llu", &device, &inode) == 2 && ::fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

// Replaces control characters, so that nothing said by a peer can forge a second line or a terminal's
// command.
std::string printable(std::string_view text) {
    std::string clean(text);
    for (char& c : clean) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            c = '?';
        }
    }
    return clean;
}

std::string utc_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    std::array<char, 40> text{};
    const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                                   parts.tm_sec, static_cast<int>(now.tv_nsec / 1'000'000));
    return {text.data(), static_cast<std::size_t>(size)};
}

// A pipe or terminal that nobody reads would make writers wait for ever, all that they hold with them. The flag is on
// an open file of our own: the one we were given may be others' as well. A child that is another user could not open
// it, and has its parent's.
void never_wait_for_standard_error() {
    const int flags = ::fcntl(STDERR_FILENO, F_GETFL);
    struct stat status {};
    if (flags < 0 || (flags & O_NONBLOCK) != 0 || ::fstat(STDERR_FILENO, &status) != 0 ||
        (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))) {
        return;
    }
    const Descriptor own(::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (own) {
        ::dup2(own.get(), STDERR_FILENO);
    }
}

// What was acknowledged is on the disk, and whoever waits for an answer asks again: to begin anew is safer than to take
// back what was half done, which needs memory as well.
void end_without_memory() {
    constexpr std::string_view kWords = "no memory left: this process ends, to be started again\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kWords.data(), kWords.size());
    ::_exit(EXIT_FAILURE);
}

// False: nobody took it, or not all of it. A line fits a pipe whole or not at all (pipe(7), PIPE_BUF).
bool write_now(std::string_view line) {
    while (!line.empty()) {
        ssize_t written = ::send(STDERR_FILENO, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == ENOTSOCK) {
            written = ::write(STDERR_FILENO, line.data(), line.size());
        }
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        line.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

std::string_view level_word(Level level) {
    switch (level) {
        case Level::error: return "error: ";
        case Level::warning: return "warning: ";
        case Level::notice:
        case Level::info: return "";
    }
    return "";
}

}  // namespace

struct Service::State {
    std::string identifier;
    Descriptor journal;
    Descriptor manager;
    std::optional<std::chrono::milliseconds> watchdog_interval;
    std::mutex writing;
    std::uint64_t lost = 0;  // records that nobody took; with `writing` held

    bool send_record(const std::string& record) const {
        return ::send(journal.get(), record.data(), record.size(), MSG_NOSIGNAL) >= 0;
    }
    // Never waits: what is told must not stop the work that it tells of. False: nobody took it.
    bool write(Level level, std::string_view message, const LogFields& fields);

    void notify(std::string_view lines) {
        if (manager) {
            static_cast<void>(::send(manager.get(), lines.data(), lines.size(), MSG_NOSIGNAL));
        }
    }
};

Service::Service(std::string identifier) : state_(std::make_unique<State>()) {
    // Started through a descriptor, the kernel would call the process after that descriptor's number.
    ::prctl(PR_SET_NAME, identifier.substr(0, 15).c_str());
    state_->identifier = std::move(identifier);
    std::signal(SIGPIPE, SIG_IGN);  // whoever reads standard error may go away
    never_wait_for_standard_error();
    std::set_new_handler(end_without_memory);
    if (stderr_is_the_journal()) {
        state_->journal = connect_datagram("/run/systemd/journal/socket");
    }
    if (const char* path = std::getenv("NOTIFY_SOCKET"); path != nullptr) {
        state_->manager = connect_datagram(path);
        std::uint64_t usec = 0;
        if (::sd_watchdog_enabled(0, &usec) > 0) {
            state_->watchdog_interval = std::chrono::milliseconds(usec / 2000);
        }
    }
}
Service::~Service() = default;

void Service::ready() {
    state_->notify("READY=1");
}
void Service::stopping() {
    state_->notify("STOPPING=1");
}
void Service::watchdog() {
    state_->notify("WATCHDOG=1");
}
void Service::status(std::string_view line) {
    state_->notify("STATUS=" + printable(line));
}

void Service::reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    // Type=notify-reload wants to know when, on this clock (sd_notify(3)); older managers ignore it.
    state_->notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

std::optional<std::chrono::milliseconds> Service::watchdog_interval() const {
    return state_->watchdog_interval;
}

void Service::log(Level level, std::string_view message, const LogFields& fields) {
    const std::scoped_lock lock(state_->writing);
    if (state_->lost != 0) {
        const auto lost = std::exchange(state_->lost, 0);
        if (!state_->write(Level::warning, std::to_string(lost) + " records are lost: nobody took them", {})) {
            state_->lost = lost + 1;
            return;
        }
    }
    if (!state_->write(level, message, fields)) {
        ++state_->lost;
    }
}

bool Service::State::write(Level level, std::string_view message, const LogFields& fields) {
    const std::string text = printable(message);
    if (journal) {
        // The journal's native protocol: one FIELD=value a line; printable() leaves no line break in a value.
        std::string record = "PRIORITY=" + std::to_string(static_cast<int>(level)) +
                             "\nSYSLOG_IDENTIFIER=" + identifier + "\nMESSAGE=" + text + "\n";
        const auto add = [&record](std::string_view name, const std::string& value) {
            if (!value.empty()) {
                record.append(name).append("=").append(printable(value)).append("\n");
            }
        };
        add("MESSAGE_ID", fields.message_id);
        add("XINFU_CODE", fields.code);
        add("XINFU_SUBMISSION", fields.submission);
        add("XINFU_PRINCIPAL", fields.principal);
        add("XINFU_LEAF", fields.leaf ? std::to_string(*fields.leaf) : "");
        // When the journal is restarting, or full, its stream on standard error may still take the line.
        return send_record(record) || write_now(text + "\n");
    }
    std::string line = utc_now() + " " + identifier + ": " + std::string(level_word(level)) + text;
    const auto add = [&line](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            line.append(" ").append(name).append("=").append(printable(value));
        }
    };
    add("code", fields.code);
    add("submission", fields.submission);
    add("principal", fields.principal);
    add("leaf", fields.leaf ? std::to_string(*fields.leaf) : "");
    return write_now(line + "\n");
}

}  // namespace xinfu::boundary
