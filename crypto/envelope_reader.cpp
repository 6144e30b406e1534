#include "crypto/envelope_reader.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "crypto/der.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kOidAuthEnvelopedData = "1.2.840.113549.1.9.16.1.23";
constexpr std::string_view kOidData = "1.2.840.113549.1.7.1";
constexpr std::string_view kOidAes256Gcm = "2.16.840.1.101.3.4.1.46";
constexpr std::string_view kOidAes256Wrap = "2.16.840.1.101.3.4.1.45";
constexpr std::string_view kOidRsaOaep = "1.2.840.113549.1.1.7";
constexpr std::string_view kOidMgf1 = "1.2.840.113549.1.1.8";
constexpr std::string_view kOidPSpecified = "1.2.840.113549.1.1.9";
constexpr std::string_view kOidSha256 = "2.16.840.1.101.3.4.2.1";
constexpr std::string_view kOidEcdhSha256Kdf = "1.3.132.1.11.1";  // dhSinglePass-stdDH-sha256kdf-scheme
constexpr std::string_view kOidEcPublicKey = "1.2.840.10045.2.1";
constexpr std::string_view kOidP256 = "1.2.840.10045.3.1.7";

constexpr std::array<std::uint8_t, 13> kTypeElement{0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                    0x0d, 0x01, 0x09, 0x10, 0x01, 0x17};
constexpr std::size_t kOidSizeBytesMax = 64;
constexpr std::size_t kAlgorithmSizeBytesMax = 256;
constexpr std::size_t kEncryptedKeySizeBytesMax = 1024;  // RSA-8192
constexpr std::size_t kUserKeyingMaterialSizeBytesMax = 64;
constexpr std::size_t kPointSizeBytes = 65;
constexpr std::size_t kWrappedKeySizeBytes = kContentKeySizeBytes + 8;  // RFC 3394
// One key and nonce encrypt no more than this: 2^39 - 256 bits, NIST SP 800-38D section 5.2.1.1.
constexpr std::uint64_t kCipherSizeBytesMax = (std::uint64_t{1} << 36) - 32;

Bytes copy(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

std::optional<AlgorithmIdentifier> algorithm_in(ByteView element) {
    const auto sequence = der_single(element, kDerSequence);
    return sequence ? parse_algorithm(sequence->contents) : std::nullopt;
}

// RSAES-OAEP-params, RFC 8017 appendix A.2.1: SHA-256 twice, and no label. The defaults mean SHA-1.
bool is_oaep_sha256(ByteView parameters) {
    const auto sequence = der_single(parameters, kDerSequence);
    if (!sequence) {
        return false;
    }
    DerReader reader(sequence->contents);
    const auto hash = reader.next(der_context(0));
    const auto mask = reader.next(der_context(1));
    const auto label = reader.next(der_context(2));
    if (!hash || !mask || !reader.empty()) {
        return false;
    }
    const auto hash_algorithm = algorithm_in(hash->contents);
    const auto mask_algorithm = algorithm_in(mask->contents);
    if (!hash_algorithm || hash_algorithm->oid != kOidSha256 || !hash_algorithm->parameters_absent_or_null() ||
        !mask_algorithm || mask_algorithm->oid != kOidMgf1) {
        return false;
    }
    const auto mask_hash = algorithm_in(mask_algorithm->parameters);
    if (!mask_hash || mask_hash->oid != kOidSha256 || !mask_hash->parameters_absent_or_null()) {
        return false;
    }
    if (label) {
        const auto specified = algorithm_in(label->contents);
        const auto text = specified ? der_single(specified->parameters, kDerOctetString) : std::nullopt;
        return specified && specified->oid == kOidPSpecified && text && text->contents.empty();
    }
    return true;
}

bool read_issuer_and_serial(ByteView contents, EnvelopeRecipient& recipient) {
    DerReader reader(contents);
    const auto issuer = reader.next(kDerSequence);
    const auto serial = reader.next(kDerInteger);
    if (!issuer || !serial || !reader.empty() || serial->contents.empty()) {
        return false;
    }
    recipient.issuer = copy(issuer->whole);
    recipient.serial = copy(serial->contents);
    return true;
}

}  // namespace

