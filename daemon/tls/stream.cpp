#include "daemon/tls/stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::tls {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Runs on the worker: Botan processes handshake messages and may wait for a signature.
asio::awaitable<error_code> feed_there(Engine& engine, ByteView arrived) {
    std::size_t delivered = 0;
    co_return engine.feed(arrived, {}, delivered);
}

}  // namespace

Stream::Stream(next_layer_type socket, std::unique_ptr<Engine> engine)
    : socket_(std::move(socket)),
      engine_(std::move(engine)),
      input_(new std::uint8_t[kFeedBytesMax]),
      flushed_(socket_.get_executor(), asio::steady_timer::time_point::max()) {}

asio::awaitable<error_code> Stream::handshake(asio::any_io_executor worker,
                                              std::chrono::steady_clock::duration time_max) {
    socket_.expires_after(time_max);
    error_code result;
    for (;;) {
        auto flush = async_flush(kAsTuple);
        const auto [flush_error] = co_await std::move(flush);
        result = engine_->failure();
        if (!result) {
            result = flush_error;
        }
        if (result || engine_->complete()) {
            break;
        }
        waits_since_ = Clock::now();
        auto read = socket_.async_read_some(asio::buffer(input_.get(), kFeedBytesMax), kAsTuple);
        const auto [read_error, arrived] = co_await std::move(read);
        waited_ += Clock::now() - *std::exchange(waits_since_, std::nullopt);
        if (read_error == asio::error::eof) {
            result = engine_->end_of_input();
            if (!result) {
                result = Errc::closed;
            }
            break;
        }
        if (read_error) {
            result = read_error;
            break;
        }
        auto fed = asio::co_spawn(worker, feed_there(*engine_, {input_.get(), arrived}), asio::use_awaitable);
        co_await std::move(fed);  // a failure shows in engine_->failure(), after its alert has been flushed
        answered_ = answered_ || engine_->output_size() != 0;
        if (!engine_->failure() && !engine_->complete() && engine_->peer_closed()) {
            result = Errc::closed;
            break;
        }
    }
    socket_.expires_never();
    co_return result;
}

std::optional<Clock::duration> Stream::waited() const {
    if (!waits_since_) {
        return std::nullopt;
    }
    return waited_ + (Clock::now() - *waits_since_);
}

asio::awaitable<void> Stream::shutdown(std::chrono::steady_clock::duration linger) {
    socket_.expires_after(linger);
    engine_->close();
    auto flush = async_flush(kAsTuple);
    const auto [flush_error] = co_await std::move(flush);
    error_code error = flush_error;
    if (!error) {
        socket_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    }
    // Unread input at close would make the kernel send a reset, which overtakes our answer.
    while (!error && !engine_->failure()) {
        auto read = socket_.async_read_some(asio::buffer(input_.get(), kFeedBytesMax), kAsTuple);
        const auto [read_error, arrived] = co_await std::move(read);
        error = read_error;
    }
    socket_.close();
}

}  // namespace xinfu::tls
