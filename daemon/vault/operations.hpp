// Operations: corrections and withdrawals of records that are there. Each names a record, the version it replaces and
// why; what was stored stays, and what is asked for afterwards is the newest version. The identity stays claimed, and
// the claim's digest follows the newest version: the same bytes handed in again are a duplicate, old ones are not.
//
// Only the unit whose record it is may change it. At upper levels the record is found by the first node's submission
// and line, or by its identity where that file's record came here with another one.
//
// Threads: inside an operation of the ledger; judge_operations() also on a snapshot.
// Errors:  storage::Errc; crypto errors for a key that does not unwrap.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/boundary/common.pb.h"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/record_reader.hpp"
#include "daemon/vault/report_term.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {

// Changes in one file: they are all judged by its commit.
inline constexpr std::size_t kOperationsMax = 2000;
inline constexpr std::size_t kOperationsSizeBytesMax = std::size_t{16} << 20;

// One change that will be made.
struct Change {
    std::size_t record = 0;  // index among the judged
    crypto::Digest identity{};
    storage::RecordPlace first;     // where the claim says
    storage::RecordPlace current;   // of the version to be replaced
    std::string subject;            // of that version
    crypto::Digest digest{};        // of that version
    std::int64_t time_ms = 0;       // of that version
    ReportTerm term;                // of the first report, which a correction does not change
    std::uint64_t version = 0;      // what it becomes
    storage::SubmissionId named{};  // the record's name: submission as the first node calls it, and line
    std::uint64_t named_line = 0;
};

struct JudgedOperations {
    std::vector<Change> changes;
    std::vector<boundary::Defect> defects;   // of those that cannot be made
    std::vector<boundary::Defect> warnings;  // of those that were made already
    std::uint64_t repeated = 0;
    bool ahead = false;  // one is about a record or version that may still be on its way
};

struct OperationsScope {
    const Keys& keys;
    std::string_view catalog;
    std::string_view unit;  // whose file it is
};

// Changes nothing.
Result<JudgedOperations> judge_operations(const storage::ReadTransaction& transaction, const OperationsScope& scope,
                                          std::span<const PreparedRecord> records);

// Makes them: writes the versions into blocks of `self` from `next_block` on, which moves.
Result<void> apply_operations(storage::WriteTransaction& transaction, const OperationsScope& scope,
                              const storage::RecordSealer& sealer, const storage::SubmissionId& self,
                              std::int64_t time_ms, std::span<const PreparedRecord> records,
                              const JudgedOperations& judged, std::uint32_t& next_block);

}  // namespace xinfu::vault
