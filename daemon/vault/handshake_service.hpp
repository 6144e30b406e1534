// HandshakeService: the two acts of a TLS handshake that need the vault: signing this node's part, and taking a
// client's proof that it holds its certificate's key. On a thread of its own, since TLS callbacks block.
//
// What may be asked, when: SignHandshake once for each connection; ProveClient once for a connection that was
// signed for at most 15 s ago, and not at all by the courier. Anything else closes the peer.
//
// A CertificateVerify is taken once, ever: its digest is durable before the handle leaves, so that a proof seen by
// an owned gateway is worth nothing after a restart either.
//
// Sources: RFC 8446 section 4.4.3, RFC 5246 section 7.4.8.
// Threads: serve() blocks its thread; answers to proofs leave from the ledger's thread. What it shares with the
//          vault's `io` is posted there or internally locked.
// Trust:   the peer speaks with the network. Certificates that are not enrolled are never parsed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/context.hpp"
#include "daemon/vault/handles.hpp"
#include "daemon/vault/revocation.hpp"

namespace xinfu::vault {

enum class HandshakePeer { gateway, courier };

class HandshakeService {
public:
    // How long after SignHandshake a proof is taken.
    static constexpr std::chrono::seconds kProofDelayMax{15};
    // Connections signed for and not yet proven.
    static constexpr std::size_t kUnprovenMax = 65536;

    struct Refusal {
        std::string code;     // of the standing or problem
        std::string account;  // empty: nobody is known
        std::string claimed;  // digest of the certificate, hex
        std::string source;
    };
    // `refused` is called from any thread for every proof that leads to no principal in good standing.
    HandshakeService(HandshakePeer peer, Context& context, Handles& handles, const Revocations& revocations,
                     std::function<void(Refusal)> refused);
    HandshakeService(const HandshakeService&) = delete;
    HandshakeService& operator=(const HandshakeService&) = delete;
    ~HandshakeService();

    // Answers until the connection ends or the peer does what it must not; says why. `link` is the gateway's
    // connection that new handles belong to. Call on one thread at a time.
    boost::system::error_code serve(std::shared_ptr<boundary::BlockingChannel> channel, std::uint64_t link);

private:
    struct State;
    std::shared_ptr<State> state_;
};

// "192.0.2.7" or "2001:db8::7"; empty when it is no address.
std::string source_text(const boundary::SourceAddress& source);

}  // namespace xinfu::vault
