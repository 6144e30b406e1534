// SigningKey: a private key that signs. Nodes have P-256 keys; a department brings its own, of any accepted kind.
//
// Format:  PKCS #8, DER or PEM, unencrypted (RFC 5208); certificate requests are PKCS #10 (RFC 2986).
// Sources: FIPS 186-5 (ECDSA, EdDSA), RFC 8017 (RSA).
// Threads: immutable; copies share the key, which is wiped with the last of them.
// Errors:  key_malformed, key_encrypted, key_wrong_algorithm, signing_failed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/distinguished_name.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/secret.hpp"

namespace Botan {
class Private_Key;
}

namespace xinfu::crypto {

enum class KeyKind { p256, p384, ed25519, rsa };

class SigningKey {
public:
    static SigningKey generate_p256();
    static SigningKey generate_rsa();  // 3072 bits, about 128 bits of strength (NIST SP 800-57 part 1, table 2)
    // Accepts P-256, P-384, Ed25519 and RSA from 2048 to 8192 bits. The caller wipes `document`.
    static Result<SigningKey> from_pkcs8(ByteView document);

    KeyKind kind() const { return kind_; }
    Bytes public_key() const;    // SubjectPublicKeyInfo, DER
    Secret to_der() const;       // PKCS #8
    std::string to_pem() const;  // PKCS #8; the caller wipes it

    // Signs with the key's own scheme: ECDSA P-256 with SHA-256, P-384 with SHA-384 (both DER encoded), Ed25519,
    // RSA PKCS #1 v1.5 with SHA-256.
    Result<Bytes> sign(ByteView message) const;

    // A PKCS #10 request for this key, PEM. `hosts` are what a server's certificate shall name.
    Result<std::string> create_request(const DistinguishedName& subject,
                                       const std::vector<std::string>& hosts = {}) const;

    const Botan::Private_Key& native() const { return *key_; }
    std::shared_ptr<Botan::Private_Key> share_native() const { return key_; }

private:
    SigningKey(std::shared_ptr<Botan::Private_Key> key, KeyKind kind) : key_(std::move(key)), kind_(kind) {}

    std::shared_ptr<Botan::Private_Key> key_;
    KeyKind kind_;
};

}  // namespace xinfu::crypto
