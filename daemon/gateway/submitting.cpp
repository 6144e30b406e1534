// Handing in: the vault is asked with nothing but the head of the request; the body follows only when it said yes.
//
// A body that is here in full and small travels with the question. A larger one goes into a stream that the vault
// opened, as fast as the vault takes it. The outcome may come at any moment, and then nothing more is read.
#include <string>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/body_flow.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

using boundary::GatewayRequest;
using Answer = std::optional<Response>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kParcelExtraBytes = std::uint64_t{1} << 20;  // manifest, outer signature and framing

// NODE.ROUTE.SEQUENCE
bool is_parcel_name(std::string_view name) {
    const auto last = name.rfind('.');
    return last != std::string_view::npos && last + 1 < name.size() &&
           name.substr(0, last).find('.') != std::string_view::npos &&
           name.find_first_not_of("0123456789", last + 1) == std::string_view::npos;
}

asio::awaitable<Answer> hand_in(Connection& connection, Request& request, Route route) {
    const auto& limits = connection.services().limits;
    const std::uint64_t length_max = limits.body_bytes + (is_parcel_name(route.second) ? kParcelExtraBytes : 0);
    std::optional<std::uint64_t> length;
    if (const auto announced = request.parser.content_length()) {
        length = *announced;
    } else if (request.parser.is_done()) {
        length = 0;
    }
    if (length && *length > length_max) {
        co_return closing(make_problem("XF-1102", {std::to_string(length_max)}));
    }

    auto question = connection.question(request);
    auto& open = *question.mutable_open_submission();
    open.set_catalog(route.first);
    open.set_name(route.second);
    open.set_check_only(route.act == Act::check);
    if (length) {
        open.set_length(*length);
    }
    // A body this small costs less than a question of its own, even where the client waits to be told to go on (curl
    // does so whatever the size).
    if (length && *length <= boundary::kPartSizeBytesMax) {
        BodyFailure failure;
        auto reading = connection.read_small_body(request, boundary::kPartSizeBytesMax, failure);
        auto body = co_await std::move(reading);
        if (!body) {
            co_return std::move(failure.answer);
        }
        open.set_body(std::move(*body));
    }

    const auto caller = connection.caller();
    if (!caller) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    auto starting = caller->start(std::move(question));
    auto call = co_await std::move(starting);
    if (!call) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    const std::uint64_t submission = call->id();
    auto waiting = call->next();
    auto first = co_await std::move(waiting);
    if (!first) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    if (!first->message.has_opened()) {
        auto rendering = render_reply(*call, std::move(first->message));
        co_return co_await std::move(rendering);
    }
    if (!first->descriptor || !first->message.more()) {
        co_return closing(make_problem("XF-9002"));
    }

    auto flow = std::make_shared<BodyFlow>(connection.executor(), std::move(*call));
    boost::system::error_code error;
    flow->body.assign(asio::local::stream_protocol(), first->descriptor.get(), error);
    if (error) {
        co_return closing(make_problem("XF-9002"));
    }
    first->descriptor.release();
    asio::co_spawn(connection.executor(), watch(flow, connection.shared_from_this()), asio::detached);
    auto continuing = connection.send_continue(request);
    co_await std::move(continuing);  // a client that is gone shows when the body is read
    flow->pumping = true;
    auto pumping = pump(connection, request, *flow, length_max);
    auto pumped = co_await std::move(pumping);
    flow->pumping = false;
    flow->body.close(error);

    if (!flow->news) {
        const bool aborted = pumped.end == End::client_gone || pumped.end == End::client_fault;
        GatewayRequest finish = connection.question(request);
        finish.mutable_finish_submission()->set_submission(submission);
        finish.mutable_finish_submission()->set_length(pumped.length);
        finish.mutable_finish_submission()->set_aborted(aborted);
        auto telling = caller->tell(std::move(finish));
        (void)co_await std::move(telling);  // a vault that is gone shows in the news
        if (aborted) {
            if (!pumped.refusal) {
                connection.abort();
            }
            co_return std::move(pumped.refusal);
        }
    }
    while (!flow->news) {
        auto arriving = flow->arrival.async_wait(kAsTuple);
        co_await std::move(arriving);
    }
    if (!*flow->news) {
        co_return closing(make_problem("XF-6003", {}, 1));
    }
    auto rendering = render_reply(flow->call, std::move((*flow->news)->message));
    co_return co_await std::move(rendering);
}

// The node below sends its parcel again after these, and before any other.
bool comes_again(unsigned status) {
    return status >= 500 || status == 401 || status == 403 || status == 408 || status == 429;
}

}  // namespace

asio::awaitable<Answer> submit(Connection& connection, Request& request, Route route) {
    const bool parcel = is_parcel_name(route.second);
    auto handing_in = hand_in(connection, request, std::move(route));
    auto answer = co_await std::move(handing_in);
    if (parcel && answer && comes_again(answer->status)) {
        answer->close = true;  // what was sent behind it on this connection must not overtake it
    }
    co_return answer;
}

}  // namespace xinfu::gateway
