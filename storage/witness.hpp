// Witness rows: what this node co-signed of other nodes' logs, and what witnesses co-signed of its own.
//
// Format:  storage/log_rows.proto; C2SP tlog-witness, tlog-cosignature.
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <optional>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/ledger.hpp"
#include "storage/log_rows.pb.h"

namespace xinfu::storage {

Result<std::optional<rows::WitnessedLog>> find_witnessed_log(const ReadTransaction& transaction,
                                                             std::string_view origin);
Result<void> put_witnessed_log(WriteTransaction& transaction, std::string_view origin, const rows::WitnessedLog& row);

// `witness` is the name of its key.
Result<std::optional<rows::Cosignature>> find_cosignature(const ReadTransaction& transaction, std::string_view witness);
Result<void> put_cosignature(WriteTransaction& transaction, std::string_view witness, const rows::Cosignature& row);

// A witness had other history of this log. Stays until a witness signs what is here.
Result<std::optional<rows::RolledBack>> find_rolled_back(const ReadTransaction& transaction);
Result<void> put_rolled_back(WriteTransaction& transaction, const rows::RolledBack& row);
Result<void> erase_rolled_back(WriteTransaction& transaction);

// The largest of this log's checkpoints that a witness co-signed; absent: none did yet.
Result<std::optional<Committed>> newest_cosigned(const ReadTransaction& transaction);

}  // namespace xinfu::storage
