// Sessions: a person's second factor. A password opens a session, whose token works only together with the
// certificate that opened it; without a session a person may do nothing but open one.
//
// The password given at the first login becomes the password. After five wrong ones the account is locked for half
// an hour, also across restarts. Sessions themselves live in memory: after a restart a person logs in again.
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

#include "crypto/digest.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

class Sessions {
public:
    static constexpr std::chrono::minutes kIdle{30};
    static constexpr std::chrono::hours kLongest{12};
    static constexpr std::uint32_t kFailuresMax = 5;
    static constexpr std::chrono::minutes kLocked{30};
    static constexpr std::size_t kPasswordCharactersMin = 8;
    static constexpr std::size_t kPasswordBytesMax = 1024;
    static constexpr std::size_t kPerAccountMax = 16;  // the oldest gives way
    static constexpr std::size_t kUnderWayMax = 16;    // logins waiting for a worker; beyond: busy

    // Answers OpenSession. One leaf for every outcome (wrong passwords: counted).
    asio::awaitable<void> open(Context& context, ExchangePointer exchange);
    // Answers CloseSession.
    asio::awaitable<void> close(Context& context, ExchangePointer exchange);

    // Absent: the token is this principal's and its idle time begins anew. Else XF-1006 or XF-1016.
    std::optional<boundary::Problem> check(const Principal& principal, std::string_view token,
                                           storage::Milliseconds now);

    // The password typed again, for one act. Absent: it is right, which has its leaf; wrong ones count as at a login.
    // `recorded`: the refusal has its leaf.
    struct Confirmed {
        std::optional<boundary::Problem> problem;
        bool recorded = false;
    };
    asio::awaitable<Confirmed> confirm(Context& context, Caller caller, std::string password);

    // Ends those of an account; how many there were.
    std::size_t end_all(std::string_view account);

    std::size_t size() const { return open_.size(); }
    void sweep(storage::Milliseconds now);

private:
    struct Session {
        std::string account;
        crypto::Digest certificate{};
        storage::Milliseconds opened{};
        storage::Milliseconds used{};
    };
    asio::awaitable<Confirmed> try_password(Context& context, Caller caller, boundary::OpenSession said,
                                            std::string action);
    asio::awaitable<Result<Confirmed>> log_in(Context& context, const Caller& caller, boundary::OpenSession said,
                                              std::string action);
    static bool is_over(const Session& session, storage::Milliseconds now);
    std::string begin(Context& context, const Principal& principal);

    std::map<crypto::Digest, Session> open_;  // by SHA-256 of the token
    std::set<std::string> under_way_;         // accounts whose password is being worked on
};

}  // namespace xinfu::vault
