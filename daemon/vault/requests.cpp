#include "daemon/vault/requests.hpp"

#include <algorithm>
#include <utility>

#include "daemon/vault/answers.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/identity.hpp"
#include "daemon/vault/paths_change.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/request_facts.hpp"
#include "daemon/vault/submission_differences.hpp"
#include "daemon/vault/unmasking.hpp"
#include "storage/error.hpp"
#include "storage/packs.hpp"

namespace xinfu::vault {
namespace {

using boundary::GatewayReply;
using boundary::Problem;
using boundary::RequestView;
using storage::rows::ApprovalRequest;
using storage::rows::RequestDecision;
namespace verb = policies::verb;

constexpr std::size_t kMistakesBytesMax = 1000;  // of a pack, told

}  // namespace

ChangeRules Requests::rules(const PolicySet& policies) const {
    return {policies, anchors_, revocations_, context_.keys.index(), context_.clock.now()};
}

Result<bool> Requests::is_visible(const Caller& caller, const ApprovalRequest& row) const {
    const auto policies = context_.policies.current();
    return row.applicant() == caller.principal.account ||
           permitting_role(policies->access, caller.principal, verb::read_requests, catalog_of(row), row.unit())
               .has_value();
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
            permitting_role(policies.access, *principal, deciding_verb(row.act()), catalog_of(row), row.unit())) {
            standing.push_back(decision);
        }
    }
    return standing;
}

// What a request says of records is for whoever asked and those who may decide; others see that there is one.
bool Requests::is_privy(const Caller& caller, const PolicySet& policies, const ApprovalRequest& row) {
    if (!row.has_submission() && !row.has_unmask()) {
        return true;
    }
    return row.applicant() == caller.principal.account ||
           permitting_role(policies.access, caller.principal, deciding_verb(row.act()), catalog_of(row), row.unit());
}

