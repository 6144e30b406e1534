// Quality: figures of what units hand in: counted at the commit point of each file, read as a report for one month.
//
// Sources: CHK-03, CHK-04, OPS-03; definitions: docs/QUALITY.md.
// Threads: count_file() inside an operation of the ledger; read_quality() on the vault's `io`; the rest anywhere.
// Errors:  storage::Errc; read_quality() answers them.
#pragma once

#include <string>

#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/quality.hpp"

namespace xinfu::vault {

storage::Month month_of(storage::Milliseconds time);
std::string to_text(storage::Month month);  // "2026-11"

// Adds a file's figures to those of the month in which it was decided on. `late`: of the records it stored.
Result<void> count_file(storage::Batch& batch, const Candidate& candidate, const Decision& decision,
                        const TermCounts::Late& late);
// The same of a file that waits: kept until it is decided on, and counted then, in that month.
storage::rows::Quality figures_of(const Candidate& candidate, const Decision& decision, const TermCounts::Late& late);
// Precondition: the row's counts are what it came to.
Result<void> count_decided_file(storage::Batch& batch, const storage::rows::Submission& row);

// The figures of a month, of units whose affairs the caller may see: canonical JSON, and a receipt of the leaf that
// says its digest.
asio::awaitable<void> read_quality(Context& context, ExchangePointer exchange);

// Samples for /metrics: rates of the current month and which of them miss their targets, for each unit and catalog.
Result<void> fill_quality(const Context& context, boundary::MetricsView& view);

}  // namespace xinfu::vault
