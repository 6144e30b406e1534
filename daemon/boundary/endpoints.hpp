// Endpoints: how connections come about. The vault dials, the others accept; under a supervisor connected
// socket pairs are handed out over control sockets, under systemd there are paths in /run/xinfu. Acceptor and
// Dialer hide which.
//
// Threads: one strand each.
// Trust:   the supervisor and systemd are trusted; what a connection then says is held to its PeerRules.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/boundary/packet.hpp"
#include "daemon/boundary/role.hpp"

namespace xinfu::boundary {

namespace asio = boost::asio;

// What a control packet to the gateway or courier hands over, by its one byte.
inline constexpr char kHandsConnection = 'c';
inline constexpr char kHandsConfiguration = 'r';

// The accepting side: gateway and courier.
class Acceptor {
public:
    // `control` is the socket to the supervisor. Connections come from `peer_uid`, the vault's.
    static Acceptor from_supervisor(asio::any_io_executor executor, Descriptor control, uid_t peer_uid);
    // `listener` is a listening AF_UNIX sequenced-packet socket.
    static Acceptor from_listener(asio::any_io_executor executor, Descriptor listener, uid_t peer_uid);
    Acceptor(Acceptor&&) noexcept;
    Acceptor& operator=(Acceptor&&) noexcept;
    ~Acceptor();

    // The vault's next connection; its packets may carry descriptors. Errors: `closed` when the supervisor is
    // gone (leave), system errors of accept(2) other than those of one connection.
    asio::awaitable<Result<Connection>> accept();
    // Under a supervisor: called from within accept() with a new configuration, checked already, when the
    // administrator asks for a reload. Unset: ignored.
    void on_reload(std::function<void(Descriptor configuration)> take);
    void close();

private:
    struct State;
    explicit Acceptor(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

struct RoleUids {
    uid_t gateway = 0;
    uid_t courier = 0;
    uid_t inspector = 0;
};

// The dialling side: the vault.
class Dialer {
public:
    static Dialer through_supervisor(asio::any_io_executor executor, Descriptor control);
    // Sockets `<folder>/{gateway,courier,inspector}.sock`, connections answered by `uids`. Needs
    // WallOptions::dials_paths.
    static Dialer through_paths(asio::any_io_executor executor, std::string folder, RoleUids uids);
    Dialer(Dialer&&) noexcept;
    Dialer& operator=(Dialer&&) noexcept;
    ~Dialer();

    // A new connection to the gateway or courier, or to a fresh inspector. The peer may not pass descriptors.
    // Errors: not_running (ask again after a moment), closed when the supervisor is gone (leave).
    asio::awaitable<Result<Connection>> dial(Role role);

private:
    struct State;
    explicit Dialer(std::shared_ptr<State> state);
    static asio::awaitable<Result<Connection>> dial_supervisor(std::shared_ptr<State> state, Role role);
    static asio::awaitable<Result<Connection>> dial_path(std::shared_ptr<State> state, Role role);
    std::shared_ptr<State> state_;
};

}  // namespace xinfu::boundary
