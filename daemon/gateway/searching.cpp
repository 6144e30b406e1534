// The log by what its leaves say, and what it says of one record: the vault's own JSON, with the receipt of having
// asked.
#include <string>
#include <utility>

#include <boost/asio/use_awaitable.hpp>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/management_json.hpp"
#include "daemon/gateway/questions.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;

constexpr std::size_t kAnswerBytesMax = std::size_t{16} << 20;

// Asks; the first reply is `head`, the text that follows it the answer.
asio::awaitable<std::optional<std::string>> ask_for_text(Connection& connection, GatewayRequest question,
                                                         GatewayReply& head, Answer& response) {
    Call call;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return std::nullopt;
    }
    head = std::move(reply->message);
    response = disagreement();
    if (!head.has_log_page() && !head.has_trace()) {
        co_return std::nullopt;
    }
    std::string text;
    bool more = head.more();
    while (more) {
        auto waiting = next_part(call);
        const auto part = co_await std::move(waiting);
        if (!part || !part->has_text() || text.size() > kAnswerBytesMax) {
            co_return std::nullopt;
        }
        text += part->text().part();
        more = part->more();
    }
    co_return text;
}

}  // namespace

asio::awaitable<Answer> search(Connection& connection, Request& request, Route route) {
    auto question = connection.question(request);
    Answer response;
    if (route.act == Act::trace_record) {
        question.mutable_trace_record()->set_record(route.first);
    } else {
        auto reading = read_json_body(connection, request, response);
        const auto body = co_await std::move(reading);
        if (!body) {
            co_return response;
        }
        std::string fault;
        auto asked = parse_search(*body, fault);
        if (!asked) {
            co_return render_problem(make_problem("XF-1109", {fault}));
        }
        *question.mutable_search_log() = std::move(*asked);
    }
    GatewayReply head;
    auto asking = ask_for_text(connection, std::move(question), head, response);
    const auto text = co_await std::move(asking);
    if (!text) {
        co_return response;
    }
    co_return head.has_trace() ? render_trace(head.trace(), *text) : render_log_page(head.log_page(), *text);
}

}  // namespace xinfu::gateway
