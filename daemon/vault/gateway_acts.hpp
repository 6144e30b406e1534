// GatewayActs: what the gateway may ask of the vault: one row for each request, with what must be known of the asker,
// the act as the access pack and the log call it, and who handles it.
//
// Threads: a constant; handlers run on the vault's `io`.
#pragma once

#include <string>
#include <string_view>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/gateway_endpoint.hpp"

namespace xinfu::vault {

// What must be known of the asker before a request is handled.
enum class Needs {
    nothing,   // no handle at all: the gateway itself asks
    identity,  // a principal in good standing
    session,   // and, for persons, a session
};

// How a reading leaves its leaf: by its use case, or once for each connection here, before it is handled.
enum class Leaves { by_use_case, once };

using Handler = asio::awaitable<void> (*)(GatewayServices&, ExchangePointer);

struct GatewayAct {
    boundary::GatewayRequest::BodyCase asks;
    Needs needs;
    std::string_view verb;    // of the access pack; empty: settled by the use case
    std::string_view action;  // of leaves
    Leaves leaves;
    std::string_view kind;  // with Leaves::once
    Handler handler;
};

// Null: nobody handles it.
const GatewayAct* find_act(const boundary::GatewayRequest& request);
// Sizes that no honest gateway exceeds: it checks them itself.
bool is_well_formed(const boundary::GatewayRequest& request, const GatewayAct& act);
// The act of a request, as the access pack calls it; empty: settled by the use case.
std::string_view verb_of(const boundary::GatewayRequest& request, const GatewayAct& act, const Principal& principal);
std::string catalog_of(const boundary::GatewayRequest& request);  // empty: none's

}  // namespace xinfu::vault
