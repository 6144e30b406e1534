// xinfu-courier: carries sealed parcels to the levels above. It holds no key and opens no parcel; the vault, which
// dials it, says what goes where. Only wiring here.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/arguments.hpp"
#include "daemon/boundary/service.hpp"
#include "daemon/boundary/walls.hpp"
#include "daemon/config/loader.hpp"
#include "daemon/courier/upper_url.hpp"
#include "daemon/courier/vault_link.hpp"

namespace {

using namespace xinfu;
namespace asio = boost::asio;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kHandshakeThreads = 2;
constexpr std::uint16_t kDnsPort = 53;  // answers too large for a datagram come over TCP

// The ports of the routes that the vault names, which are the approved ones whatever the file says, and nothing else.
// Never empty, for that would mean all.
std::vector<std::uint16_t> ports_to_call(const boundary::CourierWelcome& welcome) {
    std::vector<std::uint16_t> ports;
    for (const auto& route : welcome.routes()) {
        if (const auto url = courier::parse_upper_url(route.url())) {
            ports.push_back(url->port);
            if (!url->is_address()) {
                ports.push_back(kDnsPort);
            }
        }
    }
    if (ports.empty()) {
        ports.push_back(443);
    }
    std::ranges::sort(ports);
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    return ports;
}

// Tells the service manager that we live and what we do.
asio::awaitable<void> tell_service(boundary::Service& service, const courier::VaultLink& link) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    const auto interval = std::min<std::chrono::milliseconds>(
        service.watchdog_interval().value_or(std::chrono::seconds(5)), std::chrono::seconds(5));
    std::string last;
    for (;;) {
        service.watchdog();
        if (const auto line = link.status(); line != last) {
            service.status(line);
            last = line;
        }
        timer.expires_after(interval);
        auto waiting = timer.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
}

// The vault's first words, read before there are walls, as they say where the walls have a door. Nothing else is read
// by then.
struct First {
    boundary::Connection connection;
    boundary::CourierWelcome welcome;
};
asio::awaitable<void> keep_alive(boundary::Service& service, const std::optional<First>& first) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!first) {
        service.watchdog();
        timer.expires_after(std::chrono::seconds(1));
        auto waiting = timer.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
}

asio::awaitable<void> meet_vault(boundary::Acceptor& acceptor, std::optional<First>& first) {
    const auto executor = co_await asio::this_coro::executor;
    while (!first) {
        auto accepting = acceptor.accept();
        auto connection = co_await std::move(accepting);
        if (!connection) {
            co_return;
        }
        boundary::PacketChannel channel(executor, std::move(*connection));
        auto receiving = channel.receive<boundary::CourierWelcome>();
        auto welcome = co_await std::move(receiving);
        if (welcome) {
            first = First{channel.release(), std::move(welcome->message)};
        }
    }
}

int serve(boundary::Arguments& arguments, const config::Config& settings, boundary::Service& service) {
    asio::io_context io(1);
    // All descriptors that only come into being on first use, while that is still allowed.
    asio::signal_set signals(io, SIGTERM, SIGINT);
    auto acceptor = arguments.control ? boundary::Acceptor::from_supervisor(
                                            io.get_executor(), std::move(arguments.control), arguments.peer_uid)
                                      : boundary::Acceptor::from_listener(
                                            io.get_executor(), std::move(arguments.vault_listener), arguments.peer_uid);
    service.ready();  // the vault dials; until then there is nothing to do
    std::optional<First> first;
    bool ended = false;
    signals.async_wait([&io, &ended](boost::system::error_code error, int) {
        if (!error) {
            ended = true;
            io.stop();
        }
    });
    asio::co_spawn(io, keep_alive(service, first), asio::detached);
    asio::co_spawn(io, meet_vault(acceptor, first), [&io](std::exception_ptr) { io.stop(); });
    io.run();
    signals.cancel();
    io.restart();
    io.poll();
    io.restart();
    if (ended || !first) {
        service.log(boundary::Level::notice, ended ? "ended before the vault came" : "no connections any more");
        return 0;
    }
    boundary::WallOptions wall_options;
    wall_options.connect_ports = ports_to_call(first->welcome);
    const auto walls = boundary::raise_walls(boundary::Role::courier, wall_options);
    if (!walls) {
        service.log(boundary::Level::error, "the walls cannot be raised: " + walls.error().message());
        return 1;
    }

    asio::thread_pool workers(kHandshakeThreads);
    courier::UpperLimits limits;
    limits.conversation.answer = settings.courier.answer_seconds;
    courier::VaultLink link(io.get_executor(), workers.get_executor(), service, limits);

    int status = 0;
    link.on_welcome = [&](const boundary::CourierWelcome& welcome) {
        if (welcome.purpose() == boundary::CourierWelcome::TASKS &&
            !std::ranges::includes(wall_options.connect_ports, ports_to_call(welcome))) {
            service.log(boundary::Level::notice, "other routes were approved: starting again for them");
            status = 1;
            io.stop();
        }
    };
    link.keep(std::move(first->connection), std::move(first->welcome));
    const auto on_accept_end = [&](std::exception_ptr, boost::system::error_code why) {
        // The supervisor is gone, or nothing can be accepted any more: without a vault there is nothing to do.
        if (!io.stopped()) {
            service.log(boundary::Level::notice, "no further connections: " + why.message());
            status = why == boundary::Errc::closed ? 0 : 1;
            io.stop();
        }
    };
    asio::co_spawn(io, link.run(acceptor), on_accept_end);
    asio::co_spawn(io, tell_service(service, link), asio::detached);
    asio::steady_timer drain_limit(io);
    signals.async_wait([&](boost::system::error_code error, int) {
        if (error) {
            return;
        }
        service.stopping();
        drain_limit.expires_after(settings.supervisor.drain_seconds);
        drain_limit.async_wait([&](boost::system::error_code) { io.stop(); });
        link.drain([&] { io.stop(); });
    });

    io.run();
    link.interrupt();
    workers.join();
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    auto arguments = boundary::parse_arguments(boundary::Role::courier, argc, argv);
    if (arguments.exit_code) {
        return *arguments.exit_code;
    }
    const auto loaded = arguments.config ? config::load_descriptor(arguments.config.get(), "xinfu.yaml")
                                         : config::load_file(arguments.config_path);
    if (!loaded.config) {
        for (const auto& mistake : loaded.mistakes) {
            std::fprintf(stderr, "xinfu-courier: %s\n", config::to_string(mistake).c_str());
        }
        return 1;
    }
    boundary::Service service("xinfu-courier");
    return serve(arguments, *loaded.config, service);
}
