// TLS contexts: what all connections of one server, or to one server, have in common.
//
// Versions 1.3 and 1.2 (1.2 only with ECDHE, AES-GCM and extended master secret, without renegotiation), AES-256-GCM
// before AES-128-GCM, groups x25519, secp256r1, secp384r1, ECDSA and RSA signatures without SHA-1, no resumption.
//
// Sources: RFC 8446, RFC 5246, RFC 7627, RFC 9325.
// Threads: immutable; share freely. The signing hook is called on whatever thread feeds the handshake.
// Errors:  returned; Botan's exceptions stop inside.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

namespace xinfu::tls {

// The parts of what TLS wants signed. Whoever holds the key puts the signed bytes together itself, so that its key
// signs nothing but handshakes.
struct Tls13Transcript {
    Bytes digest;  // 32 or 48 bytes; signed are 64 spaces, the context string, a zero byte and this (RFC 8446 4.4.3)
};
struct Tls12KeyExchange {
    std::array<std::uint8_t, 32> client_random;
    std::array<std::uint8_t, 32> server_random;
    Bytes ecdhe_parameters;  // curve_type 3, named curve, point with its length (RFC 8422 section 5.4)
};
using HandshakeToSign = std::variant<Tls13Transcript, Tls12KeyExchange>;

// Answers a DER encoded ECDSA signature with SHA-256, made with the P-256 key of the leaf certificate. May block.
using SignHook = std::function<Result<Bytes>(const HandshakeToSign&)>;

// The peer's CertificateVerify as it arrived, for someone else to verify again.
struct PeerProof {
    Bytes certificate;  // DER, leaf
    bool tls13 = false;
    Bytes signed_bytes;        // what the signature covers
    std::string padding;       // Botan's name of the scheme, such as "SHA-256" or "PSS(SHA-256,MGF1,32)"
    bool der_encoded = false;  // ECDSA as SEQUENCE { r, s }
    Bytes signature;
};

// Certificates in PEM, in file order; text between them is skipped. Errors: settings_malformed, also when there is
// none.
Result<std::vector<Bytes>> certificates_from_pem(std::string_view text);

struct ServerSettings {
    std::vector<Bytes> certificate_chain;  // DER, leaf first; the leaf's key is P-256 and held behind the SignHook
    std::vector<Bytes> trust_anchors;      // DER: whose names are offered in CertificateRequest; may be empty
    bool tls12 = true;
};

struct ClientSettings {
    std::vector<Bytes> certificate_chain;  // DER, leaf first; empty: no client certificate
    Bytes private_key;                     // PKCS #8, DER or PEM, unencrypted; empty: the SignHook signs (TLS 1.3 only)
    std::vector<Bytes> trust_anchors;      // DER: who may have issued the server's certificate
    bool tls12 = true;                     // forced off where the SignHook signs
    bool tls13 = true;                     // off: bulk senders, since TLS 1.2 is four times as fast here
};

// A client certificate is demanded. Which one it is does not matter here: any certificate whose key the client
// proves to hold completes the handshake, and the vault says who that is.
class ServerContext {
public:
    // Errors: settings_malformed.
    static Result<std::shared_ptr<const ServerContext>> create(const ServerSettings& settings);
    struct Parts;
    explicit ServerContext(std::unique_ptr<const Parts> parts);
    ~ServerContext();
    const Parts& parts() const { return *parts_; }

private:
    std::unique_ptr<const Parts> parts_;
};

// The server's chain must lead to an anchor at the present time and its certificate name the host.
class ClientContext {
public:
    // Errors: settings_malformed.
    static Result<std::shared_ptr<const ClientContext>> create(const ClientSettings& settings);
    struct Parts;
    explicit ClientContext(std::unique_ptr<const Parts> parts);
    ~ClientContext();
    const Parts& parts() const { return *parts_; }

private:
    std::unique_ptr<const Parts> parts_;
};

}  // namespace xinfu::tls