Result<RequestView> Requests::view(const Caller& caller, const storage::ReadTransaction& transaction,
                                   const PolicySet& policies, const storage::RequestId& id, const ApprovalRequest& row,
                                   bool whole) const {
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
    if (!whole || !is_privy(caller, policies, row)) {
        return view;
    }
    view.set_change(change_json(row, context_.node));
    if (row.state() == ApprovalRequest::OPEN && row.has_policy()) {
        describe_policy_differences(policies, row.policy(), view);
        return view;
    }
    if (row.has_submission()) {
        const auto described = describe_submission(transaction, context_.keys, policies, id, view);
        return described ? Result<RequestView>(std::move(view))
                         : Result<RequestView>(boost::system::in_place_error, described.error());
    }
    if (row.has_paths() && row.state() == ApprovalRequest::OPEN) {
        const auto described = describe_paths_differences(transaction, row.paths(), view);
        return described ? Result<RequestView>(std::move(view))
                         : Result<RequestView>(boost::system::in_place_error, described.error());
    }
    if (!row.has_account()) {
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

// What was just done, with the receipt of its leaf.
asio::awaitable<void> Requests::answer_done(ExchangePointer exchange, std::shared_ptr<const PolicySet> policies,
                                            Found one, Recorded recorded) {
    const auto snapshot = context_.ledger.engine().snapshot();
    auto shown = snapshot ? view(exchange->caller(), **snapshot, *policies, one.id, one.row, true)
                          : Result<RequestView>(boost::system::in_place_error, snapshot.error());
    auto receipt = make_receipt(context_.ledger, recorded.index, recorded.entry, recorded.committed);
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

asio::awaitable<Result<Requests::Problems>> Requests::make_change(const boundary::OpenRequest& asked,
                                                                  std::shared_ptr<const PolicySet> policies,
                                                                  ApprovalRequest& row) {
    if (asked.act() == policies::act::account || asked.act() == policies::act::recover) {
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
        if (asked.act() == policies::act::account) {
            co_return Problems{};
        }
        const auto needed = is_recovery(**snapshot, rules(*policies), row.account());
        if (!needed) {
            co_return needed.error();
        }
        co_return *needed ? Problems{} : Problems{problem("XF-2031")};
    }
    if (asked.act() == policies::act::paths) {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        auto change = make_paths_change(**snapshot, asked.paths(), context_.node);
        if (!change) {
            co_return change.error();
        }
        if (auto* defect = std::get_if<Problem>(&*change)) {
            co_return Problems{std::move(*defect)};
        }
        *row.mutable_paths() = std::get<storage::rows::PathsChange>(std::move(*change));
        co_return Problems{};
    }
    if (asked.act() == policies::act::unmask) {
        auto change = make_unmask_change(*policies, asked.unmask());
        if (auto* defect = std::get_if<Problem>(&change)) {
            co_return Problems{std::move(*defect)};
        }
        *row.mutable_unmask() = std::get<storage::rows::UnmaskChange>(std::move(change));
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
    // Whose affair it is: who decides belongs to that unit.
    const std::string unit = asked.act() == policies::act::unmask ? caller.principal.unit : asked.form().unit();
    const auto granted = permitting_role(policies->access, caller.principal, requesting_verb(asked.act()),
                                         asked.unmask().catalog(), unit);
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
        auto refusing = refuse_act(context_, exchange, std::move(*why), "request", {});
        co_await std::move(refusing);
        co_return;
    }
    row.set_act(asked.act());
    row.set_applicant(caller.principal.account);
    row.set_applicant_person(caller.principal.person);
    row.set_unit(unit);
    row.set_object(asked.account());
    row.set_reason(asked.reason());
    const auto digest = crypto::sha256(as_bytes(change_json(row, context_.node)));
    row.set_digest(digest.data(), digest.size());

    struct Opened {
        storage::RequestId id{};
        ApprovalRequest row;
        Problems why;
        std::uint64_t leaf = 0;
        Bytes entry;
    };
    auto opened = std::make_shared<Opened>();
    opened->id =
        storage::make_submission_id(context_.clock.now().time_since_epoch().count(), context_.random.array<10>());
    std::function<Result<void>(storage::Batch&)> apply = [this, caller, row, opened, policies,
                                                          valid = rule->valid](storage::Batch& batch) -> Result<void> {
        const auto now = context_.clock.now();
        opened->why.reset();
        const auto active = storage::active_policy_digest(batch.transaction());
        const auto account = storage::find_account(batch.transaction(), row.applicant());
        const auto open = storage::count_open_requests(batch.transaction(), row.applicant(), kOpenMax);
        if (!active || !account || !open) {
            return !active ? active.error() : !account ? account.error() : open.error();
        }
        if (*active != policies->digest || !*account || (*account)->disabled) {
            opened->why = problem("XF-5006");  // it was ended, or the rules are others, since the request began
            return {};
        }
        if (*open >= kOpenMax) {
            opened->why = problem("XF-2023", {std::to_string(kOpenMax)});
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
    if (opened->why) {
        auto refusing = refuse_act(context_, exchange, std::move(*opened->why), "request", {});
        co_await std::move(refusing);
        co_return;
    }
    auto answering =
        answer_done(exchange, policies, {opened->id, opened->row}, {opened->leaf, opened->entry, *committed});
    co_await std::move(answering);
}

asio::awaitable<void> Requests::list(ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const auto policies = context_.policies.current();
    std::vector<GatewayReply> views;
    std::size_t walked = 0;
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
                    return !failed && ++walked < kWalkedMax;
                }
                auto shown = view(caller, **snapshot, *policies, id, row, false);
                if (!shown) {
                    failed = shown.error();
                    return false;
                }
                *views.emplace_back().mutable_request() = std::move(*shown);
                return views.size() < kListedMax && ++walked < kWalkedMax;
            });
        failed = visited ? failed : visited.error();
    }
    if (failed) {
        auto answering = answer_error(exchange, failed);
        co_await std::move(answering);
        co_return;
    }
    GatewayReply last;
    last.mutable_request();
    auto answering = answer_each(exchange, std::move(views), std::move(last));
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
        auto refusing = refuse_act(context_, exchange, std::move(*why), "read_request", {});
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
    auto shown = snapshot && recorded ? view(caller, **snapshot, *context_.policies.current(), one.id, one.row, true)
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
        auto refusing = refuse_act(context_, exchange, std::move(*why), "read_request", {});
        co_await std::move(refusing);
        co_return;
    }
    const Found& one = std::get<Found>(*found);
    auto answering = answer_text(exchange, approval_statement(context_.node, one.id, one.row));
    static_cast<void>((co_await std::move(answering)).has_value());
}

}  // namespace xinfu::vault
