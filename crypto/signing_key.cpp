#include "crypto/signing_key.hpp"

#include <botan/ec_group.h>
#include <botan/ecdsa.h>
#include <botan/pk_keys.h>
#include <botan/pkcs8.h>
#include <botan/pubkey.h>
#include <botan/rsa.h>
#include <botan/system_rng.h>

#include "crypto/der.hpp"
#include "crypto/pem.hpp"
#include "crypto/x509_encoding.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kRsaBitsMin = 2048;
constexpr std::size_t kRsaBitsMax = 8192;
constexpr std::size_t kDocumentSizeBytesMax = 64 * 1024;

std::optional<KeyKind> kind_of(const Botan::Private_Key& key) {
    const auto name = key.algo_name();
    if (name == "Ed25519") {
        return KeyKind::ed25519;
    }
    if (name == "RSA" && key.key_length() >= kRsaBitsMin && key.key_length() <= kRsaBitsMax) {
        return KeyKind::rsa;
    }
    if (const auto* ec = dynamic_cast<const Botan::EC_PublicKey*>(&key); ec != nullptr && name == "ECDSA") {
        if (ec->domain().get_curve_oid() == Botan::OID("1.2.840.10045.3.1.7")) {
            return KeyKind::p256;
        }
        if (ec->domain().get_curve_oid() == Botan::OID("1.3.132.0.34")) {
            return KeyKind::p384;
        }
    }
    return std::nullopt;
}

}  // namespace

SigningKey SigningKey::generate_p256() {
    auto& random = Botan::system_rng();
    return {std::make_shared<Botan::ECDSA_PrivateKey>(random, Botan::EC_Group::from_name("secp256r1")), KeyKind::p256};
}

SigningKey SigningKey::generate_rsa() {
    return {std::make_shared<Botan::RSA_PrivateKey>(Botan::system_rng(), 3072), KeyKind::rsa};
}

Result<SigningKey> SigningKey::from_pkcs8(ByteView document) try {
    if (document.empty() || document.size() > kDocumentSizeBytesMax) {
        return Errc::key_malformed;
    }
    Secret der(document);
    if (document.front() != kDerSequence) {
        auto text = as_text(document);
        bool found = false;
        while (auto block = next_pem(text)) {
            if (!*block) {
                return Errc::key_malformed;
            }
            if ((*block)->label == "ENCRYPTED PRIVATE KEY") {
                return Errc::key_encrypted;
            }
            if ((*block)->label == "PRIVATE KEY") {
                der = Secret((*block)->der);
                wipe((*block)->der);
                found = true;
                break;
            }
        }
        if (!found) {
            return Errc::key_malformed;
        }
    }
    // EncryptedPrivateKeyInfo begins with an AlgorithmIdentifier where PrivateKeyInfo has its version.
    const auto outer = der_single(der.view(), kDerSequence);
    if (!outer || outer->contents.empty()) {
        return Errc::key_malformed;
    }
    if (outer->contents.front() == kDerSequence) {
        return Errc::key_encrypted;
    }
    std::shared_ptr<Botan::Private_Key> key = Botan::PKCS8::load_key(der.view());
    const auto kind = kind_of(*key);
    if (!kind) {
        return Errc::key_wrong_algorithm;
    }
    if (!key->check_key(Botan::system_rng(), false)) {
        return Errc::key_malformed;
    }
    return SigningKey(std::move(key), *kind);
} catch (const std::exception&) {
    return Errc::key_malformed;
}

Bytes SigningKey::public_key() const {
    return key_->subject_public_key();
}

Secret SigningKey::to_der() const {
    const auto der = key_->private_key_info();  // wiped by Botan
    return Secret(ByteView(der));
}

std::string SigningKey::to_pem() const {
    return crypto::to_pem("PRIVATE KEY", to_der().view());
}

Result<Bytes> SigningKey::sign(ByteView message) const try {
    const char* padding = nullptr;
    auto format = Botan::Signature_Format::Standard;
    switch (kind_) {
        case KeyKind::p256:
        case KeyKind::p384:
            padding = kind_ == KeyKind::p256 ? "SHA-256" : "SHA-384";
            format = Botan::Signature_Format::DerSequence;
            break;
        case KeyKind::rsa: padding = "PKCS1v15(SHA-256)"; break;
        case KeyKind::ed25519: padding = "Pure"; break;
    }
    auto& random = Botan::system_rng();
    Botan::PK_Signer signer(*key_, random, padding, format);  // holds state: one per call
    return signer.sign_message(message, random);
} catch (const std::exception&) {
    return Errc::signing_failed;
}

// CertificationRequestInfo: version 0, subject, public key, no attributes (RFC 2986 section 4.1).
Result<std::string> SigningKey::create_request(const DistinguishedName& subject,
                                               const std::vector<std::string>& hosts) const {
    const auto version = der_integer(0);
    const auto name = encode_name(subject);
    Bytes extensions;
    if (!hosts.empty()) {
        // extensionRequest, RFC 2985 section 5.4.2.
        const auto list = der_encode(kDerSequence, {encode_alternative_names(hosts)});
        extensions = der_encode(kDerSequence, {der_oid("1.2.840.113549.1.9.14"), der_encode(kDerSet, {list})});
    }
    const auto attributes = der_encode(der_context(0), {extensions});
    const auto body = der_encode(kDerSequence, {version, name, public_key(), attributes});
    const auto document = encode_signed(*this, body);
    if (!document) {
        return document.error();
    }
    return crypto::to_pem("CERTIFICATE REQUEST", *document);
}

}  // namespace xinfu::crypto
