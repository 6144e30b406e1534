#include "daemon/vault/courier_endpoint.hpp"

#include <optional>
#include <set>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "daemon/boundary/error.hpp"
#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

struct CourierEndpoint::State {
    Context& context;
    Delivery& delivery;
    std::shared_ptr<boundary::PacketChannel> channel;
    std::set<std::uint64_t> tasks{};  // handed out over this connection and not reported
    std::size_t in_hand = 0;
    bool ended = false;
};

CourierEndpoint::CourierEndpoint(Context& context, Delivery& delivery, std::shared_ptr<boundary::PacketChannel> channel)
    : state_(std::make_shared<State>(State{context, delivery, std::move(channel)})) {}

asio::awaitable<boost::system::error_code> CourierEndpoint::serve() {
    const auto state = state_;
    boost::system::error_code why;
    for (;;) {
        auto receiving = state->channel->receive<boundary::CourierRequest>();
        auto envelope = co_await std::move(receiving);
        if (!envelope) {
            why = envelope.error();
            break;
        }
        if (envelope->message.has_link_state()) {
            continue;  // told, not asked; the state that counts is what reports say
        }
        if (envelope->message.body_case() == boundary::CourierRequest::BODY_NOT_SET || state->in_hand >= kInHandMax) {
            why = boundary::Errc::unexpected;
            break;
        }
        ++state->in_hand;
        auto answering = answer(state, std::move(envelope->message));
        asio::co_spawn(state->context.io, std::move(answering), asio::detached);
    }
    state->ended = true;
    state->channel->close(why);
    state->delivery.abandon({state->tasks.begin(), state->tasks.end()});
    state->tasks.clear();
    co_return why;
}

asio::awaitable<void> CourierEndpoint::answer(std::shared_ptr<State> state, boundary::CourierRequest request) {
    boundary::CourierReply reply;
    reply.set_id(request.id());
    boundary::Descriptor body;
    std::optional<std::uint64_t> task;
    if (request.has_next_task()) {
        auto waiting = state->delivery.next(request.next_task().route());
        auto work = co_await std::move(waiting);
        if (!work) {
            reply.mutable_nothing();
        } else {
            task = work->task.task();
            *reply.mutable_task() = std::move(work->task);
            body = std::move(work->body);
        }
    } else {
        state->tasks.erase(request.task_result().task());
        auto reporting = state->delivery.report(std::move(*request.mutable_task_result()));
        const auto wait = co_await std::move(reporting);
        if (!wait) {
            *reply.mutable_problem() = problem_of(wait.error());
        } else {
            reply.mutable_taken()->set_wait_ms(static_cast<std::uint32_t>(wait->count()));
        }
    }
    --state->in_hand;
    if (state->ended) {
        if (task) {
            state->delivery.abandon({*task});
        }
        co_return;
    }
    if (task) {
        state->tasks.insert(*task);
    }
    auto sending = state->channel->send(reply, std::move(body));
    const auto sent = co_await std::move(sending);
    if (!sent && task && state->tasks.erase(*task) > 0) {
        state->delivery.abandon({*task});
    }
}

}  // namespace xinfu::vault
