// PasswordSpraying: few wrong passwords each over many accounts, which locks none of them. They are counted by the
// address they come from; with failures on four accounts, or twenty in all, within ten minutes, logins from that
// address are refused for ten minutes. Why, and who is let through nevertheless: docs/decisions/0009-passwords.md.
//
// Threads: one strand.
// Trust:   addresses are the gateway's word. Whoever fails here has proven the key of an enrolled certificate.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "storage/ledger.hpp"

namespace xinfu::vault {

class PasswordSpraying {
public:
    static constexpr std::size_t kAccounts = 4;
    static constexpr std::size_t kFailures = 20;
    static constexpr std::chrono::minutes kWindow{10};
    static constexpr std::chrono::minutes kRefused{10};
    static constexpr std::size_t kSourcesMax = 1024;  // the one that failed longest ago gives way

    // Of an IPv6 address its /64, which one subscriber has.
    static std::string network_of(std::string_view source);

    // For how many seconds more logins from there are refused; absent: they are not.
    std::optional<std::uint32_t> refused(std::string_view source, storage::Milliseconds now) const;
    bool has_failed(std::string_view source, std::string_view account, storage::Milliseconds now) const;

    // A wrong password. Set when it is this one that makes it spraying: once until logins are taken again.
    struct Alarm {
        std::size_t accounts;
        std::size_t failures;
    };
    std::optional<Alarm> failed(std::string_view source, std::string_view account, storage::Milliseconds now);
    // A right one: this account's failures from there were slips.
    void succeeded(std::string_view source, std::string_view account);

    std::size_t size() const { return sources_.size(); }

private:
    struct Failure {
        std::string account;
        storage::Milliseconds time;
    };
    struct Source {
        std::deque<Failure> failures;  // within the window, at most kFailures
        std::optional<storage::Milliseconds> refused_since;
    };
    // A clock that was set back must not lengthen anything.
    static bool is_within(storage::Milliseconds since, std::chrono::minutes time, storage::Milliseconds now) {
        return now >= since && now - since < time;
    }
    void make_room(storage::Milliseconds now);

    std::map<std::string, Source, std::less<>> sources_;  // by network
};

}  // namespace xinfu::vault
