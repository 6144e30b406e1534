// RestartPolicy: how long to wait before a dead process is started again.
//
// Threads: one.
#pragma once

#include <chrono>

namespace xinfu::supervisor {

class RestartPolicy {
public:
    using Clock = std::chrono::steady_clock;

    // `delay` zero: never wait, but for a moment so short that a process which cannot start at all does not
    // take the machine with it.
    explicit RestartPolicy(std::chrono::milliseconds delay) : delay_(delay) {}

    // The process ended after working for `uptime`. Answers how long to wait: nothing for the first deaths,
    // then the delay, doubled each time up to kDelayMax, until one life lasts kSettled.
    std::chrono::milliseconds next_delay(Clock::duration uptime);

    static constexpr std::chrono::seconds kSettled{10};
    static constexpr int kFreeDeaths = 3;
    static constexpr std::chrono::milliseconds kDelayMax{30'000};
    static constexpr std::chrono::milliseconds kSpinGuard{50};

private:
    std::chrono::milliseconds delay_;
    int quick_deaths_ = 0;
};

}  // namespace xinfu::supervisor
