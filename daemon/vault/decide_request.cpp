// The decision on a request: what it takes to be counted, and what comes of the last one that is missing.
#include <algorithm>
#include <utility>

#include "crypto/cms_verify.hpp"
#include "daemon/vault/answers.hpp"
#include "daemon/vault/ask_inspector.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/identity.hpp"
#include "daemon/vault/paths_change.hpp"
#include "daemon/vault/request_facts.hpp"
#include "daemon/vault/requests.hpp"
#include "daemon/vault/signer_check.hpp"
#include "storage/error.hpp"
#include "storage/packs.hpp"

namespace xinfu::vault {

using boundary::DecideRequest;
using boundary::Problem;
using storage::rows::ApprovalRequest;
using storage::rows::RequestDecision;

// One decision on its way through the ledger. `apply` overwrites what comes after `decision`.
struct Requests::Deciding {
    Caller caller;
    std::shared_ptr<const PolicySet> policies;
    std::optional<crypto::Certificate> connection{};  // whose standing is looked at again
    storage::RequestId id{};
    RequestDecision decision;

    Problems problem{};
    ApprovalRequest row{};
    std::uint64_t leaf = 0;
    Bytes entry{};
    std::shared_ptr<const PolicySet> loaded{};  // of a change of policies: what comes into force
    std::shared_ptr<const Candidate> file{};    // of a file that waits: made ready, when this may be the last approval
    CommitSubmission::Approved approved{};
    Decision filed{};
    bool leftovers = false;  // a file that waited was refused
    bool executed = false;
    std::optional<ChangedAccount> changed{};
    storage::UnitKeys units{};
    storage::Leaf effect{};
    storage::LeafNotes effect_notes{};
};

Requests::Problems Requests::check_decision(const Caller& caller, const PolicySet& policies, const Found& found,
                                            const DecideRequest& said, std::string& role) const {
    const auto party = party_of(caller.principal);
    const bool own = policies::same_party({found.row.applicant(), found.row.applicant_person()}, party);
    auto granted = permitting_role(policies.access, caller.principal, deciding_verb(found.row.act()),
                                   catalog_of(found.row), found.row.unit());
    if (!granted && !own) {
        return problem("XF-2001");
    }
    role = granted ? *granted : caller.role;
    const auto* rule = policies.access.approval_of(found.row.act());
    if (rule == nullptr) {
        return problem("XF-2022", {found.row.act()});
    }
    const std::vector<RequestDecision> approvals(found.row.decisions().begin(), found.row.decisions().end());
    const auto code =
        policies::why_not_decide(facts_of(found.row, approvals), party, said.approves(), context_.clock.now());
    if (!code.empty()) {
        return problem(code);
    }
    if (!said.approves()) {
        return is_reason(said.reason()) ? Problems{} : problem("XF-1117", {"reason"});
    }
    if (!granted) {
        return problem("XF-2001");
    }
    if (said.cms().empty() && rule->strength == policies::Strength::signature) {
        return problem("XF-2017");
    }
    if (said.cms().empty() && said.digest() != to_hex(as_bytes(found.row.digest()))) {
        return problem("XF-2016");
    }
    return std::nullopt;
}

// Fills the decision's certificate and signature.
asio::awaitable<Result<Requests::Problems>> Requests::check_signature(const Caller& caller, Bytes cms,
                                                                      std::string statement,
                                                                      RequestDecision& decision) {
    boundary::InspectorRequest question;
    question.mutable_read_signature()->set_cms(cms.data(), cms.size());
    question.mutable_read_signature()->set_statement(statement);
    std::vector<boundary::InspectorRequest> parts;
    parts.push_back(std::move(question));
    auto asking = ask_inspector(context_, "approval/" + caller.principal.account, std::move(parts));
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return reply.error();
    }
    if (reply->has_problem()) {
        co_return Problems{reply->problem()};
    }
    if (!reply->has_signer()) {
        co_return boundary::Errc::unexpected;
    }
    // The digest is of the vault's own statement, whatever the inspector has read.
    std::function<Result<SignerVerdict>()> work = [this, principal = caller.principal, signer = reply->signer(),
                                                   statement]() -> Result<SignerVerdict> {
        std::optional<Bytes> digest;
        if (auto hasher = crypto::ContentHasher::for_algorithm(signer.digest_algorithm())) {
            hasher->update(as_bytes(statement));
            digest = hasher->finish();
        }
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        return check_enrolled_signer(**snapshot, principal, signer, digest, revocations_, context_.clock.now());
    };
    auto working = run_on_worker(context_, std::move(work));
    auto verdict = co_await std::move(working);
    if (!verdict) {
        co_return verdict.error();
    }
    if (!verdict->problem) {
        decision.set_certificate(verdict->certificate.data(), verdict->certificate.size());
        decision.set_signature(cms.data(), cms.size());
    }
    // What is said of files there: enrolled for another account, or for none.
    if (verdict->problem && (verdict->problem->code() == "XF-3011" || verdict->problem->code() == "XF-3012")) {
        verdict->problem = problem("XF-2024");
    }
    co_return Problems{std::move(verdict->problem)};
}

