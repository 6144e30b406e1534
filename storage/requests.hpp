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
#include <string_view>

#include "storage/account_rows.pb.h"
#include "storage/engine.hpp"
#include "storage/submissions.hpp"

namespace xinfu::storage {

using RequestId = SubmissionId;  // neighbours in time are neighbours in the store

Result<std::optional<rows::ApprovalRequest>> find_request(const ReadTransaction& transaction, const RequestId& id);
Result<void> put_request(WriteTransaction& transaction, const RequestId& id, const rows::ApprovalRequest& row);
// Those that nobody has decided yet, whether their time is over or not; the newest first, false stops.
Result<void> visit_open_requests(
    const ReadTransaction& transaction,
    const std::function<bool(const RequestId& id, const rows::ApprovalRequest& row)>& visitor);
// How many of them an account has, at most `max`.
Result<std::size_t> count_open_requests(const ReadTransaction& transaction, std::string_view applicant,
                                        std::size_t max);
// Once, for stores of builds that had no list of open requests; afterwards nothing. True: there is something to commit.
Result<bool> list_open_requests(WriteTransaction& transaction);

// All, the newest first; false stops.
Result<void> visit_requests(const ReadTransaction& transaction,
                            const std::function<bool(const RequestId& id, const rows::ApprovalRequest& row)>& visitor);

}  // namespace xinfu::storage
