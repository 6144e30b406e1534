#include "daemon/vault/requests.hpp"

#include <algorithm>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "crypto/cms_verify.hpp"
#include "daemon/vault/ask_inspector.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/identity.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/signer_check.hpp"
#include "policies/approvals.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using boundary::DecideRequest;
using boundary::GatewayReply;
using boundary::Problem;
using boundary::RequestView;
using storage::rows::ApprovalRequest;
using storage::rows::RequestDecision;
namespace verb = policies::verb;

constexpr std::size_t kReasonBytesMax = 2000;
constexpr std::size_t kMistakesBytesMax = 1000;  // of a pack, told

bool is_reason(const std::string& text) {
    return !text.empty() && text.size() <= kReasonBytesMax && crypto::is_utf8(text) &&
           std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// The verb that lets somebody decide on requests for this act.
std::string_view deciding_verb(std::string_view act) {
    return act == policies::act::account  ? verb::decide_account
           : act == policies::act::policy ? verb::decide_policy
                                          : std::string_view{};
}

// And that lets somebody ask for it.
std::string_view requesting_verb(std::string_view act) {
    return act == policies::act::account  ? verb::request_account
           : act == policies::act::policy ? verb::request_policy
                                          : std::string_view{};
}

policies::Instant instant(std::int64_t ms) {
    return policies::Instant{std::chrono::milliseconds{ms}};
}

policies::Party party_of(const Principal& principal) {
    return {principal.account, principal.person};
}

policies::RequestFacts facts_of(const ApprovalRequest& row, const std::vector<RequestDecision>& approvals) {
    policies::RequestFacts facts;
    facts.open = row.state() == ApprovalRequest::OPEN;
    facts.applicant = {row.applicant(), row.applicant_person()};
    for (const auto& decision : approvals) {
        facts.approved_by.push_back({decision.account(), decision.person()});
    }
    facts.created = instant(row.created_ms());
    facts.expires = instant(row.expires_ms());
    return facts;
}

std::string_view state_of(const ApprovalRequest& row, storage::Milliseconds now) {
    switch (row.state()) {
        case ApprovalRequest::EXECUTED: return "executed";
        case ApprovalRequest::REJECTED: return "rejected";
        default: return now.time_since_epoch().count() >= row.expires_ms() ? "expired" : "open";
    }
}

storage::LeafObject object_of(const storage::RequestId& id, const ApprovalRequest& row) {
    storage::LeafObject object;
    object.type = "request";
    object.id = storage::to_text(id);
    crypto::Digest digest{};
    if (row.digest().size() == digest.size()) {
        std::ranges::copy(as_bytes(row.digest()), digest.begin());
        object.digest = digest;
    }
    return object;
}

std::string json_of(const ApprovalRequest& row, std::string_view node) {
    return row.has_account()  ? account_change_json(row.account(), node)
           : row.has_policy() ? policy_change_json(row.policy(), node)
                              : std::string();
}

asio::awaitable<void> answer(ExchangePointer exchange, GatewayReply reply) {
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

}  // namespace

std::string approval_statement(std::string_view node, const storage::RequestId& id, const ApprovalRequest& row) {
    crypto::JsonObject statement;
    statement.text("act", row.act())
        .text("decision", "approve")
        .text("digest", to_hex(as_bytes(row.digest())))
        .text("node", node)
        .text("request", storage::to_text(id));
    return statement.encode();
}

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
    bool executed = false;
    std::optional<ChangedAccount> changed{};
    storage::UnitKeys units{};
    storage::Leaf effect{};
};

asio::awaitable<void> Requests::refuse(ExchangePointer exchange, Problem why, std::string action,
                                       storage::LeafObject object) {
    storage::Leaf leaf = leaf_of(exchange->caller(), std::move(action));
    leaf.result = "refused";
    leaf.code = why.code();
    leaf.object = std::move(object);
    auto recording = record(context_, std::move(leaf), storage::LeafNotes{});
    if (const auto recorded = co_await std::move(recording); !recorded) {
        why = problem_of(recorded.error());
    }
    auto answering = answer_problem(exchange, std::move(why));
    static_cast<void>((co_await std::move(answering)).has_value());
}

ChangeRules Requests::rules(const PolicySet& policies) const {
    return {policies, anchors_, revocations_, context_.keys.index(), context_.clock.now()};
}