Result<Requests::Problems> Requests::make_it_so(storage::Batch& batch, Deciding& deciding) const {
    storage::Leaf& effect = deciding.effect;
    if (deciding.row.has_policy()) {
        if (!deciding.loaded) {
            return Problems{problem("XF-2021")};
        }
        auto why = apply_policy_change(batch, deciding.row.policy(), *deciding.loaded);
        if (!why || *why) {
            return why;
        }
        effect = leaf_of(deciding.caller, "activate_policies");
        effect.object = {.type = "policy", .id = context_.node, .digest = deciding.loaded->digest, .content = {}};
    } else if (deciding.row.has_submission()) {
        if (!deciding.file) {
            return Problems{problem("XF-5006")};  // an approval came between: the same again is safe
        }
        return files_.commit().weigh_approved(batch.transaction(), *deciding.file, deciding.approved);
    } else if (deciding.row.has_paths()) {
        auto why = apply_paths_change(batch.transaction(), deciding.row.paths(), deciding.id, context_.clock.now());
        if (!why || *why) {
            return why;
        }
        effect = leaf_of(deciding.caller, "approve_paths");
        effect.object = {
            .type = "paths", .id = context_.node, .digest = digest_of(deciding.row.paths()), .content = {}};
    } else if (deciding.row.has_unmask()) {
        effect = leaf_of(deciding.caller, "grant_unmasking");
        effect.catalog = deciding.row.unmask().catalog();
        effect.object = {.type = "account", .id = deciding.row.applicant(), .digest = {}, .content = {}};
        deciding.effect_notes.subject = deciding.row.unmask().subject();
    } else {
        const bool recovers = deciding.row.act() == policies::act::recover;
        if (recovers) {
            const auto needed = is_recovery(batch.transaction(), rules(*deciding.policies), deciding.row.account());
            if (!needed) {
                return needed.error();
            }
            if (!*needed) {
                return Problems{problem("XF-2031")};
            }
        }
        auto applied = apply_account_change(batch, rules(*deciding.policies), deciding.row.account(), deciding.id);
        if (!applied) {
            return applied.error();
        }
        if (auto* why = std::get_if<Problem>(&*applied)) {
            return Problems{std::move(*why)};
        }
        deciding.changed = std::get<ChangedAccount>(std::move(*applied));
        auto units = context_.keys.create_units(batch.transaction(), deciding.changed->units, context_.random);
        if (!units) {
            return units.error();
        }
        deciding.units = std::move(*units);
        effect = leaf_of(deciding.caller, recovers                   ? "recover_account"
                                          : deciding.changed->opened ? "open_account"
                                                                     : "change_account");
        effect.object = {.type = "account", .id = deciding.changed->id, .digest = {}, .content = {}};
    }
    effect.result = "done";
    effect.approval = storage::to_text(deciding.id);
    return Problems{};
}

Result<void> Requests::apply(storage::Batch& batch, Deciding& deciding) const {
    auto& transaction = batch.transaction();
    deciding.problem.reset();
    deciding.executed = false;
    deciding.changed.reset();
    deciding.units.clear();
    deciding.leftovers = false;
    auto row = storage::find_request(transaction, deciding.id);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return storage::Errc::corrupt;
    }
    deciding.row = std::move(**row);
    const bool approves = deciding.decision.approves();

    // Everything once more, against what is committed by now.
    const auto now = context_.clock.now();
    const auto standing =
        standing_of(transaction, *deciding.connection, deciding.caller.principal.account, revocations_, now);
    if (!standing) {
        return standing.error();
    }
    if (const auto* why = std::get_if<Problem>(&*standing)) {
        deciding.problem = *why;
        return {};
    }
    auto approvals = standing_approvals(transaction, *deciding.policies, deciding.row);
    if (!approvals) {
        return approvals.error();
    }
    const auto party = party_of(deciding.caller.principal);
    const auto code = policies::why_not_decide(facts_of(deciding.row, *approvals), party, approves, now);
    if (!code.empty()) {
        deciding.problem = problem(code);
        return {};
    }
    const auto* rule = deciding.policies->access.approval_of(deciding.row.act());
    const auto active = storage::active_policy_digest(transaction);
    const auto applicant = storage::find_account(transaction, deciding.row.applicant());
    if (!active || !applicant) {
        return active ? applicant.error() : active.error();
    }
    if (rule == nullptr || *active != deciding.policies->digest) {
        deciding.problem = problem("XF-5006");
        return {};
    }
    if (approves && (!*applicant || (*applicant)->disabled)) {
        deciding.problem = problem("XF-2021");  // whoever asked has left since
        return {};
    }
    const auto digest = crypto::sha256(as_bytes(change_json(deciding.row, context_.node)));
    if (!std::ranges::equal(digest, as_bytes(deciding.row.digest()))) {
        return storage::Errc::corrupt;  // what would be done is not what was asked for
    }
    if (approves) {
        RequestDecision own = deciding.decision;
        approvals->push_back(own);
        const auto counted = standing_approvals(transaction, *deciding.policies, [&] {
            ApprovalRequest with = deciding.row;
            *with.add_decisions() = own;
            return with;
        }());
        if (!counted) {
            return counted.error();
        }
        if (policies::approvals_missing(facts_of(deciding.row, *counted), *rule) == 0) {
            auto why = make_it_so(batch, deciding);
            if (!why) {
                return why.error();
            }
            if (*why) {
                deciding.problem = std::move(*why);
                return {};
            }
            deciding.executed = true;
        }
    }

    return settle(batch, deciding);
}

