// Answers that several use cases give alike.
//
// Threads: the vault's `io`.
#pragma once

#include <string>
#include <vector>

#include "daemon/vault/exchange.hpp"
#include "storage/leaf.hpp"

namespace xinfu::vault {

// One last reply, whether it arrives or not.
asio::awaitable<void> answer(ExchangePointer exchange, boundary::GatewayReply reply);
// One reply each, and a last one without content of `last`'s kind, so that none is an answer too.
asio::awaitable<void> answer_each(ExchangePointer exchange, std::vector<boundary::GatewayReply> replies,
                                  boundary::GatewayReply last);
// A refusal with a leaf of its own, which says of what.
asio::awaitable<void> refuse_act(Context& context, ExchangePointer exchange, boundary::Problem why, std::string action,
                                 storage::LeafObject object);

}  // namespace xinfu::vault
