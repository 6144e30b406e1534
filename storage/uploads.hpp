// Uploads: bodies that come in parts over lines that break, kept sealed until they are whole and handed in, or expire.
//
// Each part is an object of its own (object_store.hpp), written and synced before the commit that names it. The objects
// of an upload are named in Table::objects for as long as its row lives.
//
// Format:  docs/FORMATS.md, section on rows; storage/submission_rows.proto.
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "storage/engine.hpp"
#include "storage/object_store.hpp"
#include "storage/submission_rows.pb.h"
#include "storage/submissions.hpp"

namespace xinfu::storage {

using UploadId = SubmissionId;

Result<std::optional<rows::Upload>> find_upload(const ReadTransaction& transaction, const UploadId& id);
Result<void> put_upload(WriteTransaction& transaction, const UploadId& id, const rows::Upload& row);
// Adds a part that begins where the others end, and names its object.
Result<void> append_upload_part(WriteTransaction& transaction, const UploadId& id, rows::Upload row,
                                const rows::Upload::Part& part, std::int64_t expires_ms);
// The row and the names of its objects; the files are the sweep's.
Result<void> erase_upload(WriteTransaction& transaction, const UploadId& id, const rows::Upload& row);
// In the order of their making; false stops.
Result<void> visit_uploads(const ReadTransaction& transaction,
                           const std::function<bool(const UploadId& id, const rows::Upload& row)>& visitor);

}  // namespace xinfu::storage
