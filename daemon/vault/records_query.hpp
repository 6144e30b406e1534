// Records query: the current records of one subject, for a stated purpose. Audited before the answer leaves; that
// nothing was found is evidence too, and has its receipt.
//
// Threads: the vault's `io`.
// Errors:  problems XF-2003, XF-2006 (purpose), XF-2007 (subject), XF-2027 (unmasking); each refusal has its leaf.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

// Records given out for one query; a subject with more gets the newest of them.
inline constexpr std::size_t kQueryRecordsMax = 1000;

asio::awaitable<void> query_records(Context& context, ExchangePointer exchange);

// The subject as records are indexed under it; absent when it can be none.
std::optional<std::string> normalised_subject(std::string_view text);

}  // namespace xinfu::vault
