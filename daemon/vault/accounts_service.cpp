#include "daemon/vault/accounts_service.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/vault/answers.hpp"
#include "daemon/vault/approved_file.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/request_facts.hpp"
#include "policies/values.hpp"
#include "storage/error.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {
namespace {

using boundary::GatewayReply;
using storage::rows::ApprovalRequest;
namespace verb = policies::verb;

storage::LeafObject object_of(std::string id) {
    storage::LeafObject object;
    object.type = id.empty() ? "" : "account";
    object.id = std::move(id);
    return object;
}

// The account, if the caller may do this to it; what it may not know of is like what is not there.
Result<std::optional<storage::Account>> find(const PolicySet& policies, const storage::ReadTransaction& transaction,
                                             const Caller& caller, std::string_view act, const std::string& id) {
    auto account = storage::find_account(transaction, id);
    if (!account) {
        return account.error();
    }
    if (*account && permitting_role(policies.access, caller.principal, act, {}, (*account)->unit)) {
        return account;
    }
    return std::optional<storage::Account>{};
}

}  // namespace

Result<boundary::AccountView> AccountsService::view(const PolicySet& policies,
                                                    const storage::ReadTransaction& transaction,
                                                    const storage::Account& account, bool whole) const {
    const auto now = context_.clock.now();
    boundary::AccountView view;
    view.set_id(account.id);
    view.set_kind(std::string(storage::to_text(account.kind)));
    const bool over = account.valid_until && day_in_shanghai(now) > static_cast<std::uint32_t>(*account.valid_until);
    view.set_state(account.disabled ? "disabled" : over ? "expired" : "active");
    view.set_unit(account.unit);
    view.set_unit_name(account.unit_name);
    view.set_name(account.name);
    for (const auto& role : account.roles) {
        view.add_roles(role);
    }
    if (account.valid_until) {
        view.set_valid_until(policies::date_text(policies::Day{std::chrono::days{*account.valid_until}}));
    }
    view.set_created_ms(account.created_ms);
    if (const auto request = storage::submission_id_from_bytes(account.approval)) {
        view.set_approval(storage::to_text(*request));
    }
    if (account.kind == storage::AccountKind::person) {
        const auto person = storage::find_person(transaction, context_.keys.index(), account.person);
        if (!person) {
            return person.error();
        }
        const auto login_ms = *person ? (*person)->last_login_ms : 0;
        view.set_last_login_ms(login_ms);
        // Before last logins were kept, setting a password was one.
        const auto used_ms = std::max({login_ms, *person ? (*person)->password_set_ms : 0, account.created_ms});
        const auto unused =
            std::max(now, context_.ledger.last_time()).time_since_epoch() - std::chrono::milliseconds{used_ms};
        view.set_unused(!account.disabled && !over &&
                        unused > std::chrono::days{policies.access.passwords.unused_days});
    }
    if (!whole) {
        return view;
    }
    view.set_post(account.post);
    view.set_phone(account.phone);
    for (const auto& catalog : account.catalogs) {
        view.add_catalogs(catalog);
    }
    for (const auto& unit : account.units) {
        view.add_units(unit);
    }
    for (const auto& source : account.sources) {
        view.add_sources(source);
    }
    for (const auto& digest : account.certificates) {
        const auto row = storage::find_certificate(transaction, digest);
        if (!row) {
            return row.error();
        }
        const auto certificate =
            *row ? crypto::Certificate::parse_known((*row)->der) : Result<crypto::Certificate>(storage::Errc::corrupt);
        if (!certificate) {
            return storage::Errc::corrupt;
        }
        auto& shown = *view.add_certificates();
        shown.set_digest(to_hex(digest));
        shown.set_subject(certificate->subject().common_name);
        shown.set_not_after_ms(
            std::chrono::duration_cast<std::chrono::milliseconds>(certificate->not_after().time_since_epoch()).count());
        shown.set_revoked(revocations_.is_revoked(*certificate));
    }
    return view;
}

asio::awaitable<void> AccountsService::list(ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const auto policies = context_.policies.current();
    std::vector<GatewayReply> views;
    boost::system::error_code failed;
    const auto snapshot = context_.ledger.engine().snapshot();
    const auto accounts = snapshot
                              ? storage::all_accounts(**snapshot)
                              : Result<std::vector<storage::Account>>(boost::system::in_place_error, snapshot.error());
    if (!accounts) {
        failed = accounts.error();
    } else {
        for (const auto& account : *accounts) {
            if (!permitting_role(policies->access, caller.principal, verb::read_accounts, {}, account.unit)) {
                continue;
            }
            auto shown = view(*policies, **snapshot, account, false);
            if (!shown) {
                failed = shown.error();
                break;
            }
            *views.emplace_back().mutable_account() = std::move(*shown);
        }
    }
    if (failed) {
        auto answering = answer_error(exchange, failed);
        co_await std::move(answering);
        co_return;
    }
    GatewayReply last;
    last.mutable_account();
    auto answering = answer_each(exchange, std::move(views), std::move(last));
    co_await std::move(answering);
}

