// ClockWatch: tells whoever looks after the node that the machine's clock was set, or is behind the log: a leaf, which
// is a line of the journal as well, a metric, and a warning in the status for as long as it lasts.
//
// Threads: `io`.
#pragma once

#include <chrono>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "daemon/vault/context.hpp"
#include "daemon/vault/wall_clock.hpp"

namespace xinfu::vault {

class ClockWatch {
public:
    ClockWatch(Context& context, WallClock& clock) : context_(context), clock_(clock) {}

    // Every few seconds.
    asio::awaitable<void> look();
    // The machine's clock is not believed, or the log's time stands still until it is reached.
    bool is_wrong() const;

private:
    bool is_behind() const;
    asio::awaitable<void> tell(std::string action, std::string result, std::chrono::milliseconds by);

    Context& context_;
    WallClock& clock_;
    bool was_behind_ = false;
};

}  // namespace xinfu::vault
