// AccountsService: who is enrolled, and the end of an account: its owner leaves, or must not act any more. Opening and
// changing accounts needs others' approval (requests.hpp); ending one does not, since it only takes away.
//
// Threads: the vault's `io`.
#pragma once

#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/ended_connections.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/handles.hpp"
#include "daemon/vault/revocation.hpp"
#include "daemon/vault/sessions.hpp"
#include "storage/accounts.hpp"

namespace xinfu::vault {

class AccountsService {
public:
    // All outlive it.
    AccountsService(Context& context, Handles& handles, Sessions& sessions, const Revocations& revocations,
                    EndedConnections& ended)
        : context_(context), handles_(handles), sessions_(sessions), revocations_(revocations), ended_(ended) {}

    std::function<void()> on_leftovers;  // a file that waited was refused

    asio::awaitable<void> list(ExchangePointer exchange);
    asio::awaitable<void> get(ExchangePointer exchange);
    // In one transaction the account is disabled and its open requests are void; then its sessions and connections
    // end. Answers the clearance slip. A second time: the same slip with nothing left to end.
    asio::awaitable<void> disable(ExchangePointer exchange);

private:
    Result<boundary::AccountView> view(const PolicySet& policies, const storage::ReadTransaction& transaction,
                                       const storage::Account& account, bool whole) const;

    Context& context_;
    Handles& handles_;
    Sessions& sessions_;
    const Revocations& revocations_;
    EndedConnections& ended_;
};

}  // namespace xinfu::vault
