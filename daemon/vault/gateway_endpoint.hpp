// GatewayEndpoint: the vault's end of the gateway's requests. One table says which request may come in which state,
// which act it is, and who handles it; whatever is not in the table closes the gateway's connection.
//
// Every request is looked at anew: the handle's certificate and account, a person's session, the roles. Only then a
// use case sees it. Every refusal has its leaf.
//
// Threads: the vault's `io`.
// Trust:   the gateway speaks with the network and may be owned. It can misuse connections that are open, and say
//          nonsense, which ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/accounts_service.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/budgets.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/feeds.hpp"
#include "daemon/vault/handles.hpp"
#include "daemon/vault/paths.hpp"
#include "daemon/vault/requests.hpp"
#include "daemon/vault/revocation.hpp"
#include "daemon/vault/sessions.hpp"
#include "daemon/vault/uploads.hpp"
#include "daemon/vault/witness.hpp"

namespace xinfu::vault {

class LogIndexer;

// What the endpoint needs beside the context, and the use cases that are objects.
struct GatewayServices {
    Context& context;
    Handles& handles;
    const Revocations& revocations;
    Sessions& sessions;
    Budgets& budgets;
    // Takes a submission or a check: answers it, whatever becomes of it.
    std::function<asio::awaitable<void>(ExchangePointer)> accept_submission;
    Uploads& uploads;
    Requests& requests;
    AccountsService& accounts;
    EndedConnections& ended;
    Paths& paths;
    Feeds& feeds;
    Witness& witness;
    // Why nothing may be taken or shown just now; empty: nothing stands against it.
    std::function<std::optional<boundary::Problem>()> objection;
    LogIndexer& log_indexer;
    std::function<boundary::StatusView()> status;
    std::function<bool()> ready;
    std::function<bool()> draining;
    NodeCompleteness completeness = {};
};

class GatewayEndpoint {
public:
    // Requests of one connection in hand at one time; further ones are told to come back.
    static constexpr std::size_t kInHandMax = 4096;

    GatewayEndpoint(GatewayServices& services, std::shared_ptr<boundary::PacketChannel> channel, std::uint64_t link);
    ~GatewayEndpoint();

    // Serves until the connection ends; answers why it did. `unexpected` and `malformed` are the gateway's fault.
    // Use cases under way go on: their exchanges say that nobody listens.
    asio::awaitable<boost::system::error_code> serve();
    void close();

    struct State;

private:
    std::shared_ptr<State> state_;
};

// A process did what it must not: one leaf (counted), and a line in the log.
void record_boundary_fault(Context& context, std::string process, boost::system::error_code why);

// A proof that led nowhere, as a leaf. From any thread.
void record_refused_connection(Context& context, std::string account, std::string code, std::string claimed,
                               std::string source, std::uint64_t times);

}  // namespace xinfu::vault
