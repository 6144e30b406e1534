// SubmissionDifferences: what a file that waits would change, for whoever decides on it: figures of new records, and
// what becomes of each record that is changed, field by field, masked.
//
// Threads: functions on a transaction.
// Errors:  storage::Errc; crypto errors for a key that does not unwrap.
#pragma once

#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault {

// Adds them to the view, as many as fit an answer.
Result<void> describe_submission(const storage::ReadTransaction& transaction, const Keys& keys,
                                 const PolicySet& policies, const storage::SubmissionId& id,
                                 boundary::RequestView& view);

}  // namespace xinfu::vault
