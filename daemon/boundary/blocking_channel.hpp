// BlockingChannel: the same packets for code without an event loop: the inspector, the vault's handshake
// thread, the gateway's handshake callbacks.
//
// Threads: BlockingChannel: one thread, or one reader and one writer. BlockingCaller: internally locked.
// Errors:  returned; see packet.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <utility>

#include "daemon/boundary/packet.hpp"

namespace xinfu::boundary {

// No limit: an inspector waits for its next order as long as the vault likes.
inline constexpr std::chrono::milliseconds kForever{-1};

class BlockingChannel {
public:
    explicit BlockingChannel(Connection connection);

    // Errors: additionally timed_out, after which the channel can still be used.
    Result<Packet> receive_bytes(std::chrono::milliseconds timeout = kForever);
    Result<void> send_bytes(std::string_view bytes, int descriptor = -1, std::chrono::milliseconds timeout = kForever);

    template <class Message>
    Result<Envelope<Message>> receive(std::chrono::milliseconds timeout = kForever) {
        auto packet = receive_bytes(timeout);
        if (!packet) {
            return packet.error();
        }
        Envelope<Message> envelope;
        const auto decoded = decode(packet->bytes, envelope.message);
        if (!decoded) {
            close();
            return decoded.error();
        }
        envelope.descriptor = std::move(packet->descriptor);
        return envelope;
    }
    // The descriptor stays the caller's. Errors: too_large, closed, timed_out.
    template <class Message>
    Result<void> send(const Message& message, int descriptor = -1, std::chrono::milliseconds timeout = kForever) {
        const auto bytes = encode(message);
        if (!bytes) {
            return bytes.error();
        }
        return send_bytes(*bytes, descriptor, timeout);
    }

    // Wakes a thread that waits in receive or send, from any thread: it then answers `closed`, as does every
    // later call. (Not by shutdown(2), which the gateway's walls deny.)
    void interrupt();
    void close();
    int fd() const { return connection_.descriptor.get(); }

private:
    Connection connection_;
    Descriptor interruption_;  // event descriptor; readable once interrupted
};

// Asks one question at a time and waits for its answer; threads queue for their turn. A connection that
// failed once stays failed: take the next one.
template <class Request, class Reply>
class BlockingCaller {
public:
    explicit BlockingCaller(BlockingChannel channel) : channel_(std::move(channel)) {}

    // Sets the request's id. Errors: connection_lost (retryable), timed_out, malformed, unexpected.
    Result<Reply> ask(Request request, std::chrono::milliseconds timeout) {
        const std::scoped_lock turn(turn_);
        if (failed_) {
            return Errc::connection_lost;
        }
        const std::uint64_t id = ++last_id_;
        request.set_id(id);
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        if (const auto sent = channel_.send(request, -1, timeout); !sent) {
            return failed(sent.error());
        }
        for (;;) {
            const auto now = std::chrono::steady_clock::now();
            if (now >= deadline) {
                return Errc::timed_out;
            }
            auto envelope =
                channel_.template receive<Reply>(std::chrono::ceil<std::chrono::milliseconds>(deadline - now));
            if (!envelope) {
                return failed(envelope.error());
            }
            if (envelope->message.id() == id) {
                return std::move(envelope->message);
            }
            if (envelope->message.id() > id) {
                return failed(Errc::unexpected);
            }
            // The answer to an earlier question that nobody waits for any more.
        }
    }

    bool is_open() const {
        const std::scoped_lock turn(turn_);
        return !failed_;
    }
    // From any thread: the connection is over; whoever waits gets connection_lost.
    void interrupt() { channel_.interrupt(); }

private:
    boost::system::error_code failed(boost::system::error_code error) {
        if (error == Errc::timed_out || error == Errc::too_large) {
            return error;
        }
        failed_ = true;
        channel_.close();
        return error == Errc::closed ? make_error_code(Errc::connection_lost) : error;
    }

    mutable std::mutex turn_;
    BlockingChannel channel_;
    std::uint64_t last_id_ = 0;
    bool failed_ = false;
};

}  // namespace xinfu::boundary
