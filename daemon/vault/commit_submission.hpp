// CommitSubmission: the commit point of a file. Everything that was found out about it so far is looked at once more
// against what is committed by now, and then either all of it happens or none: visibility, name, records, feed
// positions, parcels with their numbers, the audit leaf.
//
// Threads: apply() runs on the ledger's thread and may run again; it overwrites its decision and keeps nothing else.
// Errors:  storage and crypto errors fail the operation. A refusal is a decision, not an error.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/envelope_key.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/claims.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/operations.hpp"
#include "daemon/vault/record_reader.hpp"
#include "daemon/vault/report_term.hpp"
#include "policies/quality.hpp"
#include "storage/parcels.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {

// Defects kept of one file; the totals count on.
inline constexpr std::size_t kDefectsKeptMax = 10000;

// Files of one account that may wait for approvals at one time; further ones come again later (XF-2023).
inline constexpr std::size_t kWaitingFilesMax = 500;

// What is known of a file when its inspection is over.
struct Candidate {
    storage::SubmissionId id{};
    Caller caller;
    std::shared_ptr<const PolicySet> policies;
    const boundary::CatalogDescription* catalog = nullptr;      // inside `policies`; of the version that judged it
    std::vector<const boundary::CatalogDescription*> versions;  // those that it may follow, `catalog` the first of them
    std::string name;
    bool check_only = false;
    std::uint32_t today = 0;  // the day of the inspection: days since 1970-01-01 in Asia/Shanghai

    // The body.
    std::uint64_t body_length = 0;
    crypto::Digest body_digest{};
    Bytes body;                        // plain, when small; else
    bool object = false;               // it is a finished object of the submission's id
    std::uint64_t stored_length = 0;   // of the body, or of the package when the body is an envelope
    bool armoured = false;             // `body` is PEM text
    bool enveloped = false;            // what is stored is the package
    std::uint64_t package_length = 0;  // of the CMS in it
    crypto::Sha256 package_state;      // over that CMS
    std::shared_ptr<const storage::RecordSealer> sealer;
    Bytes wrapped_key;  // the data key under the unit's key; empty while no unit is known

    // The signature: set once it is verified.
    std::optional<crypto::Digest> content_digest;
    crypto::Digest certificate{};
    Bytes certificate_left_out;  // DER, where the department's CMS does not embed it
    std::string unit;            // whose file it is; for a parcel its manifest's, once that is verified

    // What was found. `problem` refuses the file as a whole, whatever its records are.
    std::optional<boundary::Problem> problem;
    std::uint64_t rows = 0;
    std::uint64_t defective = 0;
    std::uint64_t warned = 0;
    std::uint64_t defects_total = 0;
    std::uint64_t warnings_total = 0;
    std::vector<boundary::Defect> defects;

    // For the figures of quality: what is wrong with the records by themselves, not with how they fit what is stored.
    policies::QualityCounts quality;
    std::uint64_t defective_themselves = 0;
    TermCounts staged_terms;  // of records staged as new

    // Its records: those staged in earlier operations, and the rest.
    bool staged = false;
    std::uint32_t staged_blocks = 0;
    std::uint64_t staged_stored = 0;
    std::uint64_t staged_duplicates = 0;
    std::vector<PreparedRecord> records;
    bool operations = false;  // they change records that are there; never staged
    crypto::Digest records_digest{};

    // Where the department's CMS lies in the package, and the digest's state over it, to be continued by manifests.
    std::uint64_t original_offset = 0;
    std::uint64_t original_length = 0;
    crypto::Digest original_digest{};
    crypto::Sha256 original_state;

    // By route: made before the commit, which holds up everybody. A commit that is tried again takes them again, since
    // nothing was encrypted under them.
    std::map<std::string, crypto::EnvelopeKeys, std::less<>> envelopes;

    // Parcels only.
    std::optional<storage::rows::ParcelName> parcel;
    std::optional<boundary::ParcelManifest> manifest;  // once it is verified
};

