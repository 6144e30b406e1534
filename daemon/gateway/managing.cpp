// Accounts and approval requests: what administrators and approvers do.
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/use_awaitable.hpp>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/management_json.hpp"
#include "daemon/gateway/questions.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;

asio::awaitable<Answer> ask_one(Connection& connection, GatewayRequest question, unsigned status) {
    Call call;
    Answer response;
    auto asking = ask(connection, std::move(question), call, response);
    const auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    switch (reply->message.body_case()) {
        case GatewayReply::kRequest: co_return render_request(reply->message.request(), status);
        case GatewayReply::kAccount: co_return render_account(reply->message.account());
        case GatewayReply::kPolicies: co_return render_policies(reply->message.policies());
        case GatewayReply::kClearance: co_return render_clearance(reply->message.clearance());
        case GatewayReply::kText: {
            co_return Response{.status = 200,
                               .content_type = "application/json",
                               .body = reply->message.text().part(),
                               .headers = {},
                               .close = false};
        }
        default: co_return disagreement();
    }
}

// One view a reply, the last without `more` and without an id.
asio::awaitable<Answer> list(Connection& connection, GatewayRequest question) {
    Call call;
    Answer response;
    const bool accounts = question.has_list_accounts();
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    std::vector<boundary::RequestView> requests;
    std::vector<boundary::AccountView> views;
    std::optional<GatewayReply> part = std::move(reply->message);
    while (part && (accounts ? part->has_account() : part->has_request())) {
        if (!part->more()) {
            co_return accounts ? render_accounts(views) : render_requests(requests);
        }
        if (accounts) {
            views.push_back(std::move(*part->mutable_account()));
        } else {
            requests.push_back(std::move(*part->mutable_request()));
        }
        auto waiting = next_part(call);
        part = co_await std::move(waiting);
    }
    co_return disagreement();
}

asio::awaitable<Answer> open_request(Connection& connection, Request& request) {
    Answer response;
    auto reading = read_json_body(connection, request, response);
    const auto body = co_await std::move(reading);
    if (!body) {
        co_return response;
    }
    std::string fault;
    auto asked = parse_request(*body, fault);
    if (!asked) {
        co_return render_problem(make_problem("XF-1109", {fault}));
    }
    auto question = connection.question(request);
    *question.mutable_open_request() = std::move(*asked);
    auto asking = ask_one(connection, std::move(question), 201);
    co_return co_await std::move(asking);
}

// A signed statement of approval, or JSON.
asio::awaitable<Answer> decide(Connection& connection, Request& request, std::string id) {
    auto question = connection.question(request);
    auto& decision = *question.mutable_decide_request();
    decision.set_id(std::move(id));
    Answer response;
    if (has_type(request, "application/cms") || has_type(request, "application/pkcs7-mime")) {
        BodyFailure failure;
        auto reading = connection.read_small_body(request, connection.services().limits.json_bytes, failure);
        auto body = co_await std::move(reading);
        if (!body) {
            co_return std::move(failure.answer);
        }
        if (body->empty()) {
            co_return render_problem(make_problem("XF-3001"));
        }
        decision.set_approves(true);
        decision.set_cms(std::move(*body));
    } else {
        auto reading = read_json(connection, request, {"decision"}, {"reason", "digest", "password"}, response);
        auto members = co_await std::move(reading);
        if (!members) {
            co_return response;
        }
        const std::string word = (*members)["decision"];
        if (word != "approve" && word != "reject") {
            co_return render_problem(make_problem("XF-1109", {"decision"}));
        }
        decision.set_approves(word == "approve");
        decision.set_reason((*members)["reason"]);
        decision.set_digest((*members)["digest"]);
        decision.set_password((*members)["password"]);
    }
    auto asking = ask_one(connection, std::move(question), 200);
    co_return co_await std::move(asking);
}

asio::awaitable<Answer> disable_account(Connection& connection, Request& request, std::string id) {
    Answer response;
    auto reading = read_json(connection, request, {"reason"}, {}, response);
    auto members = co_await std::move(reading);
    if (!members) {
        co_return response;
    }
    auto question = connection.question(request);
    question.mutable_disable_account()->set_id(std::move(id));
    question.mutable_disable_account()->set_reason((*members)["reason"]);
    auto asking = ask_one(connection, std::move(question), 200);
    co_return co_await std::move(asking);
}

}  // namespace

asio::awaitable<Answer> manage(Connection& connection, Request& request, Route route) {
    auto question = connection.question(request);
    switch (route.act) {
        case Act::open_request: return open_request(connection, request);
        case Act::list_requests: question.mutable_list_requests(); return list(connection, std::move(question));
        case Act::get_request:
            question.mutable_get_request()->set_id(route.first);
            return ask_one(connection, std::move(question), 200);
        case Act::get_approval:
            question.mutable_get_approval_statement()->set_id(route.first);
            return ask_one(connection, std::move(question), 200);
        case Act::decide_request: return decide(connection, request, route.first);
        case Act::get_account:
            question.mutable_get_account()->set_id(route.first);
            return ask_one(connection, std::move(question), 200);
        case Act::list_policies: question.mutable_list_policies(); return ask_one(connection, std::move(question), 200);
        case Act::disable_account: return disable_account(connection, request, route.first);
        default: break;
    }
    question.mutable_list_accounts();
    return list(connection, std::move(question));
}

}  // namespace xinfu::gateway