Result<void> Requests::settle(storage::Batch& batch, Deciding& deciding) const {
    ApprovalRequest& row = deciding.row;
    const bool approves = deciding.decision.approves();
    storage::Leaf leaf = leaf_of(deciding.caller, approves ? "approve_request" : "reject_request");
    leaf.result = "accepted";
    leaf.object = object_of(deciding.id, row);
    storage::LeafNotes notes;
    notes.purpose = deciding.decision.reason();
    deciding.leaf = context_.leaves.append(batch, leaf, notes, &deciding.entry);
    deciding.decision.set_time_ms(context_.clock.now().time_since_epoch().count());
    deciding.decision.set_leaf(deciding.leaf);
    *row.add_decisions() = deciding.decision;

    storage::Leaf by = leaf_of(deciding.caller, {});
    by.approval = storage::to_text(deciding.id);
    const auto refuse_file = [&](const Problem& why, const std::vector<boundary::Defect>& defects) -> Result<void> {
        const auto refused =
            refuse_pending(batch, context_.leaves, context_.keys.index(), deciding.id, std::move(by), why, defects);
        if (!refused) {
            return refused.error();
        }
        deciding.leftovers = *refused;
        row.set_state(ApprovalRequest::REJECTED);
        return {};
    };
    Result<void> done;
    if (!approves) {
        row.set_state(ApprovalRequest::REJECTED);
        if (row.has_submission()) {
            done = refuse_file(problem("XF-5032"), {});
        }
    } else if (deciding.executed && row.has_submission() && !deciding.approved.defects.empty()) {
        deciding.executed = false;
        deciding.problem = problem("XF-5031");
        done = refuse_file(*deciding.problem, deciding.approved.defects);
    } else if (deciding.executed) {
        row.set_state(ApprovalRequest::EXECUTED);
        if (row.has_submission()) {
            done = files_.commit().accept_approved(batch, *deciding.file, std::move(by), deciding.approved,
                                                   deciding.filed);
        } else {
            row.set_object(deciding.effect.object.id);
            context_.leaves.append(batch, deciding.effect, deciding.effect_notes);
        }
    }
    return done ? storage::put_request(batch.transaction(), deciding.id, row) : done;
}

asio::awaitable<Result<Requests::Problems>> Requests::prepare(const Found& found, std::shared_ptr<Deciding> deciding) {
    if (found.row.has_policy()) {
        auto loading = load_result(found.row.policy(), deciding->loaded);
        co_return co_await std::move(loading);
    }
    if (found.row.has_paths()) {
        std::function<std::optional<Problem>()> look = [paths = found.row.paths().paths()]() {
            return why_not_usable(paths);
        };
        auto looking = run_on_worker(context_, std::move(look));
        auto unusable = co_await std::move(looking);
        co_return Problems{std::move(unusable)};
    }
    if (!found.row.has_submission()) {
        co_return Problems{};
    }
    const auto* rule = deciding->policies->access.approval_of(found.row.act());
    {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto standing = standing_approvals(**snapshot, *deciding->policies, found.row);
        if (!standing) {
            co_return standing.error();
        }
        if (rule == nullptr || policies::approvals_missing(facts_of(found.row, *standing), *rule) > 1) {
            co_return Problems{};  // this one is not the last
        }
    }
    auto preparing = files_.prepare(found.id);
    auto prepared = co_await std::move(preparing);
    if (!prepared) {
        co_return prepared.error();
    }
    if (auto* why = std::get_if<Problem>(&*prepared)) {
        co_return Problems{std::move(*why)};
    }
    deciding->file = std::get<std::shared_ptr<const Candidate>>(std::move(*prepared));
    co_return Problems{};
}

