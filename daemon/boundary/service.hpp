// Service: what a process tells the system around it: readiness, status and watchdog to systemd, log records
// with fields to the journal. Elsewhere a record is one line on standard error.
//
// Threads: internally locked.
// Trust:   messages and fields never carry personal data, keys or payload; peers' bytes only escaped. Control
//          characters are replaced here as the last line of defence.
// Errors:  none: a log that cannot be written never stops the work it tells of. What nobody takes at once is lost, and
//          how much that was is told when somebody takes records again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace xinfu::boundary {

enum class Level { error = 3, warning = 4, notice = 5, info = 6 };  // syslog(3)

// Empty fields are left out.
struct LogFields {
    std::string code;                   // XINFU_CODE: "XF-nnnn"
    std::string submission;             // XINFU_SUBMISSION: id
    std::string principal;              // XINFU_PRINCIPAL: account id
    std::optional<std::uint64_t> leaf;  // XINFU_LEAF: index
    std::string message_id;             // MESSAGE_ID: 32 hex digits, one per kind of event
};

class Service {
public:
    // Opens the sockets to the journal and to the service manager, as far as JOURNAL_STREAM and NOTIFY_SOCKET
    // say they are there, and makes standard error one that nobody waits for: call before the walls. Names the process
    // after `identifier`, ignores SIGPIPE, and has the process end when it gets no memory (std::set_new_handler).
    explicit Service(std::string identifier);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    void ready();
    void stopping();
    void reloading();                    // then ready() again
    void status(std::string_view line);  // STATUS=
    void watchdog();                     // WATCHDOG=1
    // How often to call watchdog(): half of WatchdogSec. Absent: nobody watches.
    std::optional<std::chrono::milliseconds> watchdog_interval() const;

    void log(Level level, std::string_view message, const LogFields& fields = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace xinfu::boundary
