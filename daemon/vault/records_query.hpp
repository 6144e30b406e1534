// Records query: the current records of one subject, for a stated purpose. Audited before the answer leaves; that
// nothing was found is evidence too, and has its receipt.
//
// Threads: the vault's `io`.
// Errors:  problems XF-2003, XF-2006 (purpose), XF-2007 (subject); each refusal has its leaf.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

// Records given out for one query; a subject with more gets the newest of them.
inline constexpr std::size_t kQueryRecordsMax = 1000;

asio::awaitable<void> query_records(Context& context, ExchangePointer exchange);

// A canonical record with its personal fields masked by the catalog's rules. `canonical` is the vault's own text: an
// object of strings. Empty when it is not. `mask` answers a field's value as it may be shown.
using MaskField = std::function<std::string(std::string_view field, std::string_view value,
                                            const std::function<std::string_view(std::string_view)>& value_of)>;
std::string mask_record(std::string_view canonical, const MaskField& mask);

}  // namespace xinfu::vault