void Requests::after_commit(const Deciding& deciding) {
    if (deciding.executed && deciding.loaded) {
        context_.policies.replace(deciding.loaded);
    }
    if (deciding.changed && deciding.executed) {
        on_units_(deciding.units);
        if (!deciding.changed->opened) {
            sessions_.end_all(deciding.changed->id);  // whoever it is logs in to what it may now
        }
    }
    if (deciding.executed && deciding.row.has_paths()) {
        on_paths();
    }
    if (deciding.leftovers) {
        files_.on_leftovers();
    }
    if (deciding.executed && deciding.filed.sent_on) {
        files_.on_parcels();
    }
}

asio::awaitable<void> Requests::decide(ExchangePointer exchange) {
    const DecideRequest said = exchange->request().decide_request();
    const std::string action = said.approves() ? "approve_request" : "reject_request";
    auto deciding = std::make_shared<Deciding>();
    deciding->caller = exchange->caller();
    deciding->policies = context_.policies.current();
    auto found = find(deciding->caller, said.id());
    if (!found) {
        auto answering = answer_error(exchange, found.error());
        co_await std::move(answering);
        co_return;
    }
    if (auto* why = std::get_if<Problem>(&*found)) {
        auto refusing = refuse_act(context_, exchange, std::move(*why), action, {});
        co_await std::move(refusing);
        co_return;
    }
    const Found& one = std::get<Found>(*found);
    deciding->id = one.id;
    RequestDecision& decision = deciding->decision;
    const Principal& principal = deciding->caller.principal;
    Problems why = check_decision(deciding->caller, *deciding->policies, one, said, deciding->caller.role);
    if (!why) {
        decision.set_account(principal.account);
        decision.set_person(principal.person);
        decision.set_role(deciding->caller.role);
        decision.set_approves(said.approves());
        decision.set_reason(said.approves() ? std::string() : said.reason());
        decision.set_certificate(principal.certificate.data(), principal.certificate.size());
        if (said.approves() && !said.cms().empty()) {
            auto checking = check_signature(deciding->caller, to_bytes(said.cms()),
                                            approval_statement(context_.node, one.id, one.row), decision);
            auto checked = co_await std::move(checking);
            why = checked ? std::move(*checked) : Problems{problem_of(checked.error())};
        } else if (said.approves()) {
            auto confirming = sessions_.confirm(context_, deciding->caller, said.password());
            why = (co_await std::move(confirming)).problem;
        }
    }
    if (!why) {
        const auto snapshot = context_.ledger.engine().snapshot();
        const auto enrolled = snapshot ? storage::find_certificate(**snapshot, principal.certificate)
                                       : Result<std::optional<storage::EnrolledCertificate>>(
                                             boost::system::in_place_error, snapshot.error());
        const auto certificate = enrolled && *enrolled ? crypto::Certificate::parse_known((*enrolled)->der)
                                                       : Result<crypto::Certificate>(storage::Errc::corrupt);
        if (!certificate) {
            why = problem_of(certificate.error());
        } else {
            deciding->connection.emplace(*certificate);
        }
    }
    if (!why && said.approves()) {
        auto preparing = prepare(one, deciding);
        auto problem = co_await std::move(preparing);
        why = problem ? std::move(*problem) : Problems{problem_of(problem.error())};
    }
    Result<storage::Committed> committed = storage::Errc::corrupt;
    if (!why) {
        std::function<Result<void>(storage::Batch&)> applying = [this, deciding](storage::Batch& batch) {
            return apply(batch, *deciding);
        };
        auto running = execute(context_, std::move(applying));
        committed = co_await std::move(running);
        why = committed ? deciding->problem : Problems{problem_of(committed.error())};
    }
    if (committed) {
        after_commit(*deciding);
    }
    if (why && deciding->leftovers) {
        auto telling = answer_problem(exchange, std::move(*why));  // both have their leaves
        static_cast<void>((co_await std::move(telling)).has_value());
        co_return;
    }
    if (why) {
        auto refusing = refuse_act(context_, exchange, std::move(*why), action, object_of(one.id, one.row));
        co_await std::move(refusing);
        co_return;
    }
    auto answering = answer_done(exchange, deciding->policies, {one.id, deciding->row},
                                 {deciding->leaf, deciding->entry, *committed});
    co_await std::move(answering);
}

}  // namespace xinfu::vault
