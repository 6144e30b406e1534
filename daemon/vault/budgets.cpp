#include "daemon/vault/budgets.hpp"

#include <algorithm>

namespace xinfu::vault {

Budget::Budget(std::uint32_t amount, std::chrono::seconds window) : window_(window), each_(window_ / amount) {}

std::optional<std::uint32_t> Budget::take(const std::string& account, storage::Milliseconds now) {
    Time& until = empty_until_[account];
    // A clock that was set back must not lock anybody out for longer than the window.
    until = std::clamp(until, Time(now), Time(now) + window_);
    if (until + each_ > Time(now) + window_) {
        const auto wait = until + each_ - window_ - now;
        return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
    }
    until += each_;
    return std::nullopt;
}

}  // namespace xinfu::vault
