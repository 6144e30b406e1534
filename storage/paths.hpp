// Paths: which ways data may take, as they were approved, and what the last look at them found.
//
// Format:  storage/account_rows.proto; Table::meta, "paths/approved" and "paths/check".
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <optional>

#include "storage/account_rows.pb.h"
#include "storage/engine.hpp"

namespace xinfu::storage {

// Absent: the node never started.
Result<std::optional<rows::ApprovedPaths>> find_approved_paths(const ReadTransaction& transaction);
Result<void> put_approved_paths(WriteTransaction& transaction, const rows::ApprovedPaths& row);

// Absent: nobody looked yet.
Result<std::optional<rows::PathsCheck>> find_paths_check(const ReadTransaction& transaction);
Result<void> put_paths_check(WriteTransaction& transaction, const rows::PathsCheck& row);

}  // namespace xinfu::storage
