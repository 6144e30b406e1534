#include "crypto/envelope_key.hpp"

#include <algorithm>

#include <botan/block_cipher.h>
#include <botan/ec_group.h>
#include <botan/ecdh.h>
#include <botan/nist_keywrap.h>
#include <botan/pubkey.h>
#include <botan/system_rng.h>
#include <botan/x509cert.h>

#include "crypto/der.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kPadding = "OAEP(SHA-256,MGF1(SHA-256))";
constexpr std::uint32_t kWrappingKeyBits = 256;
constexpr std::string_view kAgreement = "1.3.132.1.11.1";         // dhSinglePass-stdDH-sha256kdf-scheme
constexpr std::string_view kKeyWrap = "2.16.840.1.101.3.4.1.45";  // id-aes256-wrap
constexpr std::string_view kCipher = "2.16.840.1.101.3.4.1.46";   // id-aes256-GCM
constexpr std::string_view kEnvelopeType = "1.2.840.113549.1.9.16.1.23";
constexpr std::string_view kContentType = "1.2.840.113549.1.7.1";

// ECC-CMS-SharedInfo, RFC 5753 section 7.2.
Bytes shared_info(ByteView key_wrap_algorithm, ByteView user_keying_material) {
    const Bytes bits{0, 0, static_cast<std::uint8_t>(kWrappingKeyBits >> 8),
                     static_cast<std::uint8_t>(kWrappingKeyBits & 0xff)};
    const auto supplement = der_encode(der_context(2), {der_encode(kDerOctetString, {bits})});
    Bytes entity;
    if (!user_keying_material.empty()) {
        entity = der_encode(der_context(0), {der_encode(kDerOctetString, {user_keying_material})});
    }
    return der_encode(kDerSequence, {key_wrap_algorithm, entity, supplement});
}

std::unique_ptr<Botan::BlockCipher> wrapping_cipher(const Botan::PK_Key_Agreement& agreement, ByteView point,
                                                    ByteView info) {
    const auto key = agreement.derive_key(kWrappingKeyBits / 8, point.data(), point.size(), info.data(), info.size());
    auto cipher = Botan::BlockCipher::create_or_throw("AES-256");
    cipher->set_key(key.bits_of());
    return cipher;
}

bool same(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}

}  // namespace

Result<EnvelopeKey> EnvelopeKey::create(const SigningKey& key, const Certificate& certificate) {
    if ((key.kind() != KeyKind::p256 && key.kind() != KeyKind::rsa) || key.public_key() != certificate.public_key()) {
        return Errc::key_wrong_algorithm;
    }
    return EnvelopeKey(key, certificate);
}

bool EnvelopeKey::is_recipient(const EnvelopeRecipient& recipient) const {
    if (recipient.agreement != (key_.kind() == KeyKind::p256)) {
        return false;
    }
    if (!recipient.subject_key_identifier.empty()) {
        return same(recipient.subject_key_identifier, certificate_.subject_key_identifier());
    }
    return !recipient.issuer.empty() && same(recipient.issuer, certificate_.issuer()) &&
           same(recipient.serial, certificate_.serial());
}

Secret EnvelopeKey::unwrap(const EnvelopeRecipient& recipient, RandomSource& random) const {
    auto chosen = random.secret(kContentKeySizeBytes);
    try {
        if (!recipient.agreement) {
            Botan::PK_Decryptor_EME decryptor(key_.native(), Botan::system_rng(), kPadding);
            const auto key = decryptor.decrypt_or_random(recipient.encrypted_key.data(), recipient.encrypted_key.size(),
                                                         kContentKeySizeBytes, Botan::system_rng());
            if (key.size() == kContentKeySizeBytes) {
                chosen = Secret(ByteView(key));
            }
            return chosen;
        }
        const Botan::ECDH_PrivateKey key(key_.native().algorithm_identifier(), key_.native().private_key_bits());
        const Botan::PK_Key_Agreement agreement(key, Botan::system_rng(), "KDF2(SHA-256)");
        const auto info = shared_info(recipient.key_wrap_algorithm, recipient.user_keying_material);
        const auto cipher = wrapping_cipher(agreement, recipient.originator_point, info);
        const auto content_key =
            Botan::nist_key_unwrap(recipient.encrypted_key.data(), recipient.encrypted_key.size(), *cipher);
        if (content_key.size() == kContentKeySizeBytes) {
            chosen = Secret(ByteView(content_key));
        }
    } catch (const std::exception&) {
        // A point off the curve, a wrapped key that was altered, a number too large: the key by lot stays.
    }
    return chosen;
}

