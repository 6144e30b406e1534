// Files that wait until others approve of them: the catalog says which (`approvals` of its pack). Until then such a
// file is stored, its name is taken, its records are seen by nobody; the request for it has the submission's own id.
//
// A file is approved of as it was handed in, wholly or not at all: by the catalog version that judged it, against what
// is committed at the moment of the last approval. A parcel never waits: it was approved of where it was handed in.
//
// Threads: ApprovedFiles: the vault's `io`; the functions inside an operation of the ledger.
// Errors:  storage and crypto errors; why a file cannot be accepted is a problem, not an error.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {

// The request with which a file waits. Precondition: the policies have a rule for its act.
storage::rows::ApprovalRequest approval_request(const Candidate& candidate, std::string_view node, std::string_view act,
                                                const storage::rows::Submission& row);
// As it is shown and as its digest is made: canonical JSON.
std::string submission_change_json(const storage::rows::SubmissionChange& change, std::string_view act,
                                   std::string_view node);

// What was asked of records that wait, as rows of blocks and back.
void append_asked(const PreparedRecord& record, storage::rows::RecordBlock& block);
Result<std::vector<PreparedRecord>> read_asked(const storage::ReadTransaction& transaction,
                                               const storage::RecordSealer& sealer, ByteView index_key,
                                               const storage::SubmissionId& id, const storage::rows::Submission& row);

// Refuses a file that waits, with a leaf of whoever `by` names; its name is free again, its original goes. False: it
// did not wait any more, and nothing happened. `defects`: why, of single records.
Result<bool> refuse_pending(storage::Batch& batch, const storage::LeafWriter& leaves, ByteView index_key,
                            const storage::SubmissionId& id, storage::Leaf by, const boundary::Problem& why,
                            const std::vector<boundary::Defect>& defects);

class ApprovedFiles {
public:
    // All outlive it.
    ApprovedFiles(Context& context, const NodeCertificates& certificates)
        : context_(context), certificates_(certificates) {}

    std::function<void()> on_parcels;    // some were made
    std::function<void()> on_leftovers;  // there is something to sweep

    // All that accepting the file takes and a commit has no time for: its digest's state, the keys of its parcels, and
    // what other files overtook. Reads the whole original once.
    asio::awaitable<Result<std::variant<std::shared_ptr<const Candidate>, boundary::Problem>>> prepare(
        storage::SubmissionId id);
    CommitSubmission commit() const { return CommitSubmission(context_, certificates_); }

    // Ends the requests that nobody decided in time, and refuses the files among them (XF-5033).
    asio::awaitable<Result<void>> expire();

private:
    Result<std::variant<std::shared_ptr<Candidate>, boundary::Problem>> read(const storage::SubmissionId& id) const;
    asio::awaitable<Result<bool>> settle_clashes(std::shared_ptr<const Candidate> candidate);

    Context& context_;
    const NodeCertificates& certificates_;
};

}  // namespace xinfu::vault
