// CountedLeaves: leaves that cannot flood the log. The first of a kind is written at once; equal ones within the
// minute are counted, and one leaf with their number follows when the minute is over.
//
// Threads: the vault's `io`.
// Errors:  those of execute(): who could not write the leaf does not do the act.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "daemon/vault/context.hpp"

namespace xinfu::vault {

class CountedLeaves {
public:
    static constexpr std::chrono::seconds kWindow{60};

    // `key` says which leaves are equal, such as principal and code. Durable on return when it is the first.
    asio::awaitable<Result<void>> write(Context& context, std::string key, storage::Leaf leaf, std::uint64_t times = 1);

    // Writes what was counted in windows that are over; with `all`, what was counted at all.
    asio::awaitable<Result<void>> flush(Context& context, bool all = false);

    std::size_t waiting() const { return windows_.size(); }

private:
    struct Window {
        storage::Milliseconds ends{};
        // Also when the clock was set back to long before it began.
        bool is_over(storage::Milliseconds now) const { return now >= ends || ends - now > kWindow; }
        storage::Leaf leaf;
        std::uint64_t repeats = 0;
    };
    std::map<std::string, Window> windows_;
};

// A refusal of this caller: counted by principal, action and code.
asio::awaitable<Result<void>> record_refusal(Context& context, const Caller& caller, std::string action,
                                             std::string code, std::string catalog = {});

}  // namespace xinfu::vault