struct Decision {
    boundary::SubmissionOutcome::Kind kind = boundary::SubmissionOutcome::REFUSED;
    std::optional<storage::SubmissionId> id;  // of the row that tells its state
    std::optional<std::uint64_t> leaf;        // whose receipt is the answer
    std::optional<boundary::Problem> problem;
    boundary::Counts counts;
    std::uint64_t defects_total = 0;
    std::uint64_t warnings_total = 0;
    std::vector<boundary::Defect> defects;  // by line; the stored ones of a repetition are not here
    bool settle_first = false;              // more records were overtaken than one commit takes back; nothing happened
    bool keeps_object = false;              // the object file is named by a committed row
    bool sent_on = false;                   // parcels were made
};

class CommitSubmission {
public:
    CommitSubmission(const Context& context, const NodeCertificates& certificates)
        : context_(context), certificates_(certificates) {}

    Result<void> apply(storage::Batch& batch, const Candidate& candidate, Decision& decision) const;

    // A file that waited, with its last approval (approved_file.hpp makes the candidate).
    struct Approved {
        storage::rows::Submission row;
        Overtaken overtaken;
        JudgedOperations operations;
        std::vector<boundary::Defect> defects;  // what others committed meanwhile leaves no room for
    };
    // A problem: not now, or not any more. Writes nothing.
    Result<std::optional<boundary::Problem>> weigh_approved(const storage::ReadTransaction& transaction,
                                                            const Candidate& candidate, Approved& approved) const;
    // Precondition: weighed in this transaction, and no defects. `by`: who approves, and by which request.
    Result<void> accept_approved(storage::Batch& batch, const Candidate& candidate, storage::Leaf by,
                                 Approved& approved, Decision& decision) const;

private:
    struct Findings;
    enum class Step { go_on, answered };
    Result<Step> recheck(storage::Batch& batch, const Candidate& candidate, Decision& decision) const;
    Result<Step> answer_repetition(storage::Batch& batch, const Candidate& candidate, Decision& decision) const;
    Result<Step> answer_parcel_repetition(storage::Batch& batch, const Candidate& candidate, Decision& decision) const;
    Result<void> repeat(storage::Batch& batch, const Candidate& candidate, const storage::SubmissionId& id,
                        Decision& decision) const;
    Result<Step> weigh(storage::Batch& batch, const Candidate& candidate, Findings& findings, Decision& decision) const;
    Result<Step> weigh_operations(storage::Batch& batch, const Candidate& candidate, Findings& findings,
                                  Decision& decision) const;
    Result<void> refuse(storage::Batch& batch, const Candidate& candidate, boundary::Problem why, bool keep_row,
                        Decision& decision) const;
    Result<void> accept(storage::Batch& batch, const Candidate& candidate, const Findings& findings,
                        Decision& decision) const;
    Result<void> store(storage::Batch& batch, const Candidate& candidate, const Findings& findings,
                       storage::rows::Submission& row, TermCounts& terms) const;
    Result<void> store_asked(storage::Batch& batch, const Candidate& candidate, const JudgedOperations& judged,
                             std::uint32_t& next_block) const;
    Result<void> send_on(storage::Batch& batch, const Candidate& candidate, storage::rows::Submission& row,
                         Decision& decision) const;
    Result<void> take_number(storage::Batch& batch, const Candidate& candidate) const;

    storage::Leaf leaf(const Candidate& candidate, std::string result) const;
    storage::rows::Submission row(const Candidate& candidate, storage::rows::Submission::State state,
                                  const Decision& decision) const;

    const Context& context_;
    const NodeCertificates& certificates_;
};

// Files of this catalog count only once somebody has approved of them.
bool waits_for_approval(const boundary::CatalogDescription& catalog);
// The act that this file has to be approved of as (policies/access.hpp); empty: it does not wait.
std::string_view approval_act(const Candidate& candidate);

// Parts of defects from `part` on; answers the next.
Result<std::uint32_t> put_defects(storage::WriteTransaction& transaction, const storage::SubmissionId& id,
                                  const std::vector<boundary::Defect>& defects, std::uint32_t part);

// Inside a transaction and for receipts alike.
crypto::Digest to_digest(ByteView bytes);  // precondition: 32 bytes

}  // namespace xinfu::vault
