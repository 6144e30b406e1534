// LogService: the audit log as C2SP tlog-tiles. The endpoint has recorded the reading (one leaf for each connection
// and kind) before these run.
//
// Threads: the vault's `io`.
#pragma once

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

asio::awaitable<void> read_checkpoint(Context& context, ExchangePointer exchange);
// XF-1119 for tiles that no published checkpoint has.
asio::awaitable<void> read_tile(Context& context, ExchangePointer exchange);
asio::awaitable<void> read_entries(Context& context, ExchangePointer exchange);

}  // namespace xinfu::vault
