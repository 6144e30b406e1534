// CatalogService: which catalogs there are and what one asks for, as an inspector read it from the active packs.
//
// Threads: the vault's `io`.
#pragma once

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

asio::awaitable<void> list_catalogs(Context& context, ExchangePointer exchange);
asio::awaitable<void> get_catalog(Context& context, ExchangePointer exchange);
// The packs in force, and the text of one of them.
asio::awaitable<void> list_policies(Context& context, ExchangePointer exchange);
asio::awaitable<void> get_policy(Context& context, ExchangePointer exchange);

}  // namespace xinfu::vault
