#include "daemon/supervisor/restart_policy.hpp"

#include <algorithm>

namespace xinfu::supervisor {

std::chrono::milliseconds RestartPolicy::next_delay(Clock::duration uptime) {
    if (uptime >= kSettled) {
        quick_deaths_ = 0;
    }
    ++quick_deaths_;
    if (quick_deaths_ <= kFreeDeaths) {
        return std::chrono::milliseconds{0};
    }
    const int doublings = std::min(quick_deaths_ - kFreeDeaths - 1, 16);
    return std::clamp(delay_ * (1 << doublings), kSpinGuard, kDelayMax);
}

}  // namespace xinfu::supervisor
