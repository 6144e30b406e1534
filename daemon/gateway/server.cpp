#include "daemon/gateway/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {

namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr unsigned kMetricsConnectionsMax = 8;
constexpr std::chrono::seconds kMetricsTimeMax{5};
constexpr std::chrono::milliseconds kAcceptPause{50};  // when descriptors run out
constexpr std::chrono::seconds kRefusalsEvery{1};
constexpr int kUnsentBytesMax = 128 * 1024;  // beside what is on its way to a client that does read
constexpr unsigned kReadingsAtOnceMax = 16;  // of one principal; the vault bounds its files
constexpr unsigned kReadingsWaitingMax = 128;
constexpr std::uint32_t kLeavingMax = 64;  // given up, and not gone yet

boundary::SourceAddress source_of(const tcp::endpoint& peer) {
    boundary::SourceAddress source;
    auto address = peer.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    if (address.is_v4()) {
        const auto bytes = address.to_v4().to_bytes();
        source.set_address(std::string(bytes.begin(), bytes.end()));
    } else {
        const auto bytes = address.to_v6().to_bytes();
        source.set_address(std::string(bytes.begin(), bytes.end()));
    }
    source.set_port(peer.port());
    return source;
}

// The kernel would take megabytes for a client that asks for much and does not read; thousands of them had all memory.
void bound_unsent(tcp::socket& socket) {
    static_cast<void>(
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMax, sizeof kUnsentBytesMax));
}

// The protocol a listening descriptor was made for.
tcp protocol_of(int descriptor) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const bool v6 =
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0 && address.ss_family == AF_INET6;
    return v6 ? tcp::v6() : tcp::v4();
}

tcp::acceptor acceptor_of(asio::io_context& io, boundary::Descriptor descriptor) {
    const tcp protocol = protocol_of(descriptor.get());
    return tcp::acceptor(io, protocol, descriptor.release());
}

}  // namespace

Server::Server(asio::io_context& io, const config::Gateway& settings, boundary::Service& service,
               std::vector<boundary::Descriptor> listeners, boundary::Descriptor metrics)
    : io_(io),
      service_(service),
      workers_(settings.handshake_threads),
      vault_(io.get_executor(), settings.tls12, [this](bool linked) { show_status(linked); }),
      turns_(io.get_executor(), kReadingsAtOnceMax, kReadingsWaitingMax),
      services_{.limits = settings.limits,
                .vault = vault_,
                .metrics = metrics_,
                .refusals = refusals_,
                .turns = turns_,
                .workers = workers_.get_executor(),
                .draining = false,
                .last_connection = 0},
      sources_(settings.limits) {
    for (auto& listener : listeners) {
        listeners_.push_back(acceptor_of(io, std::move(listener)));
    }
    if (metrics) {
        metrics_listener_ = acceptor_of(io, std::move(metrics));
    }
}

Server::~Server() {
    workers_.stop();
    workers_.join();
}

void Server::start() {
    for (auto& listener : listeners_) {
        asio::co_spawn(io_, accept(listener), asio::detached);
    }
    if (metrics_listener_) {
        asio::co_spawn(io_, accept_metrics(), asio::detached);
    }
    asio::co_spawn(io_, tell_refusals(), asio::detached);
    // Up, whether or not the vault is there already: connections wait for it, and /readyz says what serves.
    service_.ready();
    service_.status("waiting for the vault");
}

void Server::replace_limits(const config::GatewayLimits& limits) {
    services_.limits = limits;
    sources_.replace(limits);
}

void Server::show_status(bool linked) {
    if (linked) {
        ++metrics_.vault_links_total;
        service_.status("serving");
        asio::co_spawn(io_, watch_ended(vault_.current()), asio::detached);
        asio::co_spawn(io_, report_listeners(vault_.current()), asio::detached);
    } else {
        service_.status("waiting for the vault");
        service_.log(boundary::Level::warning, "the vault's connection ended");
    }
}