BodyKind body_kind(ByteView first_octets) {
    // SEQUENCE, its length in any form, and the type.
    std::size_t at = 0;
    const auto missing = [&](std::size_t size) { return first_octets.size() < at + size; };
    if (missing(1)) {
        return BodyKind::undecided;
    }
    if (first_octets[at++] != kDerSequence) {
        return BodyKind::other;
    }
    if (missing(1)) {
        return BodyKind::undecided;
    }
    const std::uint8_t length = first_octets[at++];
    if (length > 0x88) {
        return BodyKind::other;
    }
    if (length > 0x80) {
        at += length & 0x7fu;
    }
    static_assert(kBodyKindSizeBytes >= 2 + 8 + kTypeElement.size());
    for (const std::uint8_t octet : kTypeElement) {
        if (missing(1)) {
            return BodyKind::undecided;
        }
        if (first_octets[at++] != octet) {
            return BodyKind::other;
        }
    }
    return BodyKind::envelope;
}

EnvelopeReader::EnvelopeReader() : BerWalker(Step::content_info, false) {}

Result<std::size_t> EnvelopeReader::feed(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink) {
    return walk(chunk_offset, chunk, sink, false);
}

Result<void> EnvelopeReader::finish() {
    return finish_walk();
}

std::optional<Errc> EnvelopeReader::on_header(const Header& header) {
    switch (phase_) {
        case Step::content_info:
            return header.tag == kDerSequence ? open(header, Step::content_info_oid, kComplete) : Errc::cms_not_cms;
        case Step::content_info_oid:
            return header.tag == kDerOid ? collect(header, kOidSizeBytesMax, false) : Errc::cms_not_cms;
        case Step::content_info_explicit:
            return header.tag == der_context(0) ? open(header, Step::enveloped, Step::closing) : Errc::cms_malformed;
        case Step::enveloped:
            return header.tag == kDerSequence ? open(header, Step::version, Step::closing) : Errc::cms_malformed;
        case Step::version: return header.tag == kDerInteger ? collect(header, 1, false) : Errc::cms_malformed;
        case Step::recipients:
            if (header.tag == der_context(0)) {  // originatorInfo
                return Errc::envelope_attributes;
            }
            return header.tag == kDerSet ? open(header, Step::recipient_info, Step::content) : Errc::cms_malformed;
        case Step::recipient_info:
            if (recipient_seen_) {
                return Errc::envelope_recipients;
            }
            recipient_seen_ = true;
            // ktri or [1] kari; [2] KEK, [3] password and [4] other recipients share no key of ours.
            if (header.tag != kDerSequence && header.tag != der_context(1)) {
                return Errc::envelope_key_transport;
            }
            return collect(header, kRecipientSizeBytesMax, true, Errc::cms_malformed, Errc::cms_part_too_large);
        case Step::content:
            return header.tag == kDerSequence ? open(header, Step::content_type, Step::mac) : Errc::cms_malformed;
        case Step::content_type:
            return header.tag == kDerOid ? collect(header, kOidSizeBytesMax, false) : Errc::cms_malformed;
        case Step::cipher_algorithm:
            return header.tag == kDerSequence ? collect(header, kAlgorithmSizeBytesMax, true) : Errc::cms_malformed;
        case Step::cipher_text:
        case Step::cipher_piece: return on_cipher(header);
        case Step::mac:
            if (header.tag == der_context(1)) {  // authAttrs come before the tag, but have to be known before the text
                return Errc::envelope_attributes;
            }
            if (header.tag != kDerOctetString || header.length != kEnvelopeTagSizeBytes) {
                return header.tag == kDerOctetString ? Errc::envelope_cipher : Errc::cms_malformed;
            }
            return collect(header, kEnvelopeTagSizeBytes, false);
        case Step::closing: return header.tag == der_context(2) ? Errc::envelope_attributes : Errc::cms_malformed;
        default: return Errc::cms_malformed;
    }
}

// encryptedContent: [0] IMPLICIT OCTET STRING, whole or, constructed, in pieces.
std::optional<Errc> EnvelopeReader::on_cipher(const Header& header) {
    const bool outer = phase_ == Step::cipher_text;
    const auto after = outer ? Step::closing : Step::cipher_piece;
    const std::uint8_t primitive = outer ? der_context(0, false) : kDerOctetString;
    if (header.tag == (primitive | 0x20)) {
        return open(header, Step::cipher_piece, after);
    }
    if (header.tag != primitive) {
        return Errc::cms_malformed;
    }
    if (header.length > kCipherSizeBytesMax - streamed_) {
        return Errc::cms_content_too_large;
    }
    return stream(header, after);
}

