// Submission views: what became of a file, for those who may know. Whoever asks for another unit's submission gets the
// answer of one that does not exist. Each reading has its leaf before the answer leaves.
//
// Threads: the vault's `io`.
#pragma once

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

asio::awaitable<void> get_submission(Context& context, ExchangePointer exchange);
asio::awaitable<void> get_receipt(Context& context, ExchangePointer exchange);
asio::awaitable<void> get_defects(Context& context, ExchangePointer exchange);
asio::awaitable<void> get_original(Context& context, ExchangePointer exchange);
// A platform's own route to this node: what it should send next and what is missing.
asio::awaitable<void> get_route(Context& context, ExchangePointer exchange);

}  // namespace xinfu::vault