Result<bool> Requests::is_visible(const Caller& caller, const ApprovalRequest& row) const {
    const auto policies = context_.policies.current();
    return row.applicant() == caller.principal.account ||
           permitting_role(policies->access, caller.principal, verb::read_requests, {}, row.unit()).has_value();
}

// What the caller may not know of is answered like what is not there.
auto Requests::find(const Caller& caller, const std::string& text) const -> Result<std::variant<Found, Problem>> {
    const auto id = storage::submission_id_from_text(text);
    if (!id) {
        return std::variant<Found, Problem>(problem("XF-2005"));
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    auto row = storage::find_request(**snapshot, *id);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return std::variant<Found, Problem>(problem("XF-2005"));
    }
    const auto visible = is_visible(caller, **row);
    if (!visible) {
        return visible.error();
    }
    if (!*visible) {
        return std::variant<Found, Problem>(problem("XF-2005"));
    }
    return std::variant<Found, Problem>(Found{*id, std::move(**row)});
}

// Approvals of those who could still give them: an approver who has left, or lost the role, has approved of nothing.
Result<std::vector<RequestDecision>> Requests::standing_approvals(const storage::ReadTransaction& transaction,
                                                                  const PolicySet& policies,
                                                                  const ApprovalRequest& row) const {
    std::vector<RequestDecision> standing;
    for (const auto& decision : row.decisions()) {
        crypto::Digest digest{};
        if (!decision.approves() || decision.certificate().size() != digest.size()) {
            continue;
        }
        std::ranges::copy(as_bytes(decision.certificate()), digest.begin());
        const auto enrolled = storage::find_certificate(transaction, digest);
        if (!enrolled) {
            return enrolled.error();
        }
        const auto certificate = *enrolled ? crypto::Certificate::parse_known((*enrolled)->der)
                                           : Result<crypto::Certificate>(storage::Errc::corrupt);
        if (!certificate) {
            continue;
        }
        const auto now = standing_of(transaction, *certificate, decision.account(), revocations_, context_.clock.now());
        if (!now) {
            return now.error();
        }
        const auto* principal = std::get_if<Principal>(&*now);
        if (principal != nullptr && !check_exclusions(policies.access, *principal) &&
            permitting_role(policies.access, *principal, deciding_verb(row.act()), {}, row.unit())) {
            standing.push_back(decision);
        }
    }
    return standing;
}

Result<RequestView> Requests::view(const storage::ReadTransaction& transaction, const PolicySet& policies,
                                   const storage::RequestId& id, const ApprovalRequest& row, bool whole) const {
    RequestView view;
    view.set_id(storage::to_text(id));
    view.set_act(row.act());
    view.set_state(std::string(state_of(row, context_.clock.now())));
    view.set_applicant(row.applicant());
    view.set_unit(row.unit());
    view.set_object(row.object());
    view.set_reason(row.reason());
    view.set_digest(to_hex(as_bytes(row.digest())));
    view.set_created_ms(row.created_ms());
    view.set_expires_ms(row.expires_ms());
    view.set_leaf(row.leaf());
    const auto approvals = standing_approvals(transaction, policies, row);
    if (!approvals) {
        return approvals.error();
    }
    if (const auto* rule = policies.access.approval_of(row.act())) {
        view.set_strength(std::string(policies::name(rule->strength)));
        view.set_approvers(rule->approvers);
        if (row.state() == ApprovalRequest::OPEN) {
            const auto missing = policies::approvals_missing(facts_of(row, *approvals), *rule);
            view.set_missing(static_cast<std::uint32_t>(missing));
        }
    }
    for (const auto& decision : row.decisions()) {
        auto& shown = *view.add_decisions();
        shown.set_account(decision.account());
        shown.set_role(decision.role());
        shown.set_approves(decision.approves());
        shown.set_strength(decision.signature().empty() ? "session" : "signature");
        shown.set_reason(decision.reason());
        shown.set_time_ms(decision.time_ms());
        shown.set_leaf(decision.leaf());
    }
    if (!whole) {
        return view;
    }
    view.set_change(json_of(row, context_.node));
    if (row.state() == ApprovalRequest::OPEN && row.has_policy()) {
        describe_policy_differences(policies, row.policy(), view);
        return view;
    }
    std::optional<storage::Account> before;
    if (row.state() == ApprovalRequest::OPEN && !row.object().empty()) {
        auto account = storage::find_account(transaction, row.object());
        if (!account) {
            return account.error();
        }
        before = std::move(*account);
    }
    if (row.state() == ApprovalRequest::OPEN) {
        describe_differences(before, row.account(), view);
    }
    return view;
}

