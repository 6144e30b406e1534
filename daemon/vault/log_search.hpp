// LogSearch: leaves of this node's log by what they say, for those who may read them; a page at a time, newest first.
// Each page is itself a leaf, before it leaves: what was asked for is its purpose, so sealed and digested like one.
//
// Format:  docs/formats/log.md, "Search".
// Threads: the vault's `io`; looking runs on a worker.
// Errors:  problems XF-1130 (a term that can be none), XF-2007 (subject); each refusal has its leaf.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/vault/exchange.hpp"
#include "storage/log_index.hpp"

namespace xinfu::vault {

class LogIndexer;

inline constexpr std::uint32_t kLogPageMax = 200;

asio::awaitable<void> search_log(Context& context, LogIndexer& indexer, ExchangePointer exchange);

// A leaf with its number and the texts kept beside it, as JSON. A person's number is masked.
std::string describe_found(const storage::LogPage::Found& found);

// A day in Asia/Shanghai ("2026-01-31": its first moment, or with `last` its last one), or RFC 3339's date-time.
std::optional<storage::Milliseconds> parse_search_time(std::string_view text, bool last);

}  // namespace xinfu::vault