asio::awaitable<void> AccountsService::get(ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const auto policies = context_.policies.current();
    const std::string id = exchange->request().get_account().id();
    Result<std::optional<boundary::AccountView>> shown = std::optional<boundary::AccountView>{};
    if (const auto snapshot = context_.ledger.engine().snapshot(); !snapshot) {
        shown = snapshot.error();
    } else if (auto account = find(*policies, **snapshot, caller, verb::read_accounts, id); !account) {
        shown = account.error();
    } else if (*account) {
        auto viewed = view(*policies, **snapshot, **account, true);
        shown = viewed ? Result<std::optional<boundary::AccountView>>(std::move(*viewed))
                       : Result<std::optional<boundary::AccountView>>(boost::system::in_place_error, viewed.error());
    }
    if (!shown) {
        auto answering = answer_error(exchange, shown.error());
        co_await std::move(answering);
        co_return;
    }
    if (!*shown) {
        auto refusing = refuse_act(context_, exchange, problem("XF-2005"), "read_account", object_of({}));
        co_await std::move(refusing);
        co_return;
    }
    storage::Leaf leaf = leaf_of(caller, "read_account");
    leaf.result = "done";
    leaf.object = object_of(id);
    auto recording = record(context_, std::move(leaf), storage::LeafNotes{});
    if (const auto recorded = co_await std::move(recording); !recorded) {
        auto answering = answer_error(exchange, recorded.error());
        co_await std::move(answering);
        co_return;
    }
    GatewayReply reply;
    *reply.mutable_account() = std::move(**shown);
    auto answering = answer(exchange, std::move(reply));
    co_await std::move(answering);
}

asio::awaitable<void> AccountsService::disable(ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    const boundary::DisableAccount said = exchange->request().disable_account();
    if (!is_reason(said.reason())) {
        auto refusing =
            refuse_act(context_, exchange, problem("XF-1117", {"reason"}), "disable_account", object_of({}));
        co_await std::move(refusing);
        co_return;
    }
    struct Done {
        bool found = false;
        boundary::ClearanceSlip slip;
        bool leftovers = false;  // a file that waited was refused
        std::uint64_t leaf = 0;
        Bytes entry;
    };
    auto done = std::make_shared<Done>();
    const auto policies = context_.policies.current();
    std::function<Result<void>(storage::Batch&)> apply = [this, caller, said, done,
                                                          policies](storage::Batch& batch) -> Result<void> {
        *done = {};
        auto& transaction = batch.transaction();
        auto account = find(*policies, transaction, caller, verb::disable_account, said.id());
        if (!account) {
            return account.error();
        }
        done->found = account->has_value();
        if (!done->found) {
            return {};
        }
        auto before = view(*policies, transaction, **account, true);
        if (!before) {
            return before.error();
        }
        *done->slip.mutable_account() = std::move(*before);
        std::vector<std::pair<storage::RequestId, ApprovalRequest>> open;
        const auto visited =
            storage::visit_open_requests(transaction, [&](const storage::RequestId& id, const ApprovalRequest& row) {
                if (row.applicant() == said.id()) {
                    open.emplace_back(id, row);
                }
                return true;
            });
        if (!visited) {
            return visited.error();
        }
        storage::Leaf leaf = leaf_of(caller, "disable_account");
        leaf.result = "done";
        leaf.object = object_of(said.id());
        storage::LeafNotes notes;
        notes.purpose = said.reason();
        done->leaf = context_.leaves.append(batch, leaf, notes, &done->entry);
        for (auto& [id, row] : open) {
            row.set_state(ApprovalRequest::REJECTED);
            auto& decision = *row.add_decisions();
            decision.set_account(caller.principal.account);
            decision.set_person(caller.principal.person);
            decision.set_role(caller.role);
            decision.set_reason(said.reason());
            decision.set_time_ms(batch.time().time_since_epoch().count());
            decision.set_leaf(done->leaf);
            if (const auto put = storage::put_request(transaction, id, row); !put) {
                return put;
            }
            if (row.has_submission()) {
                storage::Leaf by = leaf_of(caller, {});
                by.approval = storage::to_text(id);
                const auto refused = refuse_pending(batch, context_.leaves, context_.keys.index(), id, std::move(by),
                                                    problem("XF-5032"), {});
                if (!refused) {
                    return refused.error();
                }
                done->leftovers = true;
            }
            done->slip.add_requests(storage::to_text(id));
        }
        done->slip.set_time_ms(batch.time().time_since_epoch().count());
        (*account)->disabled = true;
        return storage::put_account(transaction, **account);
    };
    auto running = execute(context_, std::move(apply), 0, true);
    const auto committed = co_await std::move(running);
    if (!committed) {
        auto answering = answer_error(exchange, committed.error());
        co_await std::move(answering);
        co_return;
    }
    if (!done->found) {
        auto refusing = refuse_act(context_, exchange, problem("XF-2005"), "disable_account", object_of({}));
        co_await std::move(refusing);
        co_return;
    }
    if (done->leftovers) {
        on_leftovers();
    }
    done->slip.set_sessions(static_cast<std::uint32_t>(sessions_.end_all(said.id())));
    const auto handles = handles_.remove_account(said.id());
    done->slip.set_connections(static_cast<std::uint32_t>(handles.size()));
    auto receipt = make_receipt(context_.ledger, done->leaf, done->entry, *committed);
    if (!receipt) {
        auto answering = answer_error(exchange, receipt.error());
        co_await std::move(answering);
        ended_.tell(context_, handles);
        co_return;
    }
    GatewayReply reply;
    *reply.mutable_clearance() = std::move(done->slip);
    reply.mutable_clearance()->set_receipt(std::move(*receipt));
    auto answering = answer(exchange, std::move(reply));
    co_await std::move(answering);
    ended_.tell(context_, handles);  // afterwards: one may end one's own
}

}  // namespace xinfu::vault
