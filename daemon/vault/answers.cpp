#include "daemon/vault/answers.hpp"

#include <utility>

namespace xinfu::vault {

asio::awaitable<void> answer(ExchangePointer exchange, boundary::GatewayReply reply) {
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> answer_each(ExchangePointer exchange, std::vector<boundary::GatewayReply> replies,
                                  boundary::GatewayReply last) {
    for (auto& reply : replies) {
        reply.set_more(true);
        auto sending = exchange->reply(std::move(reply), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return;
        }
    }
    auto answering = answer(exchange, std::move(last));
    co_await std::move(answering);
}

asio::awaitable<void> refuse_act(Context& context, ExchangePointer exchange, boundary::Problem why, std::string action,
                                 storage::LeafObject object) {
    storage::Leaf leaf = leaf_of(exchange->caller(), std::move(action));
    leaf.result = "refused";
    leaf.code = why.code();
    leaf.object = std::move(object);
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    if (const auto recorded = co_await std::move(recording); !recorded) {
        why = problem_of(recorded.error());
    }
    auto answering = answer_problem(exchange, std::move(why));
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

}  // namespace xinfu::vault
