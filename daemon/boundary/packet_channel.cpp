#include "daemon/boundary/packet_channel.hpp"

#include <sys/socket.h>

#include <cassert>
#include <deque>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::boundary {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

bool would_block(const boost::system::error_code& error) {
    return error == boost::system::errc::resource_unavailable_try_again ||
           error == boost::system::errc::operation_would_block;
}

}  // namespace

struct PacketChannel::State {
    State(asio::any_io_executor on, Connection connection)
        : executor(on), descriptor(on, connection.descriptor.release()), rules(connection.rules) {}

    // One sender at a time; the others wait on their timers, first come first served.
    struct Turn {
        explicit Turn(State& of) : state(of) {}
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() {
            state.sending = false;
            if (!state.waiting.empty()) {
                // Reserved for that waiter at once: a newcomer must not slip in before it resumes.
                state.sending = true;
                *state.waiting.front().granted = true;
                state.waiting.front().timer->cancel();
                state.waiting.pop_front();
            }
        }
        State& state;
    };
    struct Waiter {
        std::shared_ptr<asio::steady_timer> timer;
        std::shared_ptr<bool> granted;
    };

    asio::any_io_executor executor;
    asio::posix::stream_descriptor descriptor;
    PeerRules rules;
    boost::system::error_code why;
    bool sending = false;
    std::deque<Waiter> waiting;
};

PacketChannel::PacketChannel(asio::any_io_executor executor, Connection connection)
    : state_(std::make_shared<State>(std::move(executor), std::move(connection))) {
    if (const auto wanted = want_credentials(state_->descriptor.native_handle()); !wanted) {
        close(wanted.error());
    }
}
PacketChannel::PacketChannel(PacketChannel&&) noexcept = default;
PacketChannel& PacketChannel::operator=(PacketChannel&& other) noexcept {
    if (state_ && state_ != other.state_) {
        close();
    }
    state_ = std::move(other.state_);
    return *this;
}
PacketChannel::~PacketChannel() {
    if (state_) {
        close();
    }
}

asio::awaitable<Result<Packet>> PacketChannel::receive_bytes(StatePointer state) {
    for (;;) {
        if (!state->descriptor.is_open()) {
            co_return state->why;
        }
        auto packet = receive_packet(state->descriptor.native_handle(), state->rules, MSG_DONTWAIT);
        if (packet || !would_block(packet.error())) {
            if (!packet) {
                close(*state, packet.error());
            }
            co_return packet;
        }
        const auto [error] = co_await state->descriptor.async_wait(asio::posix::stream_descriptor::wait_read, kAsTuple);
        if (error) {
            // Closed meanwhile, or only this wait was cancelled: then the channel lives on.
            co_return state->descriptor.is_open() ? error : state->why;
        }
    }
}

asio::awaitable<Result<void>> PacketChannel::send_encoded(StatePointer state, Result<std::string> bytes,
                                                          Descriptor descriptor) {
    if (!bytes) {
        co_return bytes.error();
    }
    if (state->sending) {
        State::Waiter waiter{std::make_shared<asio::steady_timer>(state->executor), std::make_shared<bool>(false)};
        waiter.timer->expires_at(asio::steady_timer::time_point::max());
        state->waiting.push_back(waiter);
        co_await waiter.timer->async_wait(kAsTuple);
        if (!*waiter.granted) {
            std::erase_if(state->waiting, [&](const auto& other) { return other.granted == waiter.granted; });
            co_return state->descriptor.is_open() ? make_error_code(asio::error::operation_aborted) : state->why;
        }
    }
    state->sending = true;
    const State::Turn turn(*state);
    for (;;) {
        if (!state->descriptor.is_open()) {
            co_return state->why;
        }
        const auto sent = send_packet(state->descriptor.native_handle(), *bytes, descriptor.get(), MSG_DONTWAIT);
        if (sent || !would_block(sent.error())) {
            if (!sent && sent.error() != Errc::too_large) {
                close(*state, sent.error());
            }
            co_return sent;
        }
        const auto [error] =
            co_await state->descriptor.async_wait(asio::posix::stream_descriptor::wait_write, kAsTuple);
        if (error) {
            co_return state->descriptor.is_open() ? error : state->why;
        }
    }
}

void PacketChannel::close(State& state, boost::system::error_code why) {
    if (!state.descriptor.is_open()) {
        return;
    }
    state.why = why;
    boost::system::error_code ignored;  // the number is free whatever close(2) answers
    state.descriptor.close(ignored);
    for (const auto& waiter : std::exchange(state.waiting, {})) {
        waiter.timer->cancel();
    }
}

void PacketChannel::close(boost::system::error_code why) {
    close(*state_, why);
}
bool PacketChannel::is_open() const {
    return state_->descriptor.is_open();
}
boost::system::error_code PacketChannel::why_closed() const {
    return state_->why;
}
const asio::any_io_executor& PacketChannel::executor() const {
    return state_->executor;
}

Connection PacketChannel::release() {
    assert(state_->descriptor.is_open() && !state_->sending);
    Connection connection;
    connection.rules = state_->rules;
    connection.descriptor = Descriptor(state_->descriptor.release());
    state_->why = Errc::closed;
    return connection;
}

}  // namespace xinfu::boundary