asio::awaitable<Result<Requests::Problems>> Requests::make_change(const boundary::OpenRequest& asked,
                                                                  std::shared_ptr<const PolicySet> policies,
                                                                  ApprovalRequest& row) {
    if (asked.act() == policies::act::account) {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        auto change = make_account_change(**snapshot, rules(*policies), asked);
        if (!change) {
            co_return change.error();
        }
        if (auto* defect = std::get_if<Problem>(&*change)) {
            co_return Problems{std::move(*defect)};
        }
        *row.mutable_account() = std::get<storage::rows::AccountChange>(std::move(*change));
        co_return Problems{};
    }
    auto change = make_policy_change(policies->packs, asked.policy());
    if (auto* defect = std::get_if<Problem>(&change)) {
        co_return Problems{std::move(*defect)};
    }
    *row.mutable_policy() = std::get<storage::rows::PolicyChange>(std::move(change));
    std::shared_ptr<const PolicySet> loaded;
    auto loading = load_result(row.policy(), loaded);
    auto problem = co_await std::move(loading);
    if (!problem || *problem) {
        co_return problem;
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        co_return snapshot.error();
    }
    co_return check_accounts_fit(**snapshot, *loaded);
}

asio::awaitable<Result<Requests::Problems>> Requests::load_result(const storage::rows::PolicyChange& change,
                                                                  std::shared_ptr<const PolicySet>& loaded) {
    const auto policies = context_.policies.current();
    if (!std::ranges::equal(policies->digest, as_bytes(change.base()))) {
        co_return Problems{problem("XF-2021")};
    }
    std::string mistakes;
    auto loading = load_policies(context_, packs_after(policies->packs, change), mistakes);
    auto read = co_await std::move(loading);
    if (!read && !mistakes.empty()) {
        co_return Problems{problem("XF-2026", {mistakes.substr(0, kMistakesBytesMax)})};
    }
    if (!read) {
        co_return read.error();
    }
    loaded = std::move(*read);
    co_return Problems{};
}

