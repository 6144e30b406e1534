#include "daemon/courier/upper_connection.hpp"

#include <algorithm>
#include <iterator>
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
      changed_(executor_, Clock::time_point::max()),
      attempt_pause_(limits.attempt_min) {}

UpperConnection::~UpperConnection() = default;

std::size_t UpperConnection::room() const {
    const std::size_t most = conversation_ && conversation_->is_warm() ? limits_.under_way_max : 1;
    return stopping_ || errands_.size() >= most ? 0 : most - errands_.size();
}

void UpperConnection::send(UpperRequest request, std::function<void(UpperAnswer)> told) {
    errands_.push_back({std::move(request), std::move(told)});
    changed_.cancel();
    if (conversation_) {
        conversation_->notify();
    }
}

asio::awaitable<void> UpperConnection::run() {
    while (!abandoned_ && !(stopping_ && errands_.empty())) {
        if (errands_.empty()) {
            auto waiting = changed_.async_wait(kAsTuple);
            co_await std::move(waiting);
            continue;
        }
        auto connecting = connect();
        auto connected = co_await std::move(connecting);
        if (!connected.stream) {
            give_back(connected.failure, false);
            continue;
        }
        if (abandoned_) {
            break;
        }
        conversation_.emplace(std::move(connected.stream), url_.authority(), errands_, limits_.conversation);
        if (stopping_) {
            conversation_->finish();
        }
        auto conversing = conversation_->run();
        const auto end = co_await std::move(conversing);
        conversation_.reset();
        settle(end);
        on_room();
    }
    give_back({}, true);
}

// What becomes of the errands that a connection left.
void UpperConnection::settle(const Conversation::End& end) {
    if (end.held) {
        give_back({}, true);
        return;
    }
    // A connection that served before and ended without an octet of an answer had been given up by the other side just
    // before (RFC 9112 section 9.3.1). What is sent here may be repeated, as long as we still have what to send; the
    // foremost is alone on the next connection, so that it cannot fail twice.
    for (std::size_t at = 0; at < end.begun; ++at) {
        if (!end.answered || errands_[at].request.streamed || (at == 0 && end.octets_came)) {
            give_back(end.why, true, at);
            return;
        }
    }
}

// Those behind the first so many. `why` is what is wrong with the foremost of them; empty: nothing.
void UpperConnection::give_back(const std::string& why, bool reached, std::size_t behind) {
    const auto first = errands_.begin() + static_cast<std::ptrdiff_t>(behind);
    Errands given_back(std::make_move_iterator(first), std::make_move_iterator(errands_.end()));
    errands_.erase(first, errands_.end());
    for (Errand& errand : given_back) {
        UpperAnswer answer;
        answer.given_back = why.empty() || &errand != &given_back.front();
        answer.failure = answer.given_back ? "one before it failed" : why;
        answer.reached = reached;
        errand.told(std::move(answer));
    }
    on_room();
}

void UpperConnection::stop() {
    stopping_ = true;
    changed_.cancel();
    if (conversation_) {
        conversation_->finish();
    }
}

void UpperConnection::abandon() {
    stopping_ = abandoned_ = true;
    changed_.cancel();
    if (conversation_) {
        conversation_->abort();
    }
}

asio::awaitable<UpperConnection::Connected> UpperConnection::connect() {
    using namespace asio::experimental::awaitable_operators;
    auto pausing = pause_until(executor_, next_attempt_);
    co_await std::move(pausing);
    next_attempt_ = Clock::now() + attempt_pause_;
    attempt_pause_ = std::min(attempt_pause_ * 2, limits_.attempt_max);  // unless it succeeds

    Connected connected;
    const std::string where = "cannot reach " + url_.authority() + ": ";
    const auto until = Clock::now() + limits_.connect;
    auto resolving = resolve(executor_, url_);
    auto resolving_limit = pause_until(executor_, until);
    auto racing = std::move(resolving) || std::move(resolving_limit);
    auto resolved = co_await std::move(racing);
    if (resolved.index() == 1) {
        connected.failure = where + "its name is not resolved in time";
        co_return connected;
    }
    const auto& addresses = std::get<0>(resolved);
    if (addresses.error) {
        connected.failure = where + addresses.error.message();
        co_return connected;
    }

    boost::beast::tcp_stream socket(executor_);
    socket.expires_at(until);
    auto connecting = socket.async_connect(addresses.endpoints, kAsTuple);
    const auto [connect_error, endpoint] = co_await std::move(connecting);
    if (connect_error) {
        connected.failure =
            where + (connect_error == boost::beast::error::timeout ? "no connection in time" : connect_error.message());
        co_return connected;
    }
    error_code ignored;
    socket.socket().set_option(tcp::no_delay(true), ignored);

    auto engine = tls::Engine::client(context_, url_.host, url_.port, sign_);
    if (!engine) {
        connected.failure = where + engine.error().message();
        co_return connected;
    }
    auto stream = std::make_unique<tls::Stream>(std::move(socket), std::move(*engine));
    auto handshaking = stream->handshake(worker_, limits_.handshake);
    const auto handshake_error = co_await std::move(handshaking);
    if (handshake_error) {
        connected.failure = "no TLS with " + url_.authority() + ": " + handshake_error.message();
        co_return connected;
    }
    attempt_pause_ = limits_.attempt_min;
    connected.stream = std::move(stream);
    co_return connected;
}

}  // namespace xinfu::courier
