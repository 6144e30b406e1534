// EnvelopeKey: the private key that opens envelopes made for its certificate; and EnvelopeWriter, which makes one.
//
// Format:  docs/formats/cms.md, "Envelope".
// Sources: RFC 5753 section 7 (ECDH, X9.63 KDF with ECC-CMS-SharedInfo), RFC 3394 (key wrap), RFC 8017 section 7.1
// (OAEP). Threads: immutable. Errors:  key_wrong_algorithm for keys other than P-256 and RSA; envelope_not_opened,
// which does not say why.
#pragma once

#include <cstdint>
#include <memory>

#include "crypto/certificate.hpp"
#include "crypto/envelope_reader.hpp"
#include "crypto/random.hpp"
#include "crypto/secret.hpp"
#include "crypto/signing_key.hpp"

namespace xinfu::crypto {

class EnvelopeKey {
public:
    // `key` belongs to `certificate`, and signs nothing.
    static Result<EnvelopeKey> create(const SigningKey& key, const Certificate& certificate);

    const Certificate& certificate() const { return certificate_; }
    KeyKind kind() const { return key_.kind(); }
    bool is_recipient(const EnvelopeRecipient& recipient) const;

    // The content key, 32 octets; or, when it does not come out, one drawn by lot, so that a sender who probes learns
    // nothing but that the tag is wrong at the end. Precondition: is_recipient().
    Secret unwrap(const EnvelopeRecipient& recipient, RandomSource& random) const;

private:
    EnvelopeKey(SigningKey key, Certificate certificate) : key_(std::move(key)), certificate_(std::move(certificate)) {}
    SigningKey key_;
    Certificate certificate_;
};

// What of an envelope does not depend on its content, and costs the most: it can be made ahead. For one content only;
// whoever gives up a content before anything of it was encrypted may take the keys for another.
struct EnvelopeKeys {
    Bytes recipients;  // RecipientInfos, DER
    Secret content_key;
    Bytes nonce;

    static Result<EnvelopeKeys> create(const Certificate& recipient, RandomSource& random);
};

// An envelope in DER around a content of known size, with ECDH for a P-256 certificate. The octets are `prefix`, the
// cipher text, which is as long as the content, and `suffix(tag)`.
struct Envelope {
    Bytes prefix;
    Secret content_key;
    Bytes nonce;

    static constexpr std::size_t kSuffixSizeBytes = 2 + kEnvelopeTagSizeBytes;
    static Bytes suffix(ByteView tag);
    // A fresh key, nonce and ephemeral key each time: never used for two contents.
    static Result<Envelope> create(const Certificate& recipient, std::uint64_t content_size, RandomSource& random);
    static Envelope around(const EnvelopeKeys& keys, std::uint64_t content_size);
};

}  // namespace xinfu::crypto
