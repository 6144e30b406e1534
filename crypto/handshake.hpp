// Handshake signatures: the only things the TLS key signs, built here from typed parts, and the proof that a client
// holds its certificate's key.
//
// Sources: RFC 8446 section 4.4.3 (TLS 1.3 CertificateVerify); RFC 8422 section 5.4 and RFC 5246 section 7.4.8.
// Threads: pure functions.
// Trust:   every part comes from a process that speaks with the network.
// Errors:  handshake_malformed, handshake_unproven, key_wrong_algorithm, signing_failed.
#pragma once

#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/signing_key.hpp"

namespace xinfu::crypto {

enum class TlsSide { server, client };

// TLS 1.3 CertificateVerify, scheme ecdsa_secp256r1_sha256. The digest is 32 or 48 octets. DER signature.
Result<Bytes> sign_tls13(const SigningKey& key, TlsSide side, ByteView transcript_digest);

// TLS 1.2 ServerKeyExchange, ECDSA with SHA-256. Randoms are 32 octets each; the parameters are a named curve
// (P-256, P-384, P-521 or X25519) and a point of that curve's size. DER signature.
Result<Bytes> sign_tls12(const SigningKey& key, ByteView client_random, ByteView server_random,
                         ByteView ecdhe_parameters);

// A client's CertificateVerify as Botan's callback sees it.
struct ClientProof {
    bool tls13 = false;
    ByteView signed_bytes;     // what the signature covers
    std::string_view padding;  // Botan's name of the scheme
    bool der_encoded = false;
    ByteView signature;
};

// Whether the key of `certificate` made the signature over octets that are a client's CertificateVerify and nothing
// else: TLS 1.3's padding, context string and a digest; TLS 1.2's transcript from ClientHello on.
Result<void> verify_client_proof(const Certificate& certificate, const ClientProof& proof);

}  // namespace xinfu::crypto
