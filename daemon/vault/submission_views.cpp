#include "daemon/vault/submission_views.hpp"

#include <utility>

#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/original_reader.hpp"
#include "daemon/vault/receipt.hpp"
#include "storage/error.hpp"
#include "storage/parcels.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault {
namespace {

using storage::rows::Submission;

struct Found {
    storage::SubmissionId id{};
    Submission row;
    Caller caller;  // with the role that permits this reading
};

// Who may read a submission in this way. Its original: also whoever has to decide on it, as long as it waits.
std::optional<std::string> reading_role(const PolicySet& policies, const Principal& principal, std::string_view verb,
                                        const Submission& row) {
    auto role = permitting_role(policies.access, principal, verb, row.catalog(), row.unit());
    if (!role && verb == policies::verb::read_original && row.state() == Submission::PENDING) {
        role =
            permitting_role(policies.access, principal, policies::verb::decide_submission, row.catalog(), row.unit());
    }
    return role;
}

// The submission, if this caller may read it in this way; else the problem, which has its leaf.
asio::awaitable<std::optional<Found>> find(Context& context, ExchangePointer exchange, std::string_view verb,
                                           std::string id_text) {
    Caller caller = exchange->caller();
    boundary::Problem why = problem("XF-2005");
    if (verb == policies::verb::read_original) {
        const auto policies = context.policies.current();
        const bool may =
            possibly_permitting_role(policies->access, caller.principal, verb, {}) ||
            possibly_permitting_role(policies->access, caller.principal, policies::verb::decide_submission, {});
        why = problem(may ? "XF-2005" : "XF-2001");
    }
    const auto id = storage::submission_id_from_text(id_text);
    if (id) {
        const auto snapshot = context.ledger.engine().snapshot();
        auto row = snapshot ? storage::find_submission(**snapshot, *id)
                            : Result<std::optional<Submission>>(boost::system::in_place_error, snapshot.error());
        if (!row) {
            why = problem_of(row.error());
        } else if (*row) {
            const auto policies = context.policies.current();
            auto role = reading_role(*policies, caller.principal, verb, **row);
            if (role) {
                caller.role = std::move(*role);
                co_return Found{*id, std::move(**row), std::move(caller)};
            }
        }
    }
    auto recording = record_refusal(context, caller, std::string(verb), why.code());
    if (const auto recorded = co_await std::move(recording); !recorded) {
        why = problem_of(recorded.error());
    }
    auto refusing = answer_problem(exchange, std::move(why));
    const auto refused = co_await std::move(refusing);
    static_cast<void>(refused.has_value());
    co_return std::nullopt;
}

// The leaf of this reading. False: it could not be written, and the caller was told.
asio::awaitable<bool> record_reading(Context& context, ExchangePointer exchange, const Found& found,
                                     std::string action) {
    storage::Leaf leaf = leaf_of(found.caller, std::move(action));
    leaf.result = "done";
    leaf.catalog = found.row.catalog();
    leaf.object.type = "submission";
    leaf.object.id = storage::to_text(found.id);
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    if (recorded) {
        co_return true;
    }
    auto refusing = answer_problem(exchange, problem_of(recorded.error()));
    const auto refused = co_await std::move(refusing);
    static_cast<void>(refused.has_value());
    co_return false;
}

asio::awaitable<void> answer(ExchangePointer exchange, boundary::GatewayReply reply) {
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

std::string_view state_text(storage::rows::Acknowledgement::State state) {
    switch (state) {
        case storage::rows::Acknowledgement::DELIVERED: return "delivered";
        case storage::rows::Acknowledgement::REFUSED: return "refused";
        default: return "waiting";
    }
}

void fill(boundary::SubmissionView& view, const Found& found) {
    const Submission& row = found.row;
    view.set_id(storage::to_text(found.id));
    view.set_catalog(row.catalog());
    view.set_name(row.name());
    view.set_state(std::string(storage::to_text(row.state())));
    view.mutable_counts()->set_records(row.counts().records());
    view.mutable_counts()->set_stored(row.counts().stored());
    view.mutable_counts()->set_duplicate(row.counts().duplicate());
    view.mutable_counts()->set_defective(row.counts().defective());
    view.mutable_counts()->set_warned(row.counts().warned());
    view.set_signer(row.account());
    view.set_digest(to_hex(as_bytes(row.content_digest())));
    view.set_leaf(row.leaf());
    view.set_time_ms(row.time_ms());
    view.set_unit(row.unit());
    if (row.needs_approval()) {
        view.set_request(storage::to_text(found.id));
    }
    if (row.has_reason()) {
        view.mutable_problem()->set_code(row.reason().code());
        *view.mutable_problem()->mutable_arguments() = row.reason().arguments();
    }
}

}  // namespace

asio::awaitable<void> get_submission(Context& context, ExchangePointer exchange) {
    auto finding = find(context, exchange, policies::verb::read_submission, exchange->request().get_submission().id());
    const auto found = co_await std::move(finding);
    if (!found) {
        co_return;
    }
    auto recording = record_reading(context, exchange, *found, "read_submission");
    if (!co_await std::move(recording)) {
        co_return;
    }
    boundary::GatewayReply reply;
    fill(*reply.mutable_submission(), *found);
    const auto snapshot = context.ledger.engine().snapshot();
    if (!snapshot) {
        auto answering = answer_error(exchange, snapshot.error());
        co_await std::move(answering);
        co_return;
    }
    const auto visited =
        storage::visit_acknowledgements(**snapshot, found->id, [&reply](const storage::rows::Acknowledgement& row) {
            auto* said = reply.mutable_submission()->add_acknowledgements();
            said->set_level(row.level());
            said->set_node(row.node());
            said->set_state(std::string(state_text(row.state())));
            said->set_time_ms(row.time_ms());
            said->set_receipt(row.receipt());
            // A long receipt gives way to the rest of the answer; it is kept here and at its level.
            if (reply.ByteSizeLong() > boundary::kPacketSizeBytesMax - 1024) {
                said->clear_receipt();
            }
            return true;
        });
    auto answering = visited ? answer(exchange, std::move(reply)) : answer_error(exchange, visited.error());
    co_await std::move(answering);
}

asio::awaitable<void> get_receipt(Context& context, ExchangePointer exchange) {
    auto finding = find(context, exchange, policies::verb::read_receipt, exchange->request().get_receipt().id());
    const auto found = co_await std::move(finding);
    if (!found) {
        co_return;
    }
    auto recording = record_reading(context, exchange, *found, "read_receipt");
    if (!co_await std::move(recording)) {
        co_return;
    }
    auto receipt = newest_receipt(context.ledger, found->row.leaf());
    if (!receipt) {
        auto answering = answer_error(exchange, receipt.error());
        co_await std::move(answering);
        co_return;
    }
    auto answering = answer_text(exchange, std::move(*receipt));
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> get_defects(Context& context, ExchangePointer exchange) {
    auto finding = find(context, exchange, policies::verb::read_defects, exchange->request().get_defects().id());
    const auto found = co_await std::move(finding);
    if (!found) {
        co_return;
    }
    auto recording = record_reading(context, exchange, *found, "read_defects");
    if (!co_await std::move(recording)) {
        co_return;
    }
    // Collected before the first part leaves: a snapshot must not wait for the gateway. Bounded by what a
    // submission keeps.
    std::vector<boundary::GatewayReply> parts(1);
    parts.back().mutable_defects()->set_catalog(found->row.catalog());
    {
        const auto snapshot = context.ledger.engine().snapshot();
        if (!snapshot) {
            auto answering = answer_error(exchange, snapshot.error());
            co_await std::move(answering);
            co_return;
        }
        std::size_t size = 0;
        const auto visited = storage::visit_defects(**snapshot, found->id, [&](const storage::rows::Defect& row) {
            const std::size_t needed = row.ByteSizeLong() + 16;
            if (size + needed > boundary::kPartSizeBytesMax) {
                parts.back().set_more(true);
                parts.emplace_back().mutable_defects();
                size = 0;
            }
            size += needed;
            auto* defect = parts.back().mutable_defects()->add_defects();
            defect->set_line(row.line());
            defect->set_field(row.field());
            defect->set_code(row.code());
            defect->set_severity(row.warning() ? boundary::SEVERITY_WARNING : boundary::SEVERITY_ERROR);
            *defect->mutable_arguments() = row.arguments();
            defect->set_masked_value(row.masked_value());
            return true;
        });
        if (!visited) {
            auto answering = answer_error(exchange, visited.error());
            co_await std::move(answering);
            co_return;
        }
    }
    for (auto& part : parts) {
        auto sending = exchange->reply(std::move(part), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return;
        }
    }
}

asio::awaitable<void> get_original(Context& context, ExchangePointer exchange) {
    auto finding = find(context, exchange, policies::verb::read_original, exchange->request().get_original().id());
    const auto found = co_await std::move(finding);
    if (!found) {
        co_return;
    }
    auto original = open_original(context, found->id, found->row);
    if (!original) {
        // Nothing was kept of a file that was refused before its body was known.
        const auto error = original.error();
        auto refusing =
            answer_problem(exchange, error == storage::Errc::not_found ? problem("XF-2005") : problem_of(error));
        const auto refused = co_await std::move(refusing);
        static_cast<void>(refused.has_value());
        co_return;
    }
    auto recording = record_reading(context, exchange, *found, "read_original");
    if (!co_await std::move(recording)) {
        co_return;
    }
    auto pair = boundary::make_stream_pair();
    if (!pair) {
        auto answering = answer_error(exchange, pair.error());
        co_await std::move(answering);
        co_return;
    }
    boundary::GatewayReply reply;
    reply.mutable_original()->set_length(original->length());
    auto sending = exchange->reply(std::move(reply), std::move(pair->second));
    if (const auto sent = co_await std::move(sending); !sent) {
        co_return;
    }
    auto pouring = pour_original(context, std::move(*original), std::move(pair->first), exchange);
    co_await std::move(pouring);
}

asio::awaitable<void> get_route(Context& context, ExchangePointer exchange) {
    const Caller caller = exchange->caller();
    boundary::GatewayReply reply;
    auto* view = reply.mutable_route();
    view->set_route(exchange->request().get_route().route());
    view->set_next_sequence(1);  // of a route nothing has come over yet
    const auto snapshot = context.ledger.engine().snapshot();
    if (!snapshot) {
        auto answering = answer_error(exchange, snapshot.error());
        co_await std::move(answering);
        co_return;
    }
    const bool platform = caller.principal.kind == storage::AccountKind::platform;
    const auto visited = storage::visit_incoming_routes(
        **snapshot, [&](std::string_view, std::string_view route, const storage::rows::IncomingRoute& row) {
            if (route != view->route() || (platform && row.account() != caller.principal.account)) {
                return true;
            }
            view->set_next_sequence(row.next_sequence());
            for (const auto& range : row.missing()) {
                auto* missing = view->add_missing();
                missing->set_first(range.first());
                missing->set_last(range.last());
            }
            return false;
        });
    if (!visited) {
        auto answering = answer_error(exchange, visited.error());
        co_await std::move(answering);
        co_return;
    }
    storage::Leaf leaf = leaf_of(caller, "read_route");
    leaf.result = "done";
    leaf.object.type = "route";
    leaf.object.id = view->route();
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    auto answering = recorded ? answer(exchange, std::move(reply)) : answer_error(exchange, recorded.error());
    co_await std::move(answering);
}

}  // namespace xinfu::vault