asio::awaitable<void> Server::accept(tcp::acceptor& listener) {
    while (!services_.draining) {
        auto accepting = listener.async_accept(kAsTuple);
        auto [error, socket] = co_await std::move(accepting);
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            // Out of descriptors or memory for the moment. Those that wait stay in the kernel's queue.
            asio::steady_timer pause(io_, kAcceptPause);
            auto waiting = pause.async_wait(kAsTuple);
            co_await std::move(waiting);
            continue;
        }
        error_code ignored;
        const auto peer = socket.remote_endpoint(ignored);
        if (ignored) {
            continue;
        }
        socket.set_option(tcp::no_delay(true), ignored);
        bound_unsent(socket);
        auto refused = sources_.enter(peer.address(), Clock::now());
        if (!refused && !make_room()) {
            sources_.leave(peer.address(), Clock::now());
            refused = "XF-1107";
        }
        if (refused) {
            refusals_.count(*refused, source_of(peer));
            metrics_.count_refusal(*refused);
            continue;
        }
        ++metrics_.connections_total;
        ++metrics_.connections_open;
        auto connection =
            std::make_shared<Connection>(services_, beast::tcp_stream(std::move(socket)), source_of(peer));
        connections_.add(connection);
        asio::co_spawn(io_, serve(std::move(connection), peer.address()), asio::detached);
    }
}

bool Server::make_room() {
    const std::size_t most = services_.limits.connections;
    if (!connections_.unknown_have_theirs(most) && sources_.open() <= most) {
        return true;
    }
    if (sources_.open() > most + kLeavingMax) {
        return false;
    }
    const auto taken = connections_.take_one_for_a_newcomer(most);
    if (!taken) {
        return false;
    }
    refusals_.count("XF-1107", taken->source());
    metrics_.count_refusal("XF-1107");
    taken->give_up();
    return true;
}

asio::awaitable<void> Server::serve(std::shared_ptr<Connection> connection, asio::ip::address address) {
    try {
        auto introducing = connection->introduce();
        if (co_await std::move(introducing)) {
            connections_.introduced(connection);
            auto running = connection->run();
            co_await std::move(running);
        }
    } catch (const std::exception& fault) {
        // The last resort: whatever it was ends this connection alone.
        service_.log(boundary::Level::error, std::string("a connection ended with a fault: ") + fault.what());
        connection->abort();
    }
    connections_.remove(connection);
    --metrics_.connections_open;
    sources_.leave(address, Clock::now());
}

void Server::drain(std::chrono::steady_clock::duration time_max) {
    if (std::exchange(services_.draining, true)) {
        return;
    }
    service_.stopping();
    for (auto& listener : listeners_) {
        error_code ignored;
        listener.close(ignored);
    }
    connections_.drain();
    asio::co_spawn(io_, watch_drain(Clock::now() + time_max), asio::detached);
}

