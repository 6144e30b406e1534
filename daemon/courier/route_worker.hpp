// RouteWorker: asks the vault for what is to be carried on one route, carries it in that order, and tells what came of
// it. It asks on while earlier tasks are under way, as long as the connection upwards has room.
//
// Threads: one strand.
// Trust:   the vault's words are followed. The upper level's are passed on unread.
// Errors:  the vault's going ends it; everything else is told to the vault.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/caller.hpp"
#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/service.hpp"
#include "daemon/courier/upper_connection.hpp"

namespace xinfu::courier {

using TaskCaller = boundary::Caller<boundary::CourierRequest, boundary::CourierReply>;

class RouteWorker {
public:
    RouteWorker(asio::any_io_executor executor, std::string route, std::shared_ptr<TaskCaller> tasks,
                std::unique_ptr<UpperConnection> upper, boundary::Service& service, std::function<void()> on_idle);

    // Until the vault goes, or stop() was called and the tasks under way are done.
    asio::awaitable<void> run();

    void stop();
    bool is_busy() const { return under_way_ > 0; }
    const std::string& route() const { return route_; }
    const std::string& state() const { return state_; }  // idle, delivering, retrying, unreachable

private:
    struct Answered {
        std::uint64_t task = 0;
        UpperAnswer answer;
    };
    asio::awaitable<void> ask();
    asio::awaitable<void> tell();
    asio::awaitable<void> tell_one(Answered answered);
    asio::awaitable<void> work(std::function<asio::awaitable<void>()> part);
    void take(boundary::Envelope<boundary::CourierReply> envelope);
    asio::awaitable<void> set_state(std::string state);
    asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point time);
    void hold(std::chrono::milliseconds time);

    asio::any_io_executor executor_;
    std::string route_;
    std::shared_ptr<TaskCaller> tasks_;
    std::unique_ptr<UpperConnection> upper_;
    boundary::Service& service_;
    std::function<void()> on_idle_;
    asio::steady_timer may_ask_;     // ask() waits for it
    asio::steady_timer may_tell_;    // tell() waits for it
    asio::steady_timer part_ended_;  // run() waits for it
    std::deque<Answered> answered_;  // not told yet
    std::size_t failing_ = 0;        // of under_way_: those that failed; the vault does not know it yet
    std::size_t under_way_ = 0;      // tasks taken and not told
    std::size_t parts_ = 0;          // coroutines of run()
    std::chrono::steady_clock::time_point held_until_{};
    std::string state_ = "idle";
    std::string last_failure_;  // so that each is logged once
    bool stopping_ = false;
    bool asked_all_ = false;  // ask() has ended
    bool vault_gone_ = false;
};

}  // namespace xinfu::courier
