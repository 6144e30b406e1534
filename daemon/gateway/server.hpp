// Server: the listeners, all connections, and their orderly end.
//
// Threads: one event loop; handshakes on a pool.
#pragma once

#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/config/config.hpp"
#include "daemon/gateway/open_connections.hpp"
#include "daemon/gateway/source_limits.hpp"

namespace xinfu::gateway {

class Server {
public:
    // The descriptors are listening TCP sockets; `metrics` may be absent.
    Server(asio::io_context& io, const config::Gateway& settings, boundary::Service& service,
           std::vector<boundary::Descriptor> listeners, boundary::Descriptor metrics);
    ~Server();

    void start();
    VaultLink& vault() { return vault_; }
    // For connections and requests from now on.
    void replace_limits(const config::GatewayLimits& limits);
    // Stops accepting, lets requests under way finish for at most `time_max`, then stops the event loop.
    void drain(std::chrono::steady_clock::duration time_max);

private:
    asio::awaitable<void> accept(asio::ip::tcp::acceptor& listener);
    asio::awaitable<void> serve(std::shared_ptr<Connection> connection, asio::ip::address address);
    // Room for the connection that has just come. False: all is taken by those who wait for us.
    bool make_room();
    asio::awaitable<void> accept_metrics();
    asio::awaitable<void> serve_metrics(asio::ip::tcp::socket socket);
    asio::awaitable<std::string> vault_metrics(bool& ready);
    asio::awaitable<void> report_listeners(LinkPointer link);
    asio::awaitable<void> tell_refusals();
    // Closes the connections that the vault says have ended, for as long as the link lasts.
    asio::awaitable<void> watch_ended(LinkPointer link);
    asio::awaitable<void> watch_drain(std::chrono::steady_clock::time_point deadline);
    void show_status(bool linked);

    asio::io_context& io_;
    boundary::Service& service_;
    asio::thread_pool workers_;
    Metrics metrics_;
    Refusals refusals_;
    VaultLink vault_;
    Turns turns_;
    Services services_;
    SourceLimits sources_;
    std::vector<asio::ip::tcp::acceptor> listeners_;
    std::optional<asio::ip::tcp::acceptor> metrics_listener_;
    OpenConnections connections_;
    unsigned metrics_open_ = 0;
};

}  // namespace xinfu::gateway
