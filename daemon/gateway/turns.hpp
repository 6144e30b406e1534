// Turns: how many readings of one principal are worked on at one time. Its further ones wait, in their order, so that
// nobody else's requests are behind all of its own, however many connections it has. So many may wait, no more: its
// connections are not to be counted as waiting for us.
//
// Threads: one strand.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace xinfu::gateway {

namespace asio = boost::asio;

inline constexpr std::chrono::seconds kTurnTimeMax{10};  // for which a reading waits for its turn

class Turns {
    struct Waiter {
        explicit Waiter(const asio::any_io_executor& executor, std::chrono::steady_clock::time_point deadline)
            : timer(executor, deadline) {}
        asio::steady_timer timer;
        bool granted = false;
    };
    struct Principal {
        unsigned taken = 0;
        std::deque<std::shared_ptr<Waiter>> waiting;
    };
    struct State {
        asio::any_io_executor executor;
        unsigned at_once;
        unsigned waiting_max;
        std::map<std::string, Principal> principals;  // those with a turn taken
    };

public:
    // One request's turn, until it is destroyed.
    class Turn {
    public:
        Turn(std::shared_ptr<State> state, std::string principal)
            : state_(std::move(state)), principal_(std::move(principal)) {}
        Turn(Turn&&) noexcept = default;
        Turn& operator=(Turn&&) = delete;
        ~Turn();

    private:
        std::shared_ptr<State> state_;
        std::string principal_;
    };

    Turns(asio::any_io_executor executor, unsigned at_once, unsigned waiting_max)
        : state_(std::make_shared<State>(State{std::move(executor), at_once, waiting_max, {}})) {}

    // Empty: too many wait, or it did not come before the deadline.
    asio::awaitable<std::optional<Turn>> take(std::string principal, std::chrono::steady_clock::time_point deadline);

    std::size_t principals() const { return state_->principals.size(); }

private:
    std::shared_ptr<State> state_;
};

}  // namespace xinfu::gateway
