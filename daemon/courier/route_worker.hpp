// RouteWorker: asks the vault for what is to be carried on one route, carries it, and tells what came of it. One task
// at a time, so that parcels arrive in their order.
//
// Threads: one strand.
// Trust:   the vault's words are followed. The upper level's are passed on unread.
// Errors:  the vault's going ends it; everything else is told to the vault.
#pragma once

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

    // Until the vault goes or stop() was called and the task under way, if any, is done.
    asio::awaitable<void> run();

    void stop();
    bool is_busy() const { return busy_; }  // a task is under way
    const std::string& route() const { return route_; }
    const std::string& state() const { return state_; }  // idle, delivering, retrying, unreachable

private:
    asio::awaitable<bool> carry(boundary::Envelope<boundary::CourierReply> envelope);
    asio::awaitable<void> set_state(std::string state);
    asio::awaitable<void> pause(std::chrono::milliseconds time);

    asio::any_io_executor executor_;
    std::string route_;
    std::shared_ptr<TaskCaller> tasks_;
    std::unique_ptr<UpperConnection> upper_;
    boundary::Service& service_;
    std::function<void()> on_idle_;
    asio::steady_timer pause_;
    std::string state_ = "idle";
    std::string last_failure_;  // so that each is logged once
    bool busy_ = false;
    bool stopping_ = false;
};

}  // namespace xinfu::courier
