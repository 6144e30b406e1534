// Sessions: a person's second factor. A password opens a session, whose token works only together with the
// certificate that opened it; without a session a person may do nothing but open one.
//
// The password given at the first login becomes the password. What it must be like, how long it lasts, how many wrong
// ones lock the account (also across restarts), and when a session is over, says the access pack in force
// (policies/password_policy.hpp), from the moment it is in force. Sessions themselves live in memory: after a restart a
// person logs in again.
//
// Threads: the vault's `io`; Argon2id runs on a worker thread.
// Trust:   passwords and tokens come from the client through the gateway, which sees them: an owned gateway can use
//          them with the connection they came over, not with another certificate.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/password_spraying.hpp"
#include "policies/password_policy.hpp"

namespace xinfu::vault {

class Sessions {
public:
    static constexpr std::size_t kPasswordBytesMax = 1024;
    static constexpr std::chrono::days kWarnedBefore{14};  // that a password expires
    static constexpr std::size_t kPerAccountMax = 16;      // the oldest gives way
    static constexpr std::size_t kUnderWayMax = 16;        // logins waiting for a worker; beyond: busy

    // Answers OpenSession. One leaf for every outcome (wrong passwords: counted).
    asio::awaitable<void> open(Context& context, ExchangePointer exchange);
    // Answers CloseSession.
    asio::awaitable<void> close(Context& context, ExchangePointer exchange);

    // Absent: the token is this principal's and its idle time begins anew. Else XF-1006 or XF-1016.
    std::optional<boundary::Problem> check(const Context& context, const Principal& principal, std::string_view token);

    // The password typed again, for one act. Absent: it is right, which has its leaf; wrong ones count as at a login.
    // `recorded`: the refusal has its leaf. `expires`: when the password does.
    struct Confirmed {
        std::optional<boundary::Problem> problem;
        bool recorded = false;
        storage::Milliseconds expires{};
    };
    asio::awaitable<Confirmed> confirm(Context& context, Caller caller, std::string password);

    // Ends those of an account; how many there were.
    std::size_t end_all(std::string_view account);

    std::size_t size() const { return open_.size(); }
    void sweep(const Context& context);

private:
    struct Session {
        std::string account;
        std::vector<std::string> roles;  // as of its last use: which rule it is under
        crypto::Digest certificate{};
        storage::Milliseconds opened{};
        storage::Milliseconds used{};
    };
    asio::awaitable<Confirmed> try_password(Context& context, Caller caller, boundary::OpenSession said,
                                            std::string action);
    asio::awaitable<Result<Confirmed>> log_in(Context& context, const Caller& caller, boundary::OpenSession said,
                                              std::string action);
    static bool is_over(const Session& session, const policies::PasswordPolicy& rule, storage::Milliseconds now);
    // Counts it; the one that makes it spraying has a leaf of its own.
    asio::awaitable<void> count_failure(Context& context, const Caller& caller);
    std::string begin(Context& context, const Principal& principal);

    std::map<crypto::Digest, Session> open_;  // by SHA-256 of the token
    std::set<std::string> under_way_;         // accounts whose password is being worked on
    PasswordSpraying spraying_;
};

}  // namespace xinfu::vault
