// What becomes of a file that waits: it counts from the last approval on, or it is refused.
#include <algorithm>
#include <utility>

#include "daemon/vault/approved_file.hpp"
#include "daemon/vault/backlog.hpp"
#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/quality.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using boundary::Problem;
using storage::rows::Submission;

constexpr std::size_t kNotesSweptMax = 10000;  // with the commit; the rest is swept behind it

boundary::Defect overtaken_defect(std::uint64_t line) {
    boundary::Defect defect;
    defect.set_line(line);
    defect.set_code("XF-5003");
    return defect;
}

storage::LeafCounts to_leaf(const storage::rows::Counts& counts) {
    return {counts.records(), counts.stored(), counts.duplicate(), counts.defective(), counts.warned()};
}

storage::Leaf leaf_about(storage::Leaf leaf, const storage::SubmissionId& id, const Submission& row,
                         std::string result) {
    leaf.action = "decide_submission";
    leaf.result = std::move(result);
    leaf.catalog = row.catalog();
    leaf.object = {"submission", storage::to_text(id), to_digest(as_bytes(row.body_digest())),
                   to_digest(as_bytes(row.content_digest()))};
    leaf.counts = to_leaf(row.counts());
    return leaf;
}

Result<std::optional<Submission>> find_pending(const storage::ReadTransaction& transaction,
                                               const storage::SubmissionId& id) {
    auto row = storage::find_submission(transaction, id);
    if (!row) {
        return row.error();
    }
    if (*row && (*row)->state() != Submission::PENDING) {
        row->reset();
    }
    return row;
}

}  // namespace

// What the file comes to against everything that is committed by now. Writes nothing.
Result<std::optional<Problem>> CommitSubmission::weigh_approved(const storage::ReadTransaction& transaction,
                                                                const Candidate& candidate, Approved& approved) const {
    using Answer = std::optional<Problem>;
    approved = {};
    auto row = find_pending(transaction, candidate.id);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return Answer{problem("XF-2021")};
    }
    approved.row = std::move(**row);
    auto backlog = backlog_refusal(context_, transaction);
    if (!backlog || *backlog) {
        return backlog;
    }
    if (approved.row.changes_records()) {
        auto judged = judge_operations(transaction, {context_.keys, approved.row.catalog(), approved.row.unit()},
                                       candidate.records);
        if (!judged) {
            return judged.error();
        }
        approved.operations = std::move(*judged);
        approved.defects = approved.operations.defects;
        return Answer{};
    }
    auto overtaken = look_at_clashes(transaction, candidate.id);
    if (!overtaken) {
        return overtaken.error();
    }
    if (overtaken->more && overtaken->known_otherwise.empty()) {
        return Answer{problem("XF-5006")};  // other files came since it was prepared: the same again is safe
    }
    approved.overtaken = std::move(*overtaken);
    for (const std::uint32_t slot : approved.overtaken.known_otherwise) {
        const auto record = storage::find_record(transaction, *candidate.sealer, candidate.id, slot);
        if (!record) {
            return record.error();
        }
        approved.defects.push_back(overtaken_defect(*record ? (*record)->line() : 0));
    }
    std::ranges::stable_sort(approved.defects, {}, &boundary::Defect::line);
    return Answer{};
}

