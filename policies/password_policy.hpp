// PasswordPolicy: what a person's password must be like, how long it lasts, and what wrong ones lead to. One rule for
// persons, one at least as strict for administrators; both are approved with the access pack.
//
// Sources: GB/T 22239-2019 8.1.4.1 asks for complexity, regular change, a bound on failed logins and an end of idle
//          sessions; the floors are the figures customary where that is assessed. Decisions:
//          docs/decisions/0009-passwords.md.
// Threads: pure functions.
// Trust:   passwords are hostile; their work is bounded (kPasswordEstimatedBytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xinfu::policies {

// As long as nothing else is approved, everybody is under the stricter rule: a pack made before there were any says
// nothing of who administers.
struct PasswordPolicy {
    std::uint32_t characters_min = 12;
    std::uint32_t classes_min = 3;      // of small letters, capitals, digits and others, which Chinese is among
    std::uint32_t guess_bits_min = 40;  // log2 of the guesses of somebody with dictionaries who knows the person
    std::uint32_t history = 10;         // so many passwords before this one cannot be taken again
    std::uint32_t days_max = 60;        // then it opens no session until it is changed
    std::uint32_t failures_max = 5;     // wrong ones in a row lock the account
    std::uint32_t locked_minutes = 30;
    std::uint32_t idle_minutes = 15;
    std::uint32_t session_hours = 8;

    bool operator==(const PasswordPolicy&) const = default;
};

// One parameter, its key in the pack, and what may be approved for it.
struct PasswordParameter {
    std::string_view key;
    std::uint32_t PasswordPolicy::*value;
    std::uint32_t least;
    std::uint32_t most;
    bool more_is_stricter;
};
std::span<const PasswordParameter> password_parameters();

// Parameters in which `policy` is weaker than `other`; empty: it is at least as strict in every one.
std::vector<std::string_view> weaker_parameters(const PasswordPolicy& policy, const PasswordPolicy& other);
// Whether every parameter is within what may be approved.
bool is_allowed(const PasswordPolicy& policy);

struct PasswordRules {
    PasswordPolicy persons;
    PasswordPolicy administrators;
    std::uint32_t unused_days = 90;  // persons who did not log in for so long are reported
};
inline constexpr std::uint32_t kUnusedDaysMax = 180;

struct PasswordFault {
    std::string_view code;
    std::vector<std::string> arguments{};
};

// Why this new password cannot be taken, whatever came before it; absent: it can. `own_words` are what others know of
// the person: account, name, phone, unit and so on. At most some 40 ms of work: not on a thread that others wait for.
std::optional<PasswordFault> find_fault(const PasswordPolicy& policy, std::string_view password,
                                        std::span<const std::string> own_words);

// Of a longer password only so much is estimated, which is never more than the whole is worth: the time grows with the
// fifth power of the length for digits that alternate, to a second for 100 bytes.
inline constexpr std::size_t kPasswordEstimatedBytes = 40;
// log2 of the guesses that the password withstands.
double guess_bits(std::string_view password, std::span<const std::string> own_words);

}  // namespace xinfu::policies
