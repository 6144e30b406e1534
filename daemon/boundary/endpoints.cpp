#include "daemon/boundary/endpoints.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/packet_channel.hpp"
#include "daemon/boundary/supervisor.pb.h"

namespace xinfu::boundary {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// A control socket is one end of a pair that the supervisor made, so the kernel already knows who that was.
PeerRules supervisor_rules(int fd) {
    PeerRules rules;
    rules.may_pass_descriptors = true;
    ucred maker{};
    socklen_t size = sizeof maker;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0) {
        rules.uid = maker.uid;
        rules.pid = maker.pid;
    }
    return rules;
}

Connection control_connection(Descriptor control) {
    Connection connection;
    connection.rules = supervisor_rules(control.get());
    connection.descriptor = std::move(control);
    return connection;
}

// Errors of accept(2) that concern one connection or pass by themselves.
bool concerns_one_connection(int error) {
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EMFILE || error == ENFILE ||
           error == ENOBUFS || error == ENOMEM;
}

Dial::Role dial_role(Role role) {
    switch (role) {
        case Role::gateway: return Dial::GATEWAY;
        case Role::courier: return Dial::COURIER;
        default: return Dial::INSPECTOR;
    }
}

}  // namespace

struct Acceptor::State {
    explicit State(asio::any_io_executor executor) : listener(executor), pause(executor) {}
    std::optional<PacketChannel> control;     // under a supervisor
    asio::posix::stream_descriptor listener;  // under systemd
    asio::steady_timer pause;
    uid_t peer_uid = 0;
    std::function<void(Descriptor)> take_configuration;
};

Acceptor::Acceptor(std::shared_ptr<State> state) : state_(std::move(state)) {}
Acceptor::Acceptor(Acceptor&&) noexcept = default;
Acceptor& Acceptor::operator=(Acceptor&&) noexcept = default;
Acceptor::~Acceptor() {
    if (state_) {
        close();
    }
}

Acceptor Acceptor::from_supervisor(asio::any_io_executor executor, Descriptor control, uid_t peer_uid) {
    auto state = std::make_shared<State>(executor);
    state->control.emplace(executor, control_connection(std::move(control)));
    state->peer_uid = peer_uid;
    return Acceptor(std::move(state));
}

Acceptor Acceptor::from_listener(asio::any_io_executor executor, Descriptor listener, uid_t peer_uid) {
    auto state = std::make_shared<State>(executor);
    // Set on the listener, it holds for connections queued before they are accepted as well.
    static_cast<void>(want_credentials(listener.get()).has_value());
    state->listener.assign(listener.release());
    state->listener.native_non_blocking(true);
    state->peer_uid = peer_uid;
    return Acceptor(std::move(state));
}