Result<void> CommitSubmission::accept_approved(storage::Batch& batch, const Candidate& candidate, storage::Leaf by,
                                               Approved& approved, Decision& decision) const {
    auto& transaction = batch.transaction();
    Submission& row = approved.row;
    auto& counts = *row.mutable_counts();
    std::uint32_t next_block = 0;
    if (row.changes_records()) {
        counts.set_stored(approved.operations.changes.size());
        counts.set_duplicate(counts.duplicate() + approved.operations.repeated);
    } else {
        const auto duplicates = approved.overtaken.duplicates.size();
        counts.set_stored(counts.stored() - duplicates);
        counts.set_duplicate(counts.duplicate() + duplicates);
    }
    row.set_state(Submission::ACCEPTED);
    row.set_leaf(context_.leaves.append(batch, leaf_about(std::move(by), candidate.id, row, "accepted")));
    row.set_time_ms(batch.time().time_since_epoch().count());
    decision.leaf = row.leaf();
    decision.id = candidate.id;
    decision.kind = boundary::SubmissionOutcome::CREATED;
    decision.counts.set_records(counts.records());
    decision.counts.set_stored(counts.stored());
    decision.counts.set_duplicate(counts.duplicate());
    decision.counts.set_defective(counts.defective());
    decision.counts.set_warned(counts.warned());
    if (row.changes_records()) {
        // Each version takes the place of the row that asked for it.
        const auto applied =
            apply_operations(transaction, {context_.keys, row.catalog(), row.unit()}, *candidate.sealer, candidate.id,
                             row.time_ms(), candidate.records, approved.operations, next_block);
        if (!applied) {
            return applied.error();
        }
        for (std::uint32_t block = next_block; block < row.blocks(); ++block) {
            if (const auto erased = storage::erase_record_block(transaction, candidate.id, block); !erased) {
                return erased.error();
            }
        }
        row.set_blocks(next_block);
    } else {
        TermCounts terms;  // counted on the day it was handed in
        const auto taken = take_back(transaction, context_.keys.index(), row.catalog(), *candidate.sealer, candidate.id,
                                     approved.overtaken, terms);
        if (!taken) {
            return taken.error();
        }
        const auto swept = storage::sweep_notes(transaction, candidate.id, kNotesSweptMax);
        if (!swept) {
            return swept.error();
        }
    }
    if (counts.stored() > 0) {
        const auto range = storage::append_feed(transaction, row.catalog(), candidate.id, counts.stored());
        if (!range) {
            return range.error();
        }
    }
    if (const auto sent = send_on(batch, candidate, row, decision); !sent) {
        return sent.error();
    }
    if (const auto counted = count_decided_file(batch, row); !counted) {
        return counted.error();
    }
    row.clear_quality();
    return storage::put_submission(transaction, candidate.id, row);
}

Result<bool> refuse_pending(storage::Batch& batch, const storage::LeafWriter& leaves, ByteView index_key,
                            const storage::SubmissionId& id, storage::Leaf by, const Problem& why,
                            const std::vector<boundary::Defect>& defects) {
    auto& transaction = batch.transaction();
    auto found = find_pending(transaction, id);
    if (!found) {
        return Result<bool>(boost::system::in_place_error, found.error());
    }
    if (!*found) {
        return false;
    }
    Submission& row = **found;
    const auto failed = [](const auto& result) { return Result<bool>(boost::system::in_place_error, result.error()); };
    row.mutable_counts()->set_stored(0);
    row.mutable_counts()->set_defective(row.counts().defective() + defects.size());
    by.code = why.code();
    row.set_leaf(leaves.append(batch, leaf_about(std::move(by), id, row, "refused")));
    row.set_time_ms(batch.time().time_since_epoch().count());
    row.set_state(Submission::REFUSED);
    row.mutable_reason()->set_code(why.code());
    *row.mutable_reason()->mutable_arguments() = why.arguments();

    // Its records, their claims and notes of clashes are swept like those of a file that was never finished.
    storage::rows::Staging staging;
    staging.set_started_ms(row.time_ms());
    staging.set_unit(row.unit());
    staging.set_catalog(row.catalog());
    staging.set_wrapped_key(row.wrapped_key());
    if (const auto put = storage::put_staging(transaction, id, staging); !put) {
        return failed(put);
    }
    if (!row.object().empty()) {
        if (const auto erased = storage::erase_object(transaction, as_bytes(row.object())); !erased) {
            return failed(erased);
        }
    }
    row.clear_body();
    row.clear_object();
    row.clear_wrapped_key();
    row.set_blocks(0);
    const auto parts = put_defects(transaction, id, defects, row.defect_parts());
    if (!parts) {
        return failed(parts);
    }
    row.set_defect_parts(*parts);
    row.set_defects_total(row.defects_total() + defects.size());
    if (const auto counted = count_decided_file(batch, row); !counted) {
        return failed(counted);
    }
    row.clear_quality();
    if (const auto put = storage::put_submission(transaction, id, row); !put) {
        return failed(put);
    }
    const auto freed = storage::erase_name(transaction, index_key, row.unit(), row.catalog(), row.name());
    return freed ? Result<bool>(true) : failed(freed);
}

}  // namespace xinfu::vault
