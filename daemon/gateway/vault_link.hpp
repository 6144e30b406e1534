// VaultLink: the connections the vault made to this gateway. A link is one vault process: a connection for requests,
// one or more for handshakes, and the certificate to show. Handles belong to a link and die with it.
//
// Threads: one strand. sign() alone is called from handshake threads; it waits there for the strand.
// Trust:   the vault is trusted.
// Errors:  returned. Without a link requests answer XF-6003, and handshakes wait for one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/caller.hpp"
#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/tls/context.hpp"

namespace xinfu::gateway {

namespace asio = boost::asio;

using RequestCaller = boundary::Caller<boundary::GatewayRequest, boundary::GatewayReply>;
using HandshakeCaller = boundary::Caller<boundary::HandshakeRequest, boundary::HandshakeReply>;

// How long a handshake thread waits for the vault's signature.
inline constexpr std::chrono::seconds kSignTimeMax{8};

struct Link {
    std::shared_ptr<RequestCaller> requests;
    std::shared_ptr<HandshakeCaller> handshakes;
    std::shared_ptr<const tls::ServerContext> context;

    bool is_open() const { return requests && requests->is_open() && handshakes && handshakes->is_open(); }
};
using LinkPointer = std::shared_ptr<const Link>;

class VaultLink {
public:
    // `tls12` as configured; without the vault's consent it is not spoken. `on_change` is called after a link came or
    // went.
    VaultLink(asio::any_io_executor executor, bool tls12, std::function<void(bool linked)> on_change);

    // Takes the vault's connections until the acceptor ends; answers why.
    asio::awaitable<boost::system::error_code> run(boundary::Acceptor acceptor);
    // One connection: reads its welcome and keeps it. For run(), and for tests without an acceptor.
    asio::awaitable<void> take(boundary::Connection connection);

    // Null: the vault is not there just now.
    LinkPointer current() const;
    // Waits for a link until `deadline`. Null: none came.
    asio::awaitable<LinkPointer> wait(std::chrono::steady_clock::time_point deadline);

    // A hook for one TLS connection: asks the link for its signature and blocks its thread meanwhile.
    tls::SignHook sign_hook(LinkPointer link, std::uint64_t connection) const;

private:
    void join(pid_t pid, const boundary::GatewayWelcome& welcome, std::shared_ptr<RequestCaller> requests,
              std::shared_ptr<HandshakeCaller> handshakes);
    asio::awaitable<void> watch_requests(std::shared_ptr<RequestCaller> caller);
    asio::awaitable<void> watch_handshakes(std::shared_ptr<HandshakeCaller> caller);
    void publish();

    asio::any_io_executor executor_;
    bool tls12_;
    std::function<void(bool)> on_change_;
    pid_t pid_ = 0;  // of the vault process that the parts below belong to
    std::shared_ptr<RequestCaller> requests_;
    std::shared_ptr<HandshakeCaller> handshakes_;
    std::shared_ptr<const tls::ServerContext> context_;
    LinkPointer link_;
};

}  // namespace xinfu::gateway
