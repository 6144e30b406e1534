// Requests: acts that happen when others than their applicant approve of them, with what they would change, byte by
// byte.
//
// Format:  docs/FORMATS.md, section on rows; storage/account_rows.proto.
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>

#include "storage/account_rows.pb.h"
#include "storage/engine.hpp"
#include "storage/submissions.hpp"

namespace xinfu::storage {

using RequestId = SubmissionId;  // neighbours in time are neighbours in the store

Result<std::optional<rows::ApprovalRequest>> find_request(const ReadTransaction& transaction, const RequestId& id);
Result<void> put_request(WriteTransaction& transaction, const RequestId& id, const rows::ApprovalRequest& row);
// The newest first; false stops.
Result<void> visit_requests(const ReadTransaction& transaction,
                            const std::function<bool(const RequestId& id, const rows::ApprovalRequest& row)>& visitor);

}  // namespace xinfu::storage
