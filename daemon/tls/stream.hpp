// Stream: a TLS connection on a TCP socket, as Beast and Asio know streams (AsyncReadStream and AsyncWriteStream).
// At most one read and one write may be under way at a time. Deadlines are those of the tcp_stream beneath:
// beast::get_lowest_layer(stream).expires_after(...).
//
// Threads: one strand, that of the socket's executor. Only the processing of handshake messages moves to `worker`.
// Trust:   see engine.hpp.
// Errors:  error codes of xinfu::tls, of Asio and of Beast. A read answers asio::error::eof after the peer's
//          close_notify and Errc::stream_truncated when the connection ended without one.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "daemon/tls/engine.hpp"

namespace xinfu::tls {

inline constexpr std::chrono::seconds kHandshakeTimeMax{10};

class Stream {
public:
    using next_layer_type = boost::beast::tcp_stream;
    using executor_type = next_layer_type::executor_type;

    Stream(next_layer_type socket, std::unique_ptr<Engine> engine);

    executor_type get_executor() { return socket_.get_executor(); }
    next_layer_type& next_layer() { return socket_; }
    const next_layer_type& next_layer() const { return socket_; }
    Engine& engine() { return *engine_; }
    const Engine& engine() const { return *engine_; }

    // Until complete(). Messages are processed on `worker`, since the SignHook may block; the caller goes on where it
    // was. Sets the socket's deadline, and clears it when done. An alert that explains a failure has been sent.
    boost::asio::awaitable<boost::system::error_code> handshake(
        boost::asio::any_io_executor worker, std::chrono::steady_clock::duration time_max = kHandshakeTimeMax);
    // While handshake() waits for the peer: how long it has done so, all times together. Empty while the peer waits.
    std::optional<std::chrono::steady_clock::duration> waited() const;
    // The peer's first messages were whole and have been answered.
    bool has_answered() const { return answered_; }

    // Sends what is queued, close_notify and the end of our side of the connection. What the peer still sends is read
    // and thrown away for at most `linger`, so that an answer is not lost to a reset; then closes.
    boost::asio::awaitable<void> shutdown(std::chrono::steady_clock::duration linger = std::chrono::seconds(2));

    // Signature void(error_code, size_t).
    template <class MutableBuffers, class Token>
    auto async_read_some(const MutableBuffers& buffers, Token&& token);
    // Takes at most kSendBytesMax of the buffers. Completes when those bytes have been given to the socket.
    template <class ConstBuffers, class Token>
    auto async_write_some(const ConstBuffers& buffers, Token&& token);

private:
    struct FlushOperation;
    struct ReadOperation;
    template <class ConstBuffers>
    struct WriteOperation;
    template <class Token>
    auto async_flush(Token&& token);

    static constexpr std::size_t kCoalesceBytes = 16 * 1024;  // small pieces (head, chunk frames) share a record

    // All state whose address operations hold on to.
    next_layer_type socket_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<std::uint8_t[]> input_;
    Bytes in_flight_;  // being written; the engine's queue fills meanwhile
    Bytes staging_;    // small pieces of one async_write_some, side by side
    bool flushing_ = false;
    boost::system::error_code write_failure_;
    boost::asio::steady_timer flushed_;  // never expires; cancelled when a flush ends
    bool answered_ = false;
    std::chrono::steady_clock::duration waited_{};
    std::optional<std::chrono::steady_clock::time_point> waits_since_;
};

}  // namespace xinfu::tls

#include "daemon/tls/stream_operations.hpp"
