// PeerLink: the vault's two connections to the gateway or to the courier: one for requests or tasks, one for
// handshakes. Both belong together: when one ends the other is closed, everything that depended on them dies, and
// the vault dials anew.
//
// Threads: run() on the vault's `io`; the handshake connection has a thread of its own while a link lasts.
// Trust:   whatever the peer does wrong ends the link and leaves a boundary_fault.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/endpoints.hpp"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/handshake_service.hpp"

namespace xinfu::vault {

class PeerLink {
public:
    // Serves until the channel ends, which may be closed from outside; answers why it ended.
    using Serve = std::function<asio::awaitable<boost::system::error_code>(
        std::shared_ptr<boundary::PacketChannel> channel, std::uint64_t link)>;

    struct Options {
        std::string name;  // "gateway", for leaves and logs
        std::function<asio::awaitable<Result<boundary::Connection>>()> dial;
        std::string request_welcome;  // the first packet on each connection, encoded
        std::string handshake_welcome;
        Serve serve;
        std::function<void(bool)> on_change;  // linked or not
    };

    PeerLink(Context& context, HandshakeService& handshakes, Options options);

    // Dials and serves until stop(), or until dialling answers that the supervisor is gone; answers that.
    asio::awaitable<boost::system::error_code> run();
    // Ends the link and the dialling.
    void stop();
    bool linked() const { return linked_; }

private:
    struct Open;
    asio::awaitable<void> pause();
    asio::awaitable<Result<std::shared_ptr<Open>>> dial_both();
    asio::awaitable<void> serve_both(std::shared_ptr<Open> open);
    void set_linked(bool linked);

    Context& context_;
    HandshakeService& handshakes_;
    Options options_;
    asio::steady_timer pause_;
    std::weak_ptr<Open> open_;
    std::uint64_t link_ = 0;
    bool linked_ = false;
    bool stopping_ = false;
};

// Whether a connection ended as connections do, rather than by a peer that broke the rules.
bool is_orderly_end(const boost::system::error_code& why);

}  // namespace xinfu::vault
