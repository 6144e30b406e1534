#include "daemon/courier/upper_connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::courier {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> pause_until(asio::any_io_executor executor, Clock::time_point time) {
    asio::steady_timer timer(executor, time);
    auto waiting = timer.async_wait(kAsTuple);
    co_await std::move(waiting);
}

struct Addresses {
    error_code error;
    std::vector<tcp::endpoint> endpoints;
};

asio::awaitable<Addresses> resolve(asio::any_io_executor executor, const UpperUrl& url) {
    Addresses addresses;
    const auto address = asio::ip::make_address(url.host, addresses.error);
    if (!addresses.error) {
        addresses.endpoints.emplace_back(address, url.port);
        co_return addresses;
    }
    tcp::resolver resolver(executor);
    auto resolving = resolver.async_resolve(url.host, std::to_string(url.port), kAsTuple);
    auto [error, results] = co_await std::move(resolving);
    addresses.error = error;
    for (const auto& result : results) {
        addresses.endpoints.push_back(result.endpoint());
    }
    co_return addresses;
}

}  // namespace

UpperConnection::UpperConnection(asio::any_io_executor executor, asio::any_io_executor worker, UpperUrl url,
                                 std::shared_ptr<const tls::ClientContext> context, tls::SignHook sign,
                                 UpperLimits limits)
    : executor_(std::move(executor)),
      worker_(std::move(worker)),
      url_(std::move(url)),
      context_(std::move(context)),
      sign_(std::move(sign)),
      limits_(limits),
      attempt_pause_(limits.attempt_min) {}

UpperConnection::~UpperConnection() = default;

asio::awaitable<UpperAnswer> UpperConnection::exchange(UpperRequest request) {
    for (bool again = true;;) {
        const bool kept = is_usable();
        if (!kept) {
            stream_.reset();
            auto connecting = connect();
            auto failure = co_await std::move(connecting);
            if (!failure.empty()) {
                UpperAnswer answer;
                answer.failure = std::move(failure);
                co_return answer;
            }
        }
        const bool repeatable = request.is_repeatable();
        UpperRequest copy;
        copy.put = request.put;
        copy.path = request.path;
        copy.length = request.length;
        copy.body = request.body;
        copy.stream = std::move(request.stream);
        auto conversing = converse(*stream_, url_.authority(), std::move(copy), limits_.conversation);
        auto result = co_await std::move(conversing);
        last_use_ = Clock::now();
        if (!result.reusable) {
            stream_.reset();
        }
        // A kept connection that ended without an octet had been given up by the other side just before (RFC 9112
        // section 9.3.1). PUT and GET may be repeated, as long as we still have what to send.
        if (kept && result.answer.status == 0 && !result.octets_came && repeatable && std::exchange(again, false)) {
            continue;
        }
        co_return std::move(result.answer);
    }
}

asio::awaitable<void> UpperConnection::close() {
    if (const auto stream = std::move(stream_)) {
        auto closing = stream->shutdown(std::chrono::milliseconds(500));
        co_await std::move(closing);
    }
}

asio::awaitable<std::string> UpperConnection::connect() {
    using namespace asio::experimental::awaitable_operators;
    auto pausing = pause_until(executor_, next_attempt_);
    co_await std::move(pausing);
    next_attempt_ = Clock::now() + attempt_pause_;
    attempt_pause_ = std::min(attempt_pause_ * 2, limits_.attempt_max);  // unless it succeeds

    const std::string where = "cannot reach " + url_.authority() + ": ";
    const auto until = Clock::now() + limits_.connect;
    auto resolving = resolve(executor_, url_);
    auto resolving_limit = pause_until(executor_, until);
    auto racing = std::move(resolving) || std::move(resolving_limit);
    auto resolved = co_await std::move(racing);
    if (resolved.index() == 1) {
        co_return where + "its name is not resolved in time";
    }
    const auto& addresses = std::get<0>(resolved);
    if (addresses.error) {
        co_return where + addresses.error.message();
    }

    boost::beast::tcp_stream socket(executor_);
    socket.expires_at(until);
    auto connecting = socket.async_connect(addresses.endpoints, kAsTuple);
    const auto [connect_error, endpoint] = co_await std::move(connecting);
    if (connect_error) {
        co_return where +
            (connect_error == boost::beast::error::timeout ? "no connection in time" : connect_error.message());
    }
    error_code ignored;
    socket.socket().set_option(tcp::no_delay(true), ignored);

    auto engine = tls::Engine::client(context_, url_.host, url_.port, sign_);
    if (!engine) {
        co_return where + engine.error().message();
    }
    auto stream = std::make_unique<tls::Stream>(std::move(socket), std::move(*engine));
    auto handshaking = stream->handshake(worker_, limits_.handshake);
    const auto handshake_error = co_await std::move(handshaking);
    if (handshake_error) {
        co_return "no TLS with " + url_.authority() + ": " + handshake_error.message();
    }
    stream_ = std::move(stream);
    last_use_ = Clock::now();
    attempt_pause_ = limits_.attempt_min;
    co_return std::string{};
}

// A peer that closed, or says something unasked, is not used again.
bool UpperConnection::is_usable() const {
    if (!stream_ || Clock::now() - last_use_ > limits_.idle) {
        return false;
    }
    char octet = 0;
    auto& socket = stream_->next_layer().socket();
    const auto size = ::recv(socket.native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace xinfu::courier
