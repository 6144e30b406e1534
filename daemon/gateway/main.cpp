// xinfu-gateway: speaks TLS and HTTP with the world and turns JSON into typed messages. It holds no key, opens no
// file once it serves, and calls nobody: every socket it has was accepted or inherited.
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/boundary/walls.hpp"
#include "daemon/config/loader.hpp"
#include "daemon/gateway/server.hpp"

namespace {

namespace asio = boost::asio;
namespace boundary = xinfu::boundary;
namespace config = xinfu::config;
namespace gateway = xinfu::gateway;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> keep_watchdog(boundary::Service& service, std::chrono::milliseconds interval) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
        service.watchdog();
        timer.expires_after(interval);
        auto waiting = timer.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
}

// Whoever hands us the vault's connections is gone: so are we, after what was begun.
asio::awaitable<void> take_vault(gateway::Server& server, boundary::Acceptor acceptor, boundary::Service& service,
                                 std::chrono::steady_clock::duration drain) {
    auto running = server.vault().run(std::move(acceptor));
    const auto why = co_await std::move(running);
    service.log(boundary::Level::error, "no more connections from the vault: " + why.message());
    server.drain(drain);
}

}  // namespace

int main(int argc, char** argv) {
    auto arguments = boundary::parse_arguments(boundary::Role::gateway, argc, argv);
    if (arguments.exit_code) {
        return *arguments.exit_code;
    }
    const auto loaded = arguments.config ? config::load_descriptor(arguments.config.get(), "xinfu.yaml")
                                         : config::load_file(arguments.config_path);
    for (const auto& mistake : loaded.mistakes) {
        std::fprintf(stderr, "%s\n", config::to_string(mistake).c_str());
    }
    if (!loaded.config) {
        return 1;
    }
    if (arguments.listeners.empty()) {
        std::fprintf(stderr, "xinfu-gateway: no listening socket was handed over\n");
        return 2;
    }
    if (!arguments.control && !arguments.vault_listener) {
        std::fprintf(stderr, "xinfu-gateway: no way for the vault to connect was handed over\n");
        return 2;
    }
    boundary::Service service("xinfu-gateway");

    // One thread runs the loop. Everything that needs a file or a new descriptor of its own exists before the walls.
    asio::io_context io(1);
    asio::signal_set stop(io, SIGTERM, SIGINT);
    std::signal(SIGPIPE, SIG_IGN);

    // Threads come after the walls, so that they stand behind them too.
    const auto walls = boundary::raise_walls(boundary::Role::gateway);
    if (!walls) {
        std::fprintf(stderr, "xinfu-gateway: %s\n", walls.error().message().c_str());
        return 1;
    }

    const auto drain = loaded.config->supervisor.drain_seconds;
    gateway::Server server(io, loaded.config->gateway, service, std::move(arguments.listeners),
                           std::move(arguments.metrics));
    auto acceptor = arguments.control ? boundary::Acceptor::from_supervisor(
                                            io.get_executor(), std::move(arguments.control), arguments.peer_uid)
                                      : boundary::Acceptor::from_listener(
                                            io.get_executor(), std::move(arguments.vault_listener), arguments.peer_uid);
    acceptor.on_reload([&server, &service](boundary::Descriptor configuration) {
        const auto again = config::load_descriptor(configuration.get(), "xinfu.yaml");
        if (again.config) {
            server.replace_limits(again.config->gateway.limits);
        } else {
            service.log(boundary::Level::error, "the new configuration has mistakes; the old one stays");
        }
    });
    stop.async_wait([&server, drain](const boost::system::error_code& error, int) {
        if (!error) {
            // A little less than the supervisor waits, so that the end is ours.
            server.drain(drain - drain / 10);
        }
    });
    asio::co_spawn(io, take_vault(server, std::move(acceptor), service, drain), asio::detached);
    if (const auto interval = service.watchdog_interval()) {
        asio::co_spawn(io, keep_watchdog(service, *interval), asio::detached);
    }
    server.start();
    io.run();
    return 0;
}