Bytes Envelope::suffix(ByteView tag) {
    return der_encode(kDerOctetString, {tag});
}

Result<EnvelopeKeys> EnvelopeKeys::create(const Certificate& recipient, RandomSource& random) try {
    const auto public_key = recipient.native().subject_public_key();
    const auto* ec = dynamic_cast<const Botan::EC_PublicKey*>(public_key.get());
    if (ec == nullptr || ec->domain().get_curve_oid() != Botan::OID("1.2.840.10045.3.1.7")) {
        return Errc::key_wrong_algorithm;
    }
    EnvelopeKeys keys{{}, random.secret(kContentKeySizeBytes), {}};
    const auto nonce = random.array<kEnvelopeNonceSizeBytes>();
    keys.nonce.assign(nonce.begin(), nonce.end());

    const Botan::ECDH_PrivateKey ephemeral(Botan::system_rng(), ec->domain());
    const Botan::PK_Key_Agreement agreement(ephemeral, Botan::system_rng(), "KDF2(SHA-256)");
    const auto key_wrap = der_encode(kDerSequence, {der_oid(kKeyWrap)});
    const auto cipher = wrapping_cipher(agreement, ec->public_key_bits(), shared_info(key_wrap, {}));
    const auto content_key = keys.content_key.view();
    const auto wrapped = Botan::nist_key_wrap(content_key.data(), content_key.size(), *cipher);

    Bytes point{0};  // no unused bits
    const auto value = ephemeral.public_value();
    point.insert(point.end(), value.begin(), value.end());
    const auto point_string = der_encode(kDerBitString, {point});
    const auto point_algorithm =
        der_encode(kDerSequence, {der_oid("1.2.840.10045.2.1"), der_oid("1.2.840.10045.3.1.7")});
    const auto originator = der_encode(der_context(0), {der_encode(der_context(1), {point_algorithm, point_string})});
    const auto agreement_algorithm = der_encode(kDerSequence, {der_oid(kAgreement), key_wrap});
    const auto identifier =
        der_encode(kDerSequence, {recipient.issuer(), der_encode(kDerInteger, {recipient.serial()})});
    const auto wrapped_string = der_encode(kDerOctetString, {wrapped});
    const auto encrypted_keys = der_encode(kDerSequence, {der_encode(kDerSequence, {identifier, wrapped_string})});
    const auto version = der_integer(3);
    const auto recipient_info = der_encode(der_context(1), {version, originator, agreement_algorithm, encrypted_keys});
    keys.recipients = der_encode(kDerSet, {recipient_info});
    return keys;
} catch (const std::exception&) {
    return Errc::signing_failed;
}

Result<Envelope> Envelope::create(const Certificate& recipient, std::uint64_t content_size, RandomSource& random) {
    const auto keys = EnvelopeKeys::create(recipient, random);
    if (!keys) {
        return keys.error();
    }
    return around(*keys, content_size);
}

Envelope Envelope::around(const EnvelopeKeys& keys, std::uint64_t content_size) {
    Envelope envelope{{}, keys.content_key.copy(), keys.nonce};
    const auto& recipients = keys.recipients;
    const auto nonce_string = der_encode(kDerOctetString, {envelope.nonce});
    const auto parameters = der_encode(kDerSequence, {nonce_string, der_integer(kEnvelopeTagSizeBytes)});
    const auto cipher_algorithm = der_encode(kDerSequence, {der_oid(kCipher), parameters});
    const auto content_type = der_oid(kContentType);
    const auto cipher_text = der_header(der_context(0, false), content_size);
    const auto content =
        der_header(kDerSequence, content_type.size() + cipher_algorithm.size() + cipher_text.size() + content_size);
    const auto zero = der_integer(0);
    const std::uint64_t inner = zero.size() + recipients.size() + content.size() + content_type.size() +
                                cipher_algorithm.size() + cipher_text.size() + content_size + kSuffixSizeBytes;
    const auto enveloped = der_header(kDerSequence, inner);
    const auto explicit_enveloped = der_header(der_context(0), enveloped.size() + inner);
    const auto type = der_oid(kEnvelopeType);
    const auto whole = der_header(kDerSequence, type.size() + explicit_enveloped.size() + enveloped.size() + inner);
    for (const auto* part : {&whole, &type, &explicit_enveloped, &enveloped, &zero, &recipients, &content,
                             &content_type, &cipher_algorithm, &cipher_text}) {
        envelope.prefix.insert(envelope.prefix.end(), part->begin(), part->end());
    }
    return envelope;
}

}  // namespace xinfu::crypto
