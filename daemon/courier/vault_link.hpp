// VaultLink: the connections that the vault made to this courier: one for tasks, one for handshake signatures. When
// both are there, every route gets a worker; when the vault goes, so do they.
//
// Threads: one strand; the signatures are waited for on `worker`.
// Trust:   the vault is trusted. Routes, anchors and certificates are its.
// Errors:  a welcome that cannot be used is logged, and its connection closed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/boundary/service.hpp"
#include "daemon/courier/route_worker.hpp"
#include "daemon/courier/upper_connection.hpp"

namespace xinfu::courier {

using HandshakeCaller = boundary::BlockingCaller<boundary::HandshakeRequest, boundary::HandshakeReply>;

class VaultLink {
public:
    VaultLink(asio::any_io_executor executor, asio::any_io_executor worker, boundary::Service& service,
              UpperLimits limits);
    ~VaultLink();

    // Takes the vault's connections until the acceptor ends; answers why.
    asio::awaitable<boost::system::error_code> run(boundary::Acceptor& acceptor);
    // One connection: reads its welcome and keeps it. For run(), and for tests without an acceptor.
    asio::awaitable<void> take(boundary::Connection connection);
    // One whose welcome was read already.
    void keep(boundary::Connection connection, boundary::CourierWelcome welcome);
    // Called with each welcome, before its routes are served.
    std::function<void(const boundary::CourierWelcome&)> on_welcome = [](const boundary::CourierWelcome&) {};

    // No further tasks; `drained` is called once those under way are done and told.
    void drain(std::function<void()> drained);
    // Ends whatever waits for a signature, so that the worker threads can be joined.
    void interrupt();

    std::string status() const;  // one line: what each route is doing

private:
    void join(pid_t pid, boundary::CourierWelcome welcome, std::shared_ptr<TaskCaller> tasks,
              std::shared_ptr<HandshakeCaller> handshakes);
    void start_workers();
    void drop_workers();
    void check_drained();
    tls::SignHook sign_hook();
    asio::awaitable<void> watch_tasks(std::shared_ptr<TaskCaller> tasks);
    asio::awaitable<void> run_worker(std::shared_ptr<RouteWorker> worker);

    asio::any_io_executor executor_;
    asio::any_io_executor worker_;
    boundary::Service& service_;
    UpperLimits limits_;
    pid_t pid_ = 0;  // of the vault process that the parts below belong to
    boundary::CourierWelcome welcome_;
    std::shared_ptr<TaskCaller> tasks_;
    std::shared_ptr<HandshakeCaller> handshakes_;
    std::vector<std::shared_ptr<RouteWorker>> workers_;
    std::size_t running_ = 0;  // workers, also those of a vault that is gone
    std::function<void()> drained_;
};

}  // namespace xinfu::courier
