// RecordTrace: everything that this node knows of one record, by its name: the files that brought and changed it, who
// signed them, what approved of them, how far they went, and the receipt of every leaf about them, so that whoever
// reads it need not believe it. Requirement AUD-06. No field of the record is in it.
//
// Format:  docs/formats/log.md, "Trace".
// Threads: the vault's `io`; gathering runs on a worker.
// Errors:  problems XF-2005 (no such file, or not for this account), XF-1131 (no such record in it); each refusal has
//          its leaf.
#pragma once

#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

class LogIndexer;

asio::awaitable<void> trace_record(Context& context, LogIndexer& indexer, ExchangePointer exchange);

}  // namespace xinfu::vault
