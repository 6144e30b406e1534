// PacketChannel: one boundary connection on an event loop.
//
// Threads: one strand: every call on the executor the channel was made with. Several coroutines may send at
//          once; packets leave in the order of the calls. One coroutine receives at a time.
// Trust:   see packet.hpp.
// Errors:  returned; the first one that is not too_large closes the channel, and `why_closed` keeps it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/boundary/packet.hpp"

namespace xinfu::boundary {

namespace asio = boost::asio;

class PacketChannel {
public:
    PacketChannel(asio::any_io_executor executor, Connection connection);
    PacketChannel(PacketChannel&&) noexcept;
    PacketChannel& operator=(PacketChannel&&) noexcept;
    ~PacketChannel();  // closes; operations still waiting end with Errc::closed

    // The next packet, however long it takes. Safe to cancel. Errors: see Errc; an orderly end is `closed`.
    asio::awaitable<Result<Packet>> receive_bytes() { return receive_bytes(state_); }
    // Queued behind sends already begun. The descriptor is closed here once it is on its way.
    asio::awaitable<Result<void>> send_bytes(std::string bytes, Descriptor descriptor = {}) {
        return send_encoded(state_, std::move(bytes), std::move(descriptor));
    }

    // Errors: additionally malformed.
    template <class Message>
    asio::awaitable<Result<Envelope<Message>>> receive() {
        return receive<Message>(state_);
    }
    // Encoded before the first suspension, so `message` may change or die afterwards. Errors: too_large
    // leaves the channel as it was.
    template <class Message>
    asio::awaitable<Result<void>> send(const Message& message, Descriptor descriptor = {}) {
        return send_encoded(state_, encode(message), std::move(descriptor));
    }

    void close(boost::system::error_code why = Errc::closed);
    bool is_open() const;
    boost::system::error_code why_closed() const;  // zero while open
    const asio::any_io_executor& executor() const;

    // Hands the connection on, to a BlockingChannel for instance, with the peer's process still pinned. No
    // operation may be waiting. The channel is closed afterwards.
    Connection release();

private:
    // The coroutines hold the state, not the channel, which may move or die while they wait.
    struct State;
    using StatePointer = std::shared_ptr<State>;
    static asio::awaitable<Result<Packet>> receive_bytes(StatePointer state);
    static asio::awaitable<Result<void>> send_encoded(StatePointer state, Result<std::string> bytes,
                                                      Descriptor descriptor);
    static void close(State& state, boost::system::error_code why);

    template <class Message>
    static asio::awaitable<Result<Envelope<Message>>> receive(StatePointer state) {
        auto receiving = receive_bytes(state);
        auto packet = co_await std::move(receiving);
        if (!packet) {
            co_return packet.error();
        }
        Envelope<Message> envelope;
        const auto decoded = decode(packet->bytes, envelope.message);
        recycle(std::move(packet->bytes));
        if (!decoded) {
            close(*state, decoded.error());
            co_return decoded.error();
        }
        envelope.descriptor = std::move(packet->descriptor);
        co_return envelope;
    }

    StatePointer state_;
};

}  // namespace xinfu::boundary
