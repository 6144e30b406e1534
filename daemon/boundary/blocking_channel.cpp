#include "daemon/boundary/blocking_channel.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace xinfu::boundary {
namespace {

using Clock = std::chrono::steady_clock;

std::optional<Clock::time_point> deadline_after(std::chrono::milliseconds timeout) {
    return timeout < std::chrono::milliseconds{0} ? std::nullopt : std::optional(Clock::now() + timeout);
}

bool would_block(const boost::system::error_code& error) {
    return error == boost::system::errc::resource_unavailable_try_again ||
           error == boost::system::errc::operation_would_block;
}

// Waits for `events` on `fd`. Errors: timed_out; closed when `interruption` is readable.
Result<void> wait(int fd, int interruption, short events, const std::optional<Clock::time_point>& deadline) {
    for (;;) {
        int timeout_ms = -1;
        if (deadline) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
            if (left <= 0) {
                return Errc::timed_out;
            }
            timeout_ms = static_cast<int>(std::min<decltype(left)>(left, 3'600'000));
        }
        std::array<pollfd, 2> waiting{pollfd{fd, events, 0}, pollfd{interruption, POLLIN, 0}};
        if (::poll(waiting.data(), waiting.size(), timeout_ms) < 0 && errno != EINTR) {
            return boost::system::error_code(errno, boost::system::system_category());
        }
        if (waiting[1].revents != 0) {
            return Errc::closed;
        }
        if (waiting[0].revents != 0) {
            return {};
        }
    }
}

}  // namespace

BlockingChannel::BlockingChannel(Connection connection)
    : connection_(std::move(connection)), interruption_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!want_credentials(connection_.descriptor.get())) {
        connection_.descriptor.reset();
    }
}

Result<Packet> BlockingChannel::receive_bytes(std::chrono::milliseconds timeout) {
    const auto deadline = deadline_after(timeout);
    for (;;) {
        if (!connection_.descriptor) {
            return Errc::closed;
        }
        const auto ready = wait(connection_.descriptor.get(), interruption_.get(), POLLIN, deadline);
        if (!ready) {
            return ready.error();
        }
        auto packet = receive_packet(connection_.descriptor.get(), connection_.rules, MSG_DONTWAIT);
        if (packet || !would_block(packet.error())) {
            if (!packet) {
                close();
            }
            return packet;
        }
    }
}

Result<void> BlockingChannel::send_bytes(std::string_view bytes, int descriptor, std::chrono::milliseconds timeout) {
    const auto deadline = deadline_after(timeout);
    for (;;) {
        if (!connection_.descriptor) {
            return Errc::closed;
        }
        const auto sent = send_packet(connection_.descriptor.get(), bytes, descriptor, MSG_DONTWAIT);
        if (sent || !would_block(sent.error())) {
            return sent;
        }
        const auto ready = wait(connection_.descriptor.get(), interruption_.get(), POLLOUT, deadline);
        if (!ready) {
            return ready.error();
        }
    }
}

void BlockingChannel::interrupt() {
    // The counter cannot overflow before 2^64 - 2 calls; a failed write means it is readable already.
    static_cast<void>(::eventfd_write(interruption_.get(), 1));
}

void BlockingChannel::close() {
    connection_.descriptor.reset();
}

}  // namespace xinfu::boundary