std::optional<Errc> EnvelopeReader::on_collected() {
    switch (phase_) {
        case Step::content_info_oid:
            if (oid_to_text(collected_) != kOidAuthEnvelopedData) {
                return Errc::cms_wrong_type;
            }
            phase_ = Step::content_info_explicit;
            return std::nullopt;
        case Step::version:  // RFC 5083 section 2.1: always 0
            if (collected_.size() != 1 || collected_[0] != 0) {
                return Errc::cms_version;
            }
            phase_ = Step::recipients;
            return std::nullopt;
        case Step::recipient_info: return read_recipient();
        case Step::content_type:
            if (oid_to_text(collected_) != kOidData) {
                return Errc::cms_content_type;
            }
            phase_ = Step::cipher_algorithm;
            return std::nullopt;
        case Step::cipher_algorithm: return read_cipher();
        case Step::mac:
            tag_ = collected_;
            phase_ = Step::closing;
            return std::nullopt;
        default: return Errc::cms_malformed;
    }
}

std::optional<Errc> EnvelopeReader::on_close() {
    switch (phase_) {
        case Step::closing:
        case Step::cipher_piece: return std::nullopt;
        case Step::recipient_info: return recipient_seen_ ? std::nullopt : std::optional(Errc::envelope_recipients);
        case Step::cipher_text: return Errc::cms_detached;
        default: return Errc::cms_malformed;
    }
}

std::optional<Errc> EnvelopeReader::on_complete() {
    return tag_.size() == kEnvelopeTagSizeBytes ? std::nullopt : std::optional(Errc::cms_malformed);
}

std::optional<Errc> EnvelopeReader::read_recipient() {
    if (!is_der(collected_)) {
        return Errc::cms_malformed;
    }
    const bool agreement = collected_[0] != kDerSequence;
    const auto outer = der_single(collected_, collected_[0]);
    const auto error = agreement ? read_agreement(outer->contents) : read_transport(outer->contents);
    phase_ = Step::recipient_info;
    return error;
}

// KeyTransRecipientInfo, RFC 5652 section 6.2.1.
std::optional<Errc> EnvelopeReader::read_transport(ByteView contents) {
    DerReader reader(contents);
    const auto version_element = reader.next(kDerInteger);
    const auto version = version_element ? der_number(*version_element) : std::nullopt;
    const bool by_name = reader.at(kDerSequence);
    const auto identifier = by_name ? reader.next(kDerSequence) : reader.next(der_context(0, false));
    const auto algorithm_sequence = reader.next(kDerSequence);
    const auto key = reader.next(kDerOctetString);
    const auto algorithm = algorithm_sequence ? parse_algorithm(algorithm_sequence->contents) : std::nullopt;
    if (!version || !identifier || !algorithm || !key || !reader.empty() || identifier->contents.empty()) {
        return Errc::cms_malformed;
    }
    if (*version != (by_name ? 0u : 2u)) {
        return Errc::cms_version;
    }
    if (by_name) {
        if (!read_issuer_and_serial(identifier->contents, recipient_)) {
            return Errc::cms_malformed;
        }
    } else {
        recipient_.subject_key_identifier = copy(identifier->contents);
    }
    if (algorithm->oid != kOidRsaOaep || !is_oaep_sha256(algorithm->parameters)) {
        return Errc::envelope_key_transport;  // above all: no PKCS #1 v1.5
    }
    if (key->contents.empty() || key->contents.size() > kEncryptedKeySizeBytesMax) {
        return Errc::cms_part_too_large;
    }
    recipient_.encrypted_key = copy(key->contents);
    return std::nullopt;
}