asio::awaitable<Result<Connection>> Acceptor::accept() {
    auto state = state_;
    Connection connection;
    connection.rules.uid = state->peer_uid;
    connection.rules.may_pass_descriptors = true;
    while (state->control) {
        auto receiving = state->control->receive_bytes();
        auto packet = co_await std::move(receiving);
        if (!packet) {
            co_return packet.error();
        }
        if (!packet->descriptor) {
            co_return Errc::missing_descriptor;
        }
        if (packet->bytes.size() == 1 && packet->bytes[0] == kHandsConfiguration) {
            if (state->take_configuration) {
                state->take_configuration(std::move(packet->descriptor));
            }
            continue;
        }
        if (packet->bytes.size() != 1 || packet->bytes[0] != kHandsConnection) {
            co_return Errc::malformed;
        }
        connection.descriptor = std::move(packet->descriptor);
        co_return connection;
    }
    for (;;) {
        if (!state->listener.is_open()) {
            co_return Errc::closed;
        }
        Descriptor accepted(::accept4(state->listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
        if (accepted) {
            connection.descriptor = std::move(accepted);
            co_return connection;
        }
        const int error = errno;
        if (error == EAGAIN) {
            const auto [waited] =
                co_await state->listener.async_wait(asio::posix::stream_descriptor::wait_read, kAsTuple);
            if (waited) {
                co_return state->listener.is_open() ? waited : make_error_code(Errc::closed);
            }
        } else if (concerns_one_connection(error)) {
            // Out of descriptors, say: trying at once again would only spin.
            state->pause.expires_after(std::chrono::milliseconds{50});
            co_await state->pause.async_wait(kAsTuple);
        } else {
            co_return boost::system::error_code(error, boost::system::system_category());
        }
    }
}

void Acceptor::on_reload(std::function<void(Descriptor configuration)> take) {
    state_->take_configuration = std::move(take);
}

void Acceptor::close() {
    if (state_->control) {
        state_->control->close();
    }
    boost::system::error_code ignored;
    state_->listener.close(ignored);
    state_->pause.cancel();
}

struct Dialer::State {
    explicit State(asio::any_io_executor executor) : turn(executor) {
        turn.expires_at(asio::steady_timer::time_point::max());
    }
    std::optional<PacketChannel> control;
    std::string folder;
    RoleUids uids;
    std::uint64_t last_id = 0;
    bool dialling = false;
    asio::steady_timer turn;  // one wake-up for each dial that ends
};

Dialer::Dialer(std::shared_ptr<State> state) : state_(std::move(state)) {}
Dialer::Dialer(Dialer&&) noexcept = default;
Dialer& Dialer::operator=(Dialer&&) noexcept = default;
Dialer::~Dialer() {
    if (state_ && state_->control) {
        state_->control->close();
    }
}

Dialer Dialer::through_supervisor(asio::any_io_executor executor, Descriptor control) {
    auto state = std::make_shared<State>(executor);
    state->control.emplace(executor, control_connection(std::move(control)));
    return Dialer(std::move(state));
}

Dialer Dialer::through_paths(asio::any_io_executor executor, std::string folder, RoleUids uids) {
    auto state = std::make_shared<State>(executor);
    state->folder = std::move(folder);
    state->uids = uids;
    return Dialer(std::move(state));
}

asio::awaitable<Result<Connection>> Dialer::dial(Role role) {
    auto state = state_;
    if (state->control) {
        return dial_supervisor(std::move(state), role);
    }
    return dial_path(std::move(state), role);
}

asio::awaitable<Result<Connection>> Dialer::dial_supervisor(std::shared_ptr<State> state, Role role) {
    while (state->dialling) {
        const auto [cancelled] = co_await state->turn.async_wait(kAsTuple);
        static_cast<void>(cancelled);  // always: the timer never expires
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) {
            co_return asio::error::operation_aborted;
        }
    }
    struct Turn {
        explicit Turn(State& of) : state(of) { state.dialling = true; }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() {
            state.dialling = false;
            state.turn.cancel();
        }
        State& state;
    };
    const Turn turn(*state);

    Dial request;
    request.set_role(dial_role(role));
    request.set_id(++state->last_id);
    auto sending = state->control->send(request);
    const auto sent = co_await std::move(sending);
    if (!sent) {
        co_return sent.error();
    }
    for (;;) {
        auto receiving = state->control->receive<Dialled>();
        auto answer = co_await std::move(receiving);
        if (!answer) {
            co_return answer.error();
        }
        if (answer->message.id() < request.id()) {
            continue;  // its asker was cancelled; the descriptor closes here
        }
        if (answer->message.id() != request.id()) {
            co_return Errc::unexpected;
        }
        if (answer->message.failed()) {
            co_return Errc::not_running;
        }
        if (!answer->descriptor) {
            co_return Errc::missing_descriptor;
        }
        Connection connection;
        connection.descriptor = std::move(answer->descriptor);
        connection.rules.uid = answer->message.peer_uid();
        co_return connection;
    }
}

asio::awaitable<Result<Connection>> Dialer::dial_path(std::shared_ptr<State> state, Role role) {
    const std::string path = state->folder + "/" + std::string(role_name(role)) + ".sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        co_return make_error_code(boost::system::errc::filename_too_long);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Connection connection;
    connection.descriptor = Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!connection.descriptor) {
        co_return boost::system::error_code(errno, boost::system::system_category());
    }
    if (::connect(connection.descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        // A full backlog, nobody there, or not there yet: all pass.
        co_return Errc::not_running;
    }
    if (const auto wanted = want_credentials(connection.descriptor.get()); !wanted) {
        co_return wanted.error();
    }
    connection.rules.uid = role == Role::gateway   ? state->uids.gateway
                           : role == Role::courier ? state->uids.courier
                                                   : state->uids.inspector;
    co_return connection;
}

}  // namespace xinfu::boundary