asio::awaitable<void> Server::watch_drain(Clock::time_point deadline) {
    while (!connections_.empty() && Clock::now() < deadline) {
        asio::steady_timer pause(io_, std::chrono::milliseconds(20));
        auto waiting = pause.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
    io_.stop();
}

// What the system says of the sockets, not what a file does: the vault compares.
asio::awaitable<void> Server::report_listeners(LinkPointer link) {
    const auto text_of = [](const tcp::acceptor& listener) {
        error_code failed;
        const auto endpoint = listener.local_endpoint(failed);
        const auto address = endpoint.address();
        return (address.is_v6() ? "[" + address.to_string() + "]" : address.to_string()) + ":" +
               std::to_string(endpoint.port());
    };
    boundary::GatewayRequest request;
    for (const auto& listener : listeners_) {
        request.mutable_report_listeners()->add_https(text_of(listener));
    }
    if (metrics_listener_) {
        request.mutable_report_listeners()->add_metrics(text_of(*metrics_listener_));
    }
    request.mutable_report_listeners();
    auto telling = link->requests->tell(std::move(request));
    static_cast<void>((co_await std::move(telling)).has_value());  // else the next link's
}

asio::awaitable<void> Server::tell_refusals() {
    for (;;) {
        asio::steady_timer pause(io_, kRefusalsEvery);
        auto waiting = pause.async_wait(kAsTuple);
        co_await std::move(waiting);
        const auto link = vault_.current();
        if (!link) {
            continue;
        }
        for (const auto& refusal : refusals_.take()) {
            boundary::GatewayRequest request;
            *request.mutable_count_refusals() = refusal;
            auto telling = link->requests->tell(std::move(request));
            const auto told = co_await std::move(telling);
            if (!told) {
                refusals_.put_back(refusal);
            }
        }
    }
}

asio::awaitable<void> Server::watch_ended(LinkPointer link) {
    if (!link) {
        co_return;
    }
    boundary::GatewayRequest request;
    request.mutable_watch_ended();
    auto starting = link->requests->start(std::move(request));
    auto call = co_await std::move(starting);
    for (bool more = call.has_value(); more;) {
        auto waiting = call->next();
        const auto reply = co_await std::move(waiting);
        more = reply && reply->message.has_ended() && reply->message.more();
        if (!more) {
            break;
        }
        for (const auto& handle : reply->message.ended().handles()) {
            if (const auto connection = connections_.find(handle)) {
                connection->abort();
            }
        }
    }
}

asio::awaitable<std::string> Server::vault_metrics(bool& ready) {
    ready = false;
    const auto link = vault_.current();
    if (!link) {
        co_return std::string{};
    }
    boundary::GatewayRequest request;
    request.mutable_get_metrics();
    auto starting = link->requests->start(std::move(request));
    auto call = co_await std::move(starting);
    std::string text;
    for (bool more = call.has_value(); more;) {
        auto waiting = call->next();
        const auto reply = co_await std::move(waiting);
        if (!reply || !reply->message.has_metrics()) {
            ready = false;
            break;
        }
        ready = reply->message.metrics().ready();
        for (const auto& sample : reply->message.metrics().samples()) {
            std::array<char, 64> value{};
            std::snprintf(value.data(), value.size(), " %.17g\n", sample.value());
            text += sample.name() + value.data();
        }
        more = reply->message.more();
    }
    co_return text;
}

asio::awaitable<void> Server::accept_metrics() {
    for (;;) {
        auto accepting = metrics_listener_->async_accept(kAsTuple);
        auto [error, socket] = co_await std::move(accepting);
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (!error && metrics_open_ < kMetricsConnectionsMax) {
            asio::co_spawn(io_, serve_metrics(std::move(socket)), asio::detached);
        }
    }
}

// Loopback only, without TLS: one request, one answer, no body read.
asio::awaitable<void> Server::serve_metrics(tcp::socket socket) {
    ++metrics_open_;
    beast::tcp_stream stream(std::move(socket));
    stream.expires_after(kMetricsTimeMax);
    beast::flat_buffer buffer(8192);
    http::request_parser<http::empty_body> parser;
    auto reading = http::async_read_header(stream, buffer, parser, kAsTuple);
    const auto [read_error, read_count] = co_await std::move(reading);
    if (!read_error) {
        http::response<http::string_body> response(http::status::ok, 11);
        response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
        response.keep_alive(false);
        const auto target = parser.get().target();
        if (parser.get().method() != http::verb::get) {
            response.result(http::status::method_not_allowed);
            response.set(http::field::allow, "GET");
        } else if (target == "/healthz") {
            response.body() = "ok\n";
        } else if (target == "/readyz" || target == "/metrics") {
            bool ready = false;
            auto asking = vault_metrics(ready);
            const std::string samples = co_await std::move(asking);
            ready = ready && !services_.draining;
            if (target == "/readyz") {
                response.result(ready ? http::status::ok : http::status::service_unavailable);
                response.body() = ready ? "ready\n" : "not ready\n";
            } else {
                response.body() = metrics_.render() + samples;
            }
        } else {
            response.result(http::status::not_found);
        }
        response.prepare_payload();
        auto writing = http::async_write(stream, response, kAsTuple);
        co_await std::move(writing);
    }
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    --metrics_open_;
}

}  // namespace xinfu::gateway
