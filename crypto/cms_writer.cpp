#include "crypto/cms_writer.hpp"

#include <algorithm>
#include <cassert>

#include <botan/bigint.h>
#include <botan/ec_group.h>
#include <botan/ecc_key.h>
#include <botan/pk_keys.h>

#include "crypto/cms_verify.hpp"
#include "crypto/der.hpp"
#include "crypto/x509_encoding.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kOidSignedData = "1.2.840.113549.1.7.2";
constexpr std::string_view kOidContentType = "1.2.840.113549.1.9.3";
constexpr std::string_view kOidMessageDigest = "1.2.840.113549.1.9.4";
constexpr std::string_view kOidSigningTime = "1.2.840.113549.1.9.5";

// DER of an ECDSA P-256 signature has 70 to 72 octets, rarely fewer. The prefix is written before the signature is
// known, so every signature is brought to the middle.
constexpr std::size_t kSignatureSize = 71;
constexpr int kSecondsMax = 64;  // each second fails less often than once in fifty times

Bytes attribute(std::string_view oid, ByteView value) {
    return der_encode(kDerSequence, {der_oid(oid), der_encode(kDerSet, {value})});
}

// In DER's order already: the three attributes begin with their lengths, which ascend (24, 28 or 30, 47).
Bytes attributes(UtcSeconds time, const Digest& digest) {
    const auto type = attribute(kOidContentType, der_oid(kOidData));
    const auto when = attribute(kOidSigningTime, der_encode_time(time));
    const auto what = attribute(kOidMessageDigest, der_encode(kDerOctetString, {digest}));
    return der_encode(kDerSet, {type, when, what});
}

// (r, n - s) is as good a signature as (r, s), and usually of the other length.
Bytes with_other_s(const SigningKey& key, ByteView signature) {
    const auto sequence = der_single(signature, kDerSequence);
    DerReader reader(sequence->contents);
    const auto r = reader.next(kDerInteger);
    const auto s = reader.next(kDerInteger);
    assert(r && s);
    const auto& group = dynamic_cast<const Botan::EC_PublicKey&>(key.native()).domain();
    const auto other = group.get_order() - Botan::BigInt::from_bytes(s->contents);
    auto octets = other.serialize();
    if ((octets.front() & 0x80) != 0) {
        octets.insert(octets.begin(), 0);
    }
    return der_encode(kDerSequence, {r->whole, der_encode(kDerInteger, {octets})});
}

Bytes signer_info(const Certificate& certificate, ByteView signed_attributes, ByteView signature) {
    const auto identifier =
        der_encode(kDerSequence, {certificate.issuer(), der_encode(kDerInteger, {certificate.serial()})});
    Bytes tagged(signed_attributes.begin(), signed_attributes.end());
    tagged[0] = der_context(0);
    return der_encode(kDerSequence,
                      {der_integer(1), identifier, der_encode(kDerSequence, {der_oid(kOidSha256)}), tagged,
                       encode_signature_algorithm(KeyKind::p256), der_encode(kDerOctetString, {signature})});
}

// In DER's order for a SET OF: that of the octets (X.690 section 11.6).
Bytes encode_certificates(ByteView one, ByteView other) {
    return std::ranges::lexicographical_compare(other, one) ? der_encode(der_context(0), {other, one})
                                                            : der_encode(der_context(0), {one, other});
}

Bytes after_content(const Certificate& certificate, const Bytes& certificates, ByteView signed_attributes,
                    ByteView signature) {
    auto out = certificates;
    const auto signers = der_encode(kDerSet, {signer_info(certificate, signed_attributes, signature)});
    out.insert(out.end(), signers.begin(), signers.end());
    return out;
}

void append(Bytes& out, ByteView bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

CmsWriter::CmsWriter(const SigningKey& key, const Certificate& certificate, std::uint64_t content_size,
                     UtcSeconds signing_time, ByteView other_certificate)
    : key_(key),
      certificate_(certificate),
      certificates_(encode_certificates(certificate.der(), other_certificate)),
      content_size_(content_size),
      signing_time_(signing_time) {
    const Bytes signature(kSignatureSize);
    suffix_size_ = after_content(certificate_, certificates_, attributes(signing_time_, {}), signature).size();

    // From the inside out, lengths first.
    const auto string = der_header(kDerOctetString, content_size_);
    const auto explicit_content = der_header(der_context(0), string.size() + content_size_);
    const auto type = der_oid(kOidData);
    const auto encapsulated =
        der_header(kDerSequence, type.size() + explicit_content.size() + string.size() + content_size_);
    const auto version = der_integer(1);
    const auto digests = der_encode(kDerSet, {der_encode(kDerSequence, {der_oid(kOidSha256)})});
    const auto signed_size = version.size() + digests.size() + encapsulated.size() + type.size() +
                             explicit_content.size() + string.size() + content_size_ + suffix_size_;
    const auto signed_data = der_header(kDerSequence, signed_size);
    const auto explicit_signed = der_header(der_context(0), signed_data.size() + signed_size);
    const auto outer_type = der_oid(kOidSignedData);
    append(prefix_,
           der_header(kDerSequence, outer_type.size() + explicit_signed.size() + signed_data.size() + signed_size));
    for (const auto* part : {&outer_type, &explicit_signed, &signed_data, &version, &digests, &encapsulated, &type,
                             &explicit_content, &string}) {
        append(prefix_, *part);
    }
}

Result<CmsWriter> CmsWriter::create(const SigningKey& key, const Certificate& certificate, std::uint64_t content_size,
                                    UtcSeconds signing_time, ByteView other_certificate) {
    if (key.kind() != KeyKind::p256 || key.public_key() != certificate.public_key()) {
        return Errc::key_wrong_algorithm;
    }
    return CmsWriter(key, certificate, content_size, signing_time, other_certificate);
}

Result<Bytes> CmsWriter::finish(const Digest& content_digest) const try {
    for (int second = 0; second < kSecondsMax; ++second) {
        const auto signed_attributes = attributes(signing_time_ + std::chrono::seconds(second), content_digest);
        const auto signature = key_.sign(signed_attributes);
        if (!signature) {
            return signature.error();
        }
        auto chosen = *signature;
        if (chosen.size() != kSignatureSize) {
            chosen = with_other_s(key_, chosen);
        }
        if (chosen.size() != kSignatureSize) {
            continue;
        }
        auto suffix = after_content(certificate_, certificates_, signed_attributes, chosen);
        assert(suffix.size() == suffix_size_);
        return suffix;
    }
    return Errc::signing_failed;
} catch (const std::exception&) {
    return Errc::signing_failed;
}

}  // namespace xinfu::crypto
