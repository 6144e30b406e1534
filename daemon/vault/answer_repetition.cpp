// What is there already: a file or parcel that comes again is answered by the state of the first.
#include <algorithm>
#include <string>
#include <utility>

#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/exchange.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {

using storage::rows::Submission;
using Outcome = boundary::SubmissionOutcome;

auto CommitSubmission::answer_repetition(storage::Batch& batch, const Candidate& candidate, Decision& decision) const
    -> Result<Step> {
    if (candidate.check_only) {
        return Step::go_on;
    }
    if (candidate.parcel) {
        return answer_parcel_repetition(batch, candidate, decision);
    }
    if (!candidate.content_digest) {
        return Step::go_on;  // nobody's content: it can only be refused
    }
    const auto& transaction = batch.transaction();
    const auto holder = storage::find_name(transaction, context_.keys.index(), candidate.unit,
                                           candidate.catalog->name(), candidate.name);
    if (!holder) {
        return holder.error();
    }
    if (!*holder) {
        return Step::go_on;
    }
    const auto row = storage::find_submission(transaction, **holder);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return make_error_code(storage::Errc::corrupt);
    }
    const bool same = std::ranges::equal(as_bytes((*row)->content_digest()), *candidate.content_digest) &&
                      (*row)->account() == candidate.caller.principal.account;
    const auto answered = same ? repeat(batch, candidate, **holder, decision)
                               : refuse(batch, candidate, problem("XF-5001"), false, decision);
    return answered ? Result<Step>(Step::answered) : Result<Step>(answered.error());
}

auto CommitSubmission::answer_parcel_repetition(storage::Batch& batch, const Candidate& candidate,
                                                Decision& decision) const -> Result<Step> {
    const auto& transaction = batch.transaction();
    const auto taken = storage::find_incoming(transaction, *candidate.parcel);
    if (!taken) {
        return taken.error();
    }
    const auto fit = storage::judge_incoming(transaction, *candidate.parcel, candidate.caller.principal.account);
    if (!fit) {
        return fit.error();
    }
    if (*fit == storage::IncomingFit::other_account) {
        const auto refused = refuse(batch, candidate, problem("XF-7005"), false, decision);
        return refused ? Result<Step>(Step::answered) : Result<Step>(refused.error());
    }
    if (*fit == storage::IncomingFit::beyond_window) {
        const auto route =
            storage::find_incoming_route(transaction, candidate.parcel->node(), candidate.parcel->route());
        const std::uint64_t next = route && *route ? (*route)->next_sequence() : 1;
        decision.problem = problem("XF-7001", {std::to_string(candidate.parcel->sequence()), std::to_string(next)}, 30);
        return Step::answered;
    }
    if (!*taken) {
        return Step::go_on;
    }
    if (!std::ranges::equal(as_bytes((*taken)->original_digest()), candidate.body_digest)) {
        const auto refused = refuse(batch, candidate, problem("XF-7002"), false, decision);
        return refused ? Result<Step>(Step::answered) : Result<Step>(refused.error());
    }
    const auto id = storage::submission_id_from_bytes(as_bytes((*taken)->submission()));
    if (!id) {
        return make_error_code(storage::Errc::corrupt);
    }
    const auto repeated = repeat(batch, candidate, *id, decision);
    return repeated ? Result<Step>(Step::answered) : Result<Step>(repeated.error());
}

// Answers by the state of what is there already. To answer is to read a receipt, and reading leaves a leaf.
Result<void> CommitSubmission::repeat(storage::Batch& batch, const Candidate& candidate,
                                      const storage::SubmissionId& id, Decision& decision) const {
    const auto found = storage::find_submission(batch.transaction(), id);
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return storage::Errc::corrupt;
    }
    const Submission& row = **found;
    switch (row.state()) {
        case Submission::PENDING: decision.kind = Outcome::PENDING; break;
        case Submission::REFUSED: decision.kind = Outcome::REFUSED; break;
        default: decision.kind = Outcome::REPEATED; break;
    }
    decision.id = id;
    decision.leaf = row.leaf();
    decision.counts.set_records(row.counts().records());
    decision.counts.set_stored(row.counts().stored());
    decision.counts.set_duplicate(row.counts().duplicate());
    decision.counts.set_defective(row.counts().defective());
    decision.counts.set_warned(row.counts().warned());
    decision.defects_total = row.defects_total();
    decision.warnings_total = row.warnings_total();
    decision.defects.clear();
    if (row.state() == Submission::REFUSED) {
        decision.problem =
            problem(row.reason().code(), {row.reason().arguments().begin(), row.reason().arguments().end()});
    }
    const auto collect = [&decision](const storage::rows::Defect& defect) {
        boundary::Defect told;
        told.set_line(defect.line());
        told.set_field(defect.field());
        told.set_code(defect.code());
        told.set_severity(defect.warning() ? boundary::SEVERITY_WARNING : boundary::SEVERITY_ERROR);
        *told.mutable_arguments() = defect.arguments();
        told.set_masked_value(defect.masked_value());
        decision.defects.push_back(std::move(told));
        return decision.defects.size() < 1000;
    };
    if (const auto visited = storage::visit_defects(batch.transaction(), id, collect); !visited) {
        return visited.error();
    }
    storage::Leaf reading = leaf_of(candidate.caller, "read_receipt");
    reading.result = "done";
    reading.catalog = candidate.catalog->name();
    reading.object = {"submission", storage::to_text(id), std::nullopt, std::nullopt};
    context_.leaves.append(batch, reading);
    return {};
}

}  // namespace xinfu::vault
