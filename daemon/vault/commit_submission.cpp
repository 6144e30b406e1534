#include "daemon/vault/commit_submission.hpp"

#include <algorithm>
#include <cassert>

#include "daemon/vault/approved_file.hpp"
#include "daemon/vault/backlog.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/operations.hpp"
#include "daemon/vault/quality.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"
#include "storage/packs.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {
namespace {

// Notes erased with the commit; what is left of more is swept behind it.
constexpr std::size_t kNotesSweptMax = 10000;

using storage::rows::Submission;
using Outcome = boundary::SubmissionOutcome;

void to_row(const boundary::Counts& counts, storage::rows::Counts& row) {
    row.set_records(counts.records());
    row.set_stored(counts.stored());
    row.set_duplicate(counts.duplicate());
    row.set_defective(counts.defective());
    row.set_warned(counts.warned());
}

storage::LeafCounts to_leaf(const boundary::Counts& counts) {
    return {counts.records(), counts.stored(), counts.duplicate(), counts.defective(), counts.warned()};
}

template <class Field>
void set_bytes(Field& field, ByteView bytes) {
    field.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

Result<std::uint32_t> put_defects(storage::WriteTransaction& transaction, const storage::SubmissionId& id,
                                  const std::vector<boundary::Defect>& defects, std::uint32_t part) {
    for (std::size_t at = 0; at < defects.size(); ++part) {
        storage::rows::DefectPart rows;
        for (const auto end = std::min(at + storage::kDefectsPerPart, defects.size()); at < end; ++at) {
            const auto& defect = defects[at];
            auto& row = *rows.add_defects();
            row.set_line(defect.line());
            row.set_field(defect.field());
            row.set_code(defect.code());
            row.set_warning(defect.severity() == boundary::SEVERITY_WARNING);
            *row.mutable_arguments() = defect.arguments();
            row.set_masked_value(defect.masked_value());
        }
        if (const auto put = storage::put_defect_part(transaction, id, part, rows); !put) {
            return put.error();
        }
    }
    return part;
}

bool waits_for_approval(const boundary::CatalogDescription& catalog) {
    return std::ranges::find(catalog.approvals(), policies::act::submit) != catalog.approvals().end();
}

std::string_view approval_act(const Candidate& candidate) {
    if (candidate.parcel) {
        return {};
    }
    const auto& named = candidate.catalog->approvals();
    if (candidate.operations && std::ranges::find(named, policies::act::correct) != named.end()) {
        return policies::act::correct;
    }
    return waits_for_approval(*candidate.catalog) ? policies::act::submit : std::string_view{};
}

crypto::Digest to_digest(ByteView bytes) {
    crypto::Digest digest{};
    assert(bytes.size() == digest.size());
    std::ranges::copy(bytes, digest.begin());
    return digest;
}

// What the records come to against everything that is committed by now.
struct CommitSubmission::Findings {
    Judged judged;
    Overtaken overtaken;
    JudgedOperations operations;
};

Result<void> CommitSubmission::apply(storage::Batch& batch, const Candidate& candidate, Decision& decision) const {
    decision = {};
    decision.defects = candidate.defects;
    decision.defects_total = candidate.defects_total;
    decision.warnings_total = candidate.warnings_total;
    decision.counts.set_records(candidate.rows);
    decision.counts.set_defective(candidate.defective);
    decision.counts.set_warned(candidate.warned);

    const auto done = [](const Result<Step>& ended) { return ended ? Result<void>{} : Result<void>{ended.error()}; };
    auto step = recheck(batch, candidate, decision);
    if (!step || *step == Step::answered) {
        return done(step);
    }
    step = answer_repetition(batch, candidate, decision);
    if (!step || *step == Step::answered) {
        return done(step);
    }
    if (candidate.problem) {
        return refuse(batch, candidate, *candidate.problem, true, decision);
    }
    if (const auto act = approval_act(candidate);
        !act.empty() && candidate.policies->access.approval_of(act) == nullptr) {
        return refuse(batch, candidate, problem("XF-5029", {std::string(act)}), true, decision);
    }
    Findings findings;
    step = candidate.operations ? weigh_operations(batch, candidate, findings, decision)
                                : weigh(batch, candidate, findings, decision);
    if (!step || *step == Step::answered) {
        return done(step);
    }
    const std::uint64_t usable = decision.counts.records() - decision.counts.defective();
    if (decision.defects_total > 0 && !(candidate.catalog->accept_valid() && usable > 0)) {
        const auto why = problem(
            "XF-5002", {std::to_string(decision.counts.defective()), std::to_string(decision.counts.records())});
        return refuse(batch, candidate, why, true, decision);
    }
    return accept(batch, candidate, findings, decision);
}

// Whether the rules and the account that judged the file are still the ones in force. Else nothing
// has happened, and the same again is safe.
auto CommitSubmission::recheck(storage::Batch& batch, const Candidate& candidate, Decision& decision) const
    -> Result<Step> {
    const auto& transaction = batch.transaction();
    const auto digest = storage::active_policy_digest(transaction);
    if (!digest) {
        return digest.error();
    }
    const auto account = storage::find_account(transaction, candidate.caller.principal.account);
    if (!account) {
        return account.error();
    }
    const auto& principal = candidate.caller.principal;
    const bool unchanged =
        *digest == candidate.policies->digest && *account && !(*account)->disabled &&
        (*account)->unit == principal.unit && (*account)->units == principal.units &&
        (*account)->roles == principal.roles &&
        std::ranges::find((*account)->certificates, principal.certificate) != (*account)->certificates.end();
    if (!unchanged) {
        decision.problem = problem("XF-5006");
    }
    return unchanged ? Step::go_on : Step::answered;
}

// Duplicates and clashes. Answers at once when the file has to come again.
auto CommitSubmission::weigh(storage::Batch& batch, const Candidate& candidate, Findings& findings,
                             Decision& decision) const -> Result<Step> {
    const auto& transaction = batch.transaction();
    auto judged = judge(transaction, *candidate.sealer, candidate.id, candidate.records);
    if (!judged) {
        return judged.error();
    }
    findings.judged = std::move(*judged);
    if (candidate.staged) {
        auto overtaken = look_at_clashes(transaction, candidate.id);
        if (!overtaken) {
            return overtaken.error();
        }
        if (overtaken->more) {
            decision.settle_first = true;
            return Step::answered;
        }
        findings.overtaken = std::move(*overtaken);
    }
    append_defects(findings.judged, candidate.records, decision.defects);
    std::uint64_t clashes = 0;
    for (const Fate fate : findings.judged.fates) {
        clashes += fate != Fate::fresh && fate != Fate::duplicate;
    }
    for (const std::uint32_t slot : findings.overtaken.known_otherwise) {
        const auto record = storage::find_record(transaction, *candidate.sealer, candidate.id, slot);
        if (!record) {
            return record.error();
        }
        boundary::Defect defect;
        defect.set_line(*record ? (*record)->line() : 0);
        defect.set_code("XF-5003");
        decision.defects.push_back(std::move(defect));
        ++clashes;
    }
    std::ranges::stable_sort(decision.defects, {}, &boundary::Defect::line);
    if (decision.defects.size() > kDefectsKeptMax) {
        decision.defects.resize(kDefectsKeptMax);
    }
    decision.defects_total += clashes;
    const std::uint64_t duplicates =
        candidate.staged_duplicates + findings.judged.duplicates + findings.overtaken.duplicates.size();
    decision.counts.set_defective(candidate.defective + clashes);
    decision.counts.set_duplicate(duplicates);
    decision.counts.set_stored(candidate.staged_stored - findings.overtaken.duplicates.size() -
                               findings.overtaken.known_otherwise.size() + findings.judged.fresh);
    return Step::go_on;
}

// Corrections and withdrawals. A parcel that overtook an earlier one of its route comes again after it.
auto CommitSubmission::weigh_operations(storage::Batch& batch, const Candidate& candidate, Findings& findings,
                                        Decision& decision) const -> Result<Step> {
    const auto& transaction = batch.transaction();
    auto judged =
        judge_operations(transaction, {context_.keys, candidate.catalog->name(), candidate.unit}, candidate.records);
    if (!judged) {
        return judged.error();
    }
    findings.operations = std::move(*judged);
    const JudgedOperations& operations = findings.operations;
    if (operations.ahead && candidate.parcel) {
        const auto waits = storage::waits_for_earlier(transaction, *candidate.parcel);
        if (!waits) {
            return waits.error();
        }
        if (*waits) {
            decision.problem = problem("XF-6001", {}, 2);
            return Step::answered;
        }
    }
    for (const auto* found : {&operations.defects, &operations.warnings}) {
        decision.defects.insert(decision.defects.end(), found->begin(), found->end());
    }
    std::ranges::stable_sort(decision.defects, {}, &boundary::Defect::line);
    if (decision.defects.size() > kDefectsKeptMax) {
        decision.defects.resize(kDefectsKeptMax);
    }
    decision.defects_total += operations.defects.size();
    decision.warnings_total += operations.repeated;
    decision.counts.set_defective(candidate.defective + operations.defects.size());
    decision.counts.set_warned(
        std::min(candidate.warned + operations.repeated, candidate.rows - decision.counts.defective()));
    decision.counts.set_duplicate(operations.repeated);
    decision.counts.set_stored(operations.changes.size());
    return Step::go_on;
}

storage::Leaf CommitSubmission::leaf(const Candidate& candidate, std::string result) const {
    storage::Leaf leaf = leaf_of(candidate.caller, candidate.check_only ? "check" : "submit");
    leaf.result = std::move(result);
    leaf.catalog = candidate.catalog->name();
    leaf.object = {"submission", candidate.check_only ? std::string() : storage::to_text(candidate.id),
                   candidate.body_digest, candidate.content_digest};
    if (candidate.manifest) {
        const auto digest = from_hex(candidate.manifest->origin_digest());
        leaf.origin = storage::LeafOrigin{candidate.manifest->origin_node(), candidate.manifest->origin_index(),
                                          to_digest(*digest)};
    }
    return leaf;
}

storage::rows::Submission CommitSubmission::row(const Candidate& candidate, Submission::State state,
                                                const Decision& decision) const {
    Submission row;
    row.set_state(state);
    row.set_catalog(candidate.catalog->name());
    row.set_catalog_version(candidate.catalog->version());
    row.set_pack_digest(candidate.catalog->pack_digest());
    row.set_name(candidate.name);
    row.set_unit(candidate.unit.empty() ? candidate.caller.principal.unit : candidate.unit);
    row.set_account(candidate.caller.principal.account);
    set_bytes(*row.mutable_body_digest(), candidate.body_digest);
    row.set_body_length(candidate.stored_length);
    row.set_armoured(candidate.armoured);
    if (candidate.content_digest) {
        set_bytes(*row.mutable_content_digest(), *candidate.content_digest);
        set_bytes(*row.mutable_certificate(), candidate.certificate);
    }
    to_row(decision.counts, *row.mutable_counts());
    row.set_defects_total(decision.defects_total);
    row.set_warnings_total(decision.warnings_total);
    row.set_defects_cut(decision.defects.size() < decision.defects_total + decision.warnings_total);
    if (candidate.parcel) {
        *row.mutable_received() = *candidate.parcel;
    }
    row.set_received_day(candidate.today);
    if (candidate.manifest) {
        // Never later than now, whatever the node below says.
        row.set_received_day(
            static_cast<std::uint32_t>(std::min<std::uint64_t>(candidate.manifest->received_day(), candidate.today)));
        row.mutable_origin()->set_node(candidate.manifest->origin_node());
        row.mutable_origin()->set_index(candidate.manifest->origin_index());
        const auto digest = from_hex(candidate.manifest->origin_digest());
        set_bytes(*row.mutable_origin()->mutable_digest(), *digest);
    }
    return row;
}

Result<void> CommitSubmission::refuse(storage::Batch& batch, const Candidate& candidate, boundary::Problem why,
                                      bool keep_row, Decision& decision) const {
    auto& transaction = batch.transaction();
    const bool repeatable = keep_row && !candidate.check_only && !candidate.parcel && candidate.content_digest;
    storage::RefusedContent content;
    if (repeatable) {
        content = {candidate.unit, candidate.catalog->name(),          candidate.catalog->version(),
                   candidate.name, candidate.caller.principal.account, *candidate.content_digest};
        const auto earlier = storage::find_refusal(transaction, context_.keys.index(), content);
        if (!earlier) {
            return earlier.error();
        }
        if (*earlier) {
            return repeat(batch, candidate, **earlier, decision);
        }
    }
    decision.kind = candidate.check_only ? Outcome::CHECKED : Outcome::REFUSED;
    decision.problem = why;
    decision.counts.set_stored(0);
    storage::Leaf refusal = leaf(candidate, "refused");
    refusal.code = why.code();
    refusal.counts = to_leaf(decision.counts);
    storage::LeafNotes notes;
    notes.name = candidate.name;
    decision.leaf = context_.leaves.append(batch, refusal, notes);
    if (candidate.check_only || !keep_row) {
        return {};
    }
    Submission row = this->row(candidate, Submission::REFUSED, decision);
    row.mutable_reason()->set_code(why.code());
    *row.mutable_reason()->mutable_arguments() = why.arguments();
    row.set_leaf(*decision.leaf);
    row.set_time_ms(batch.time().time_since_epoch().count());
    const auto parts = put_defects(transaction, candidate.id, decision.defects, 0);
    if (!parts) {
        return parts.error();
    }
    row.set_defect_parts(*parts);
    if (const auto put = storage::put_submission(transaction, candidate.id, row); !put) {
        return put.error();
    }
    if (repeatable) {
        const auto put = storage::put_refusal(transaction, context_.keys.index(), content, candidate.id);
        if (!put) {
            return put.error();
        }
    }
    decision.id = candidate.id;
    if (const auto counted = count_file(batch, candidate, decision, {}); !counted) {
        return counted.error();
    }
    return take_number(batch, candidate);
}

Result<void> CommitSubmission::accept(storage::Batch& batch, const Candidate& candidate, const Findings& findings,
                                      Decision& decision) const {
    if (candidate.check_only) {
        decision.kind = Outcome::CHECKED;
        storage::Leaf checked = leaf(candidate, "accepted");
        checked.counts = to_leaf(decision.counts);
        decision.leaf = context_.leaves.append(batch, checked);
        return {};
    }
    auto& transaction = batch.transaction();
    const auto act = approval_act(candidate);
    const bool pending = !act.empty();
    if (!pending) {
        // Others may have taken the last places since this file was let in.
        auto refusal = backlog_refusal(context_, transaction);
        if (!refusal) {
            return refusal.error();
        }
        if (*refusal) {
            decision.problem = std::move(**refusal);
            return {};
        }
    }
    if (pending) {
        const auto waiting =
            storage::count_open_requests(transaction, candidate.caller.principal.account, kWaitingFilesMax);
        if (!waiting) {
            return waiting.error();
        }
        if (*waiting >= kWaitingFilesMax) {
            decision.problem = problem("XF-2023", {std::to_string(kWaitingFilesMax)}, 60);
            return {};
        }
    }
    decision.kind = pending ? Outcome::PENDING : Outcome::CREATED;
    decision.id = candidate.id;

    Submission row = this->row(candidate, pending ? Submission::PENDING : Submission::ACCEPTED, decision);
    row.set_leaf(batch.next_index());
    row.set_time_ms(batch.time().time_since_epoch().count());
    set_bytes(*row.mutable_wrapped_key(), candidate.wrapped_key);
    set_bytes(*row.mutable_records_digest(), candidate.records_digest);
    row.set_original_offset(candidate.original_offset);
    row.set_original_length(candidate.original_length);
    set_bytes(*row.mutable_original_digest(), candidate.original_digest);
    if (!candidate.manifest) {
        row.mutable_origin()->set_node(context_.node);
        row.mutable_origin()->set_index(row.leaf());
        set_bytes(*row.mutable_origin()->mutable_digest(), *candidate.content_digest);
    }
    if (candidate.object) {
        set_bytes(*row.mutable_object(), candidate.id);
        storage::rows::Object object;
        set_bytes(*object.mutable_submission(), candidate.id);
        object.set_length(candidate.stored_length);
        if (const auto put = storage::put_object(transaction, candidate.id, object); !put) {
            return put.error();
        }
        decision.keeps_object = true;
    } else {
        set_bytes(*row.mutable_body(), candidate.sealer->seal_body(candidate.body));
    }

    storage::Leaf accepted = leaf(candidate, pending ? "pending" : "accepted");
    accepted.counts = to_leaf(decision.counts);
    storage::LeafNotes notes;
    notes.name = candidate.name;
    decision.leaf = context_.leaves.append(batch, accepted, notes);

    if (candidate.manifest) {
        const auto origin = storage::submission_id_from_text(candidate.manifest->submission());
        set_bytes(*row.mutable_origin_submission(), *origin);
        const auto put = storage::put_origin(transaction, context_.keys.index(), candidate.unit,
                                             candidate.catalog->name(), *origin, candidate.id);
        if (!put) {
            return put.error();
        }
    }
    TermCounts terms = candidate.staged_terms;
    if (const auto stored = store(batch, candidate, findings, row, terms); !stored) {
        return stored.error();
    }
    const auto late = terms.reported_on(row.received_day());
    if (pending) {
        *row.mutable_quality() = figures_of(candidate, decision, late);
    } else if (const auto counted = count_file(batch, candidate, decision, late); !counted) {
        return counted.error();
    }
    if (!pending) {
        if (decision.counts.stored() > 0) {
            const auto range =
                storage::append_feed(transaction, candidate.catalog->name(), candidate.id, decision.counts.stored());
            if (!range) {
                return range.error();
            }
        }
        if (const auto sent = send_on(batch, candidate, row, decision); !sent) {
            return sent.error();
        }
    }
    const auto parts = put_defects(transaction, candidate.id, decision.defects, 0);
    if (!parts) {
        return parts.error();
    }
    row.set_defect_parts(*parts);
    if (pending) {
        row.set_needs_approval(true);
        row.set_certificate_left_out(!candidate.certificate_left_out.empty());
        const auto request = approval_request(candidate, context_.node, act, row);
        if (const auto put = storage::put_request(transaction, candidate.id, request); !put) {
            return put.error();
        }
    }
    if (const auto put = storage::put_submission(transaction, candidate.id, row); !put) {
        return put.error();
    }
    const auto named = storage::put_name(transaction, context_.keys.index(), candidate.unit, candidate.catalog->name(),
                                         candidate.name, candidate.id);
    if (!named) {
        return named.error();
    }
    return take_number(batch, candidate);
}

// Records: those staged become visible with the row; those overtaken are taken back; the rest is written here.
Result<void> CommitSubmission::store(storage::Batch& batch, const Candidate& candidate, const Findings& findings,
                                     Submission& row, TermCounts& terms) const {
    auto& transaction = batch.transaction();
    const bool pending = row.state() == Submission::PENDING;
    const auto taken = take_back(transaction, context_.keys.index(), candidate.catalog->name(), *candidate.sealer,
                                 candidate.id, findings.overtaken, terms);
    if (!taken) {
        return taken.error();
    }
    if (candidate.staged) {
        if (pending) {
            // Its claims do not count yet: the notes stay for the commit of its approval.
            if (const auto erased = storage::erase_staging(transaction, candidate.id); !erased) {
                return erased.error();
            }
        } else {
            const auto swept = storage::sweep_notes(transaction, candidate.id, kNotesSweptMax);
            if (!swept) {
                return swept.error();
            }
        }
    }
    std::uint32_t next_block = candidate.staged_blocks;
    row.set_changes_records(candidate.operations);
    if (candidate.operations && pending) {
        const auto kept = store_asked(batch, candidate, findings.operations, next_block);
        row.set_blocks(next_block);
        return kept;
    }
    if (candidate.operations) {
        const auto applied =
            apply_operations(transaction, {context_.keys, candidate.catalog->name(), candidate.unit}, *candidate.sealer,
                             candidate.id, row.time_ms(), candidate.records, findings.operations, next_block);
        row.set_blocks(next_block);
        return applied;
    }
    for (std::size_t i = 0; i < candidate.records.size(); ++i) {
        if (findings.judged.fates[i] == Fate::fresh) {
            terms.add(candidate.records[i]);
        }
    }
    const auto stored = store_records(transaction, *candidate.sealer, candidate.id, candidate.records, findings.judged,
                                      pending, next_block);
    row.set_blocks(next_block);
    return stored;
}

// Changes that wait: kept as they were asked for, to be judged again with the approval.
Result<void> CommitSubmission::store_asked(storage::Batch& batch, const Candidate& candidate,
                                           const JudgedOperations& judged, std::uint32_t& next_block) const {
    storage::rows::RecordBlock block;
    for (std::size_t i = 0; i < judged.changes.size(); ++i) {
        append_asked(candidate.records[judged.changes[i].record], block);
        if (block.records_size() == static_cast<int>(storage::kRecordsPerBlock) || i + 1 == judged.changes.size()) {
            const auto put = storage::put_record_block(batch.transaction(), candidate.id, next_block,
                                                       candidate.sealer->seal_block(next_block, block));
            if (!put) {
                return put.error();
            }
            block.Clear();
            ++next_block;
        }
    }
    return {};
}

}  // namespace xinfu::vault