asio::awaitable<void> Requests::open(ExchangePointer exchange) {
    Caller caller = exchange->caller();
    const boundary::OpenRequest asked = exchange->request().open_request();
    const auto policies = context_.policies.current();
    const auto* rule = policies->access.approval_of(asked.act());
    const auto granted = permitting_role(policies->access, caller.principal, requesting_verb(asked.act()), {},
                                         asked.has_form() ? asked.form().unit() : std::string());
    Problems why;
    ApprovalRequest row;
    if (requesting_verb(asked.act()).empty()) {
        why = problem("XF-1117", {"act"});
    } else if (!granted) {
        why = problem("XF-2001");
    } else if (rule == nullptr) {
        why = problem("XF-2022", {asked.act()});
    } else if (!is_reason(asked.reason())) {
        why = problem("XF-1117", {"reason"});
    } else {
        caller.role = *granted;
        auto making = make_change(asked, policies, row);
        auto made = co_await std::move(making);
        why = made ? std::move(*made) : Problems{problem_of(made.error())};
    }
    if (why) {
        auto refusing = refuse(exchange, std::move(*why), "request", {});
        co_await std::move(refusing);
        co_return;
    }
    row.set_act(asked.act());
    row.set_applicant(caller.principal.account);
    row.set_applicant_person(caller.principal.person);
    row.set_unit(asked.form().unit());
    row.set_object(asked.account());
    row.set_reason(asked.reason());
    const auto digest = crypto::sha256(as_bytes(json_of(row, context_.node)));
    row.set_digest(digest.data(), digest.size());

    struct Opened {
        storage::RequestId id{};
        ApprovalRequest row;
        bool too_many = false;
        std::uint64_t leaf = 0;
        Bytes entry;
    };
    auto opened = std::make_shared<Opened>();
    opened->id =
        storage::make_submission_id(context_.clock.now().time_since_epoch().count(), context_.random.array<10>());
    std::function<Result<void>(storage::Batch&)> apply = [this, caller, row, opened,
                                                          valid = rule->valid](storage::Batch& batch) -> Result<void> {
        std::size_t open = 0;
        const auto now = context_.clock.now();
        const auto counted =
            storage::visit_requests(batch.transaction(), [&](const storage::RequestId&, const ApprovalRequest& other) {
                open += other.applicant() == row.applicant() && state_of(other, now) == "open";
                return open < kOpenMax;
            });
        if (!counted) {
            return counted.error();
        }
        opened->too_many = open >= kOpenMax;
        if (opened->too_many) {
            return {};
        }
        opened->row = row;
        opened->row.set_created_ms(now.time_since_epoch().count());
        opened->row.set_expires_ms((now + valid).time_since_epoch().count());
        storage::Leaf leaf = leaf_of(caller, "request");
        leaf.result = "pending";
        leaf.object = object_of(opened->id, row);
        storage::LeafNotes notes;
        notes.purpose = row.reason();
        opened->leaf = context_.leaves.append(batch, leaf, notes, &opened->entry);
        opened->row.set_leaf(opened->leaf);
        return storage::put_request(batch.transaction(), opened->id, opened->row);
    };
    auto running = execute(context_, std::move(apply));
    const auto committed = co_await std::move(running);
    if (!committed) {
        auto answering = answer_error(exchange, committed.error());
        co_await std::move(answering);
        co_return;
    }
    if (opened->too_many) {
        auto refusing = refuse(exchange, problem("XF-2023", {std::to_string(kOpenMax)}), "request", {});
        co_await std::move(refusing);
        co_return;
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    auto shown = snapshot ? view(**snapshot, *policies, opened->id, opened->row, true)
                          : Result<RequestView>(boost::system::in_place_error, snapshot.error());
    auto receipt = make_receipt(context_.ledger, opened->leaf, opened->entry, *committed);
    if (!shown || !receipt) {
        auto answering = answer_error(exchange, shown ? receipt.error() : shown.error());
        co_await std::move(answering);
        co_return;
    }
    GatewayReply reply;
    *reply.mutable_request() = std::move(*shown);
    reply.mutable_request()->set_receipt(std::move(*receipt));
    auto answering = answer(exchange, std::move(reply));
    co_await std::move(answering);
}

asio::awaitable<void> Requests::list(ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const auto policies = context_.policies.current();
    std::vector<RequestView> views;
    boost::system::error_code failed;
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        failed = snapshot.error();
    } else {
        const auto visited =
            storage::visit_requests(**snapshot, [&](const storage::RequestId& id, const ApprovalRequest& row) {
                const auto visible = is_visible(caller, row);
                if (!visible || !*visible) {
                    failed = visible ? failed : visible.error();
                    return !failed;
                }
                auto shown = view(**snapshot, *policies, id, row, false);
                if (!shown) {
                    failed = shown.error();
                    return false;
                }
                views.push_back(std::move(*shown));
                return views.size() < kListedMax;
            });
        failed = visited ? failed : visited.error();
    }
    if (failed) {
        auto answering = answer_error(exchange, failed);
        co_await std::move(answering);
        co_return;
    }
    // Always a last one without an id, so that none is an answer too.
    for (auto& shown : views) {
        GatewayReply part;
        part.set_more(true);
        *part.mutable_request() = std::move(shown);
        auto sending = exchange->reply(std::move(part), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return;
        }
    }
    GatewayReply last;
    last.mutable_request();
    auto answering = answer(exchange, std::move(last));
    co_await std::move(answering);
}

