#include "daemon/gateway/questions.hpp"

#include <algorithm>
#include <utility>

#include <boost/beast/core/string.hpp>

#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {

namespace http = boost::beast::http;
using boundary::GatewayReply;
using boundary::GatewayRequest;

namespace {

constexpr std::size_t kTextsBytesMax = std::size_t{16} << 20;  // of one answer that is held whole

}  // namespace

Response vault_gone() {
    auto response = render_problem(make_problem("XF-6003", {}, 1));
    response.close = true;
    return response;
}
Response disagreement() {
    auto response = render_problem(make_problem("XF-9002"));
    response.close = true;
    return response;
}

asio::awaitable<std::optional<boundary::Envelope<GatewayReply>>> ask(Connection& connection, GatewayRequest question,
                                                                     Call& call, Answer& response) {
    const auto caller = connection.caller();
    if (!caller) {
        response = vault_gone();
        co_return std::nullopt;
    }
    auto starting = caller->start(std::move(question));
    auto started = co_await std::move(starting);
    if (!started) {
        response = started.error() == boundary::Errc::too_large
                       ? render_problem(make_problem("XF-1102", {std::to_string(boundary::kPartSizeBytesMax)}))
                       : vault_gone();
        co_return std::nullopt;
    }
    call = std::move(*started);
    auto waiting = call.next();
    auto reply = co_await std::move(waiting);
    if (!reply) {
        response = vault_gone();
        co_return std::nullopt;
    }
    if (reply->message.has_problem()) {
        response = render_problem(reply->message.problem());
        co_return std::nullopt;
    }
    co_return std::move(*reply);
}

asio::awaitable<std::optional<GatewayReply>> next_part(Call& call) {
    auto waiting = call.next();
    auto reply = co_await std::move(waiting);
    if (!reply || reply->message.has_problem()) {
        co_return std::nullopt;
    }
    co_return std::move(reply->message);
}

asio::awaitable<std::optional<std::vector<std::string>>> collect_texts(Call& call, bool more) {
    std::vector<std::string> texts;
    std::size_t size = 0;
    while (more) {
        auto waiting = next_part(call);
        auto part = co_await std::move(waiting);
        if (!part || !part->has_text() || size > kTextsBytesMax) {
            co_return std::nullopt;
        }
        more = part->more();
        size += part->text().part().size();
        texts.push_back(std::move(*part->mutable_text()->mutable_part()));
    }
    co_return texts;
}

bool has_type(const Request& request, std::string_view type) {
    const auto given = request.parser.get()[http::field::content_type];
    const auto media = given.substr(0, std::min(given.find(';'), given.size()));
    return boost::beast::iequals(media, {type.data(), type.size()});
}

asio::awaitable<std::optional<std::string>> read_json_body(Connection& connection, Request& request, Answer& response) {
    // Also what keeps other web pages' forms from asking in the name of a console's user.
    if (!has_type(request, "application/json")) {
        response = render_problem(make_problem("XF-1106", {"application/json"}));
        co_return std::nullopt;
    }
    BodyFailure failure;
    auto reading = connection.read_small_body(request, connection.services().limits.json_bytes, failure);
    auto body = co_await std::move(reading);
    if (!body) {
        response = std::move(failure.answer);
    }
    co_return body;
}

asio::awaitable<std::optional<std::map<std::string, std::string>>> read_json(Connection& connection, Request& request,
                                                                             std::vector<std::string> wanted,
                                                                             std::vector<std::string> optional,
                                                                             Answer& response) {
    auto reading = read_json_body(connection, request, response);
    const auto body = co_await std::move(reading);
    if (!body) {
        co_return std::nullopt;
    }
    std::string fault;
    auto members = parse_texts(*body, wanted, optional, fault);
    if (!members) {
        response = render_problem(make_problem("XF-1109", {fault}));
    }
    co_return members;
}

}  // namespace xinfu::gateway