// KeyAgreeRecipientInfo, RFC 5652 section 6.2.2 and RFC 5753 section 3.1.1.
std::optional<Errc> EnvelopeReader::read_agreement(ByteView contents) {
    DerReader reader(contents);
    const auto version_element = reader.next(kDerInteger);
    const auto originator = reader.next(der_context(0));
    const auto material = reader.next(der_context(1));
    const auto algorithm_sequence = reader.next(kDerSequence);
    const auto keys = reader.next(kDerSequence);
    const auto algorithm = algorithm_sequence ? parse_algorithm(algorithm_sequence->contents) : std::nullopt;
    if (!version_element || !originator || !algorithm || !keys || !reader.empty()) {
        return Errc::cms_malformed;
    }
    if (der_number(*version_element) != std::uint64_t{3}) {
        return Errc::cms_version;
    }
    const auto wrap = algorithm_in(algorithm->parameters);
    if (algorithm->oid != kOidEcdhSha256Kdf || !wrap || wrap->oid != kOidAes256Wrap ||
        !wrap->parameters_absent_or_null()) {
        return Errc::envelope_key_transport;
    }
    recipient_.agreement = true;
    recipient_.key_wrap_algorithm = copy(algorithm->parameters);
    if (material) {
        const auto octets = der_single(material->contents, kDerOctetString);
        if (!octets || octets->contents.empty() || octets->contents.size() > kUserKeyingMaterialSizeBytesMax) {
            return Errc::cms_malformed;
        }
        recipient_.user_keying_material = copy(octets->contents);
    }

    // [0] EXPLICIT OriginatorIdentifierOrKey; only [1] OriginatorPublicKey makes sense for a key that lives once.
    const auto public_key = der_single(originator->contents, der_context(1));
    if (!public_key) {
        return Errc::envelope_key_transport;
    }
    DerReader key_reader(public_key->contents);
    const auto key_algorithm_sequence = key_reader.next(kDerSequence);
    const auto bits = key_reader.next(kDerBitString);
    const auto key_algorithm =
        key_algorithm_sequence ? parse_algorithm(key_algorithm_sequence->contents) : std::nullopt;
    if (!key_algorithm || !bits || !key_reader.empty()) {
        return Errc::cms_malformed;
    }
    const auto curve = der_single(key_algorithm->parameters, kDerOid);
    if (key_algorithm->oid != kOidEcPublicKey ||
        !(key_algorithm->parameters_absent_or_null() || (curve && oid_to_text(curve->contents) == kOidP256)) ||
        bits->contents.size() != 1 + kPointSizeBytes || bits->contents[0] != 0 || bits->contents[1] != 4) {
        return Errc::envelope_key_transport;
    }
    recipient_.originator_point = copy(bits->contents.subspan(1));

    // RecipientEncryptedKeys: one.
    DerReader list(keys->contents);
    const auto entry = list.next(kDerSequence);
    if (!entry) {
        return Errc::envelope_recipients;
    }
    if (!list.empty()) {
        return Errc::envelope_recipients;
    }
    DerReader parts(entry->contents);
    const bool by_name = parts.at(kDerSequence);
    const auto identifier = by_name ? parts.next(kDerSequence) : parts.next(der_context(0));
    const auto wrapped = parts.next(kDerOctetString);
    if (!identifier || !wrapped || !parts.empty()) {
        return Errc::cms_malformed;
    }
    if (by_name) {
        if (!read_issuer_and_serial(identifier->contents, recipient_)) {
            return Errc::cms_malformed;
        }
    } else {
        DerReader key_identifier(identifier->contents);  // date and other attributes may follow; they say nothing here
        const auto octets = key_identifier.next(kDerOctetString);
        if (!octets || octets->contents.empty()) {
            return Errc::cms_malformed;
        }
        recipient_.subject_key_identifier = copy(octets->contents);
    }
    if (wrapped->contents.size() != kWrappedKeySizeBytes) {
        return Errc::envelope_key_transport;
    }
    recipient_.encrypted_key = copy(wrapped->contents);
    return std::nullopt;
}

// GCMParameters, RFC 5084 section 3.2: the tag's length defaults to 12, which is not accepted.
std::optional<Errc> EnvelopeReader::read_cipher() {
    const auto algorithm = algorithm_in(collected_);
    if (!algorithm || !is_der(collected_)) {
        return Errc::cms_malformed;
    }
    if (algorithm->oid != kOidAes256Gcm) {
        return Errc::envelope_cipher;
    }
    const auto parameters = der_single(algorithm->parameters, kDerSequence);
    if (!parameters) {
        return Errc::envelope_cipher;
    }
    DerReader reader(parameters->contents);
    const auto nonce = reader.next(kDerOctetString);
    const auto tag_size = reader.next(kDerInteger);
    if (!nonce || nonce->contents.size() != kEnvelopeNonceSizeBytes || !tag_size ||
        der_number(*tag_size) != std::uint64_t{kEnvelopeTagSizeBytes} || !reader.empty()) {
        return Errc::envelope_cipher;
    }
    nonce_ = copy(nonce->contents);
    phase_ = Step::cipher_text;
    return std::nullopt;
}

}  // namespace xinfu::crypto