asio::awaitable<void> Requests::get(ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    auto found = find(caller, exchange->request().get_request().id());
    if (!found) {
        auto answering = answer_error(exchange, found.error());
        co_await std::move(answering);
        co_return;
    }
    if (auto* why = std::get_if<Problem>(&*found)) {
        auto refusing = refuse(exchange, std::move(*why), "read_request", {});
        co_await std::move(refusing);
        co_return;
    }
    const Found& one = std::get<Found>(*found);
    storage::Leaf leaf = leaf_of(caller, "read_request");
    leaf.result = "done";
    leaf.object = object_of(one.id, one.row);
    auto recording = record(context_, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    const auto snapshot = context_.ledger.engine().snapshot();
    auto shown = snapshot && recorded ? view(**snapshot, *context_.policies.current(), one.id, one.row, true)
                                      : Result<RequestView>(boost::system::in_place_error,
                                                            recorded ? snapshot.error() : recorded.error());
    if (!shown) {
        auto answering = answer_error(exchange, shown.error());
        co_await std::move(answering);
        co_return;
    }
    GatewayReply reply;
    *reply.mutable_request() = std::move(*shown);
    auto answering = answer(exchange, std::move(reply));
    co_await std::move(answering);
}

asio::awaitable<void> Requests::get_statement(ExchangePointer exchange) {
    auto found = find(exchange->caller(), exchange->request().get_approval_statement().id());
    if (!found) {
        auto answering = answer_error(exchange, found.error());
        co_await std::move(answering);
        co_return;
    }
    if (auto* why = std::get_if<Problem>(&*found)) {
        auto refusing = refuse(exchange, std::move(*why), "read_request", {});
        co_await std::move(refusing);
        co_return;
    }
    const Found& one = std::get<Found>(*found);
    auto answering = answer_text(exchange, approval_statement(context_.node, one.id, one.row));
    static_cast<void>((co_await std::move(answering)).has_value());
}

Requests::Problems Requests::check_decision(const Caller& caller, const PolicySet& policies, const Found& found,
                                            const DecideRequest& said, std::string& role) const {
    const auto party = party_of(caller.principal);
    const bool own = policies::same_party({found.row.applicant(), found.row.applicant_person()}, party);
    auto granted =
        permitting_role(policies.access, caller.principal, deciding_verb(found.row.act()), {}, found.row.unit());
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
    } else {
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
        effect = leaf_of(deciding.caller, deciding.changed->opened ? "open_account" : "change_account");
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
    if (rule == nullptr || context_.policies.current()->digest != deciding.policies->digest) {
        deciding.problem = problem("XF-5006");
        return {};
    }
    const auto digest = crypto::sha256(as_bytes(json_of(deciding.row, context_.node)));
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

    storage::Leaf leaf = leaf_of(deciding.caller, approves ? "approve_request" : "reject_request");
    leaf.result = "accepted";
    leaf.object = object_of(deciding.id, deciding.row);
    storage::LeafNotes notes;
    notes.purpose = deciding.decision.reason();
    deciding.leaf = context_.leaves.append(batch, leaf, notes, &deciding.entry);
    deciding.decision.set_time_ms(now.time_since_epoch().count());
    deciding.decision.set_leaf(deciding.leaf);
    *deciding.row.add_decisions() = deciding.decision;
    if (!approves) {
        deciding.row.set_state(ApprovalRequest::REJECTED);
    } else if (deciding.executed) {
        deciding.row.set_state(ApprovalRequest::EXECUTED);
        deciding.row.set_object(deciding.effect.object.id);
        context_.leaves.append(batch, deciding.effect);
    }
    return storage::put_request(transaction, deciding.id, deciding.row);
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
        auto refusing = refuse(exchange, std::move(*why), action, {});
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
    if (!why && said.approves() && one.row.has_policy()) {
        auto loading = load_result(one.row.policy(), deciding->loaded);
        auto problem = co_await std::move(loading);
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
    if (why) {
        auto refusing = refuse(exchange, std::move(*why), action, object_of(one.id, one.row));
        co_await std::move(refusing);
        co_return;
    }
    if (deciding->executed && deciding->loaded) {
        context_.policies.replace(deciding->loaded);
    }
    if (deciding->changed) {
        on_units_(deciding->units);
        if (!deciding->changed->opened) {
            sessions_.end_all(deciding->changed->id);  // whoever it is logs in to what it may now
        }
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    auto shown = snapshot ? view(**snapshot, *deciding->policies, one.id, deciding->row, true)
                          : Result<RequestView>(boost::system::in_place_error, snapshot.error());
    auto receipt = make_receipt(context_.ledger, deciding->leaf, deciding->entry, *committed);
    if (!shown || !receipt) {
        auto answering = answer_error(exchange, shown ? receipt.error() : shown.error());
        co_await std::move(answering);
        co_return;
    }
    GatewayReply reply;
    *reply.mutable_request() = std::move(*shown);
    reply.mutable_request()->set_receipt(std::move(*receipt));
    auto answering = answer(exchange, std::move(reply));
    co_await std::move(answering);
}

}  // namespace xinfu::vault
