// Budgets: how much one account may read, and how many acts it may put on the log, in a time. Whoever owns the gateway
// can misuse the connections that are open; this bounds what that brings.
//
// Threads: the vault's `io`.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "storage/ledger.hpp"

namespace xinfu::vault {

// So much in a window, all of it at once if need be; it comes back evenly. (The generic cell rate algorithm, ITU-T
// I.371: one point in time for each account.)
class Budget {
public:
    Budget(std::uint32_t amount, std::chrono::seconds window);

    // Takes one. Else how many whole seconds until there is one again, at least 1.
    std::optional<std::uint32_t> take(const std::string& account, storage::Milliseconds now);

    std::size_t accounts() const { return empty_until_.size(); }

private:
    using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

    std::chrono::nanoseconds window_;
    std::chrono::nanoseconds each_;
    std::map<std::string, Time>
        empty_until_;  // when all would be back; of enrolled accounts, so their number is bounded
};

struct Budgets {
    Budget readings;  // answers with records: XF-2008
    Budget acts;      // that leave a leaf of their own: XF-2009
};

}  // namespace xinfu::vault
