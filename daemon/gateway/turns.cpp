#include "daemon/gateway/turns.hpp"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::gateway {

Turns::Turn::~Turn() {
    if (!state_) {
        return;  // moved from
    }
    const auto found = state_->principals.find(principal_);
    auto& [taken, waiting] = found->second;
    if (!waiting.empty()) {
        // Handed on: a newcomer must not slip in before the one that waits resumes.
        waiting.front()->granted = true;
        waiting.front()->timer.cancel();
        waiting.pop_front();
    } else if (--taken == 0) {
        state_->principals.erase(found);
    }
}

asio::awaitable<std::optional<Turns::Turn>> Turns::take(std::string name,
                                                        std::chrono::steady_clock::time_point deadline) {
    const auto state = state_;
    Principal& principal = state->principals[name];
    if (principal.taken < state->at_once) {
        ++principal.taken;
        co_return Turn(state, std::move(name));
    }
    if (principal.waiting.size() >= state->waiting_max) {
        co_return std::nullopt;
    }
    const auto waiter = std::make_shared<Waiter>(state->executor, deadline);
    principal.waiting.push_back(waiter);
    auto waiting = waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_await std::move(waiting);
    if (waiter->granted) {
        co_return Turn(state, std::move(name));
    }
    std::erase(principal.waiting, waiter);  // the principal is still there: others have all its turns
    co_return std::nullopt;
}

}  // namespace xinfu::gateway
