#include "crypto/cms_reader.hpp"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "crypto/certificate_parts.hpp"
#include "crypto/cms_algorithms.hpp"
#include "crypto/der.hpp"
#include "crypto/signed_attributes.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kOidSizeBytesMax = 64;
constexpr std::size_t kAlgorithmSizeBytesMax = 256;
constexpr std::size_t kDigestAlgorithmsMax = 8;

constexpr std::string_view kOidSignedData = "1.2.840.113549.1.7.2";
constexpr std::string_view kOidDataType = "1.2.840.113549.1.7.1";

bool same(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}
Bytes copy(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

CmsReader::CmsReader(CmsReaderOptions options)
    : BerWalker(Step::content_info, options.definite_only), options_(options) {}

Result<std::size_t> CmsReader::feed(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink) {
    return walk(chunk_offset, chunk, sink, options_.trailing == CmsReaderOptions::Trailing::leave);
}

Result<void> CmsReader::finish() {
    return finish_walk();
}

std::optional<Errc> CmsReader::on_header(const Header& header) {
    switch (phase_) {
        case Step::content_info:
            if (header.tag != kDerSequence) {
                return Errc::cms_not_cms;
            }
            return open(header, Step::content_info_oid, kComplete);
        case Step::content_info_oid:
            return header.tag == kDerOid ? collect(header, kOidSizeBytesMax, false) : Errc::cms_not_cms;
        case Step::content_info_explicit:
            return header.tag == der_context(0) ? open(header, Step::signed_data, Step::closing) : Errc::cms_malformed;
        case Step::signed_data:
            return header.tag == kDerSequence ? open(header, Step::version, Step::closing) : Errc::cms_malformed;
        case Step::version: return header.tag == kDerInteger ? collect(header, 1, false) : Errc::cms_malformed;
        case Step::digest_set:
            return header.tag == kDerSet ? open(header, Step::digest_algorithm, Step::encapsulated)
                                         : Errc::cms_malformed;
        case Step::digest_algorithm:
            return header.tag == kDerSequence ? collect(header, kAlgorithmSizeBytesMax, true) : Errc::cms_malformed;
        case Step::encapsulated:
            return header.tag == kDerSequence ? open(header, Step::content_type, Step::after_content)
                                              : Errc::cms_malformed;
        case Step::content_type:
            return header.tag == kDerOid ? collect(header, kOidSizeBytesMax, false) : Errc::cms_malformed;
        case Step::content_explicit:
            return header.tag == der_context(0) ? open(header, Step::content_string, Step::closing)
                                                : Errc::cms_malformed;
        case Step::content_string:
        case Step::content_segment: return on_content(header);
        case Step::after_content: return on_part(header);
        case Step::certificate:
            if (header.tag != kDerSequence || certificates_.size() == kCertificatesMax) {
                return Errc::cms_certificate_form;
            }
            return collect(header, kCertificatesSizeBytesMax - certificates_size_, true, Errc::cms_certificate_form,
                           Errc::cms_part_too_large);
        case Step::revocation:
            revocation_size_ += header.length;
            return revocation_size_ > kRevocationSizeBytesMax ? std::optional(Errc::cms_part_too_large)
                                                              : skip(header, Step::revocation);
        case Step::signer_info:
            if (header.tag != kDerSequence) {
                return Errc::cms_malformed;
            }
            return signer_info_.empty()
                       ? collect(header, kSignerSizeBytesMax, true, Errc::cms_malformed, Errc::cms_part_too_large)
                       : Errc::cms_several_signers;
        default: break;
    }
    return Errc::cms_malformed;  // an element where the enclosing one should end
}

std::optional<Errc> CmsReader::on_content(const Header& header) {
    const auto after = phase_ == Step::content_string ? Step::closing : Step::content_segment;
    if (header.tag == (kDerOctetString | 0x20)) {
        return options_.definite_only ? std::optional(Errc::cms_indefinite)
                                      : open(header, Step::content_segment, after);
    }
    if (header.tag != kDerOctetString) {
        return Errc::cms_malformed;
    }
    if (header.length > options_.content_size_bytes_max - streamed_) {
        return Errc::cms_content_too_large;
    }
    return stream(header, after);
}

std::optional<Errc> CmsReader::on_part(const Header& header) {
    if (header.tag == der_context(0) && !certificates_seen_ && !revocation_seen_) {
        certificates_seen_ = true;
        return open(header, Step::certificate, Step::after_content);
    }
    if (header.tag == der_context(1) && !revocation_seen_) {
        revocation_seen_ = true;
        return open(header, Step::revocation, Step::after_content);
    }
    if (header.tag == kDerSet) {
        return open(header, Step::signer_info, Step::closing);
    }
    return Errc::cms_malformed;
}

std::optional<Errc> CmsReader::on_collected() {
    switch (phase_) {
        case Step::content_info_oid: {
            const auto oid = oid_to_text(collected_);
            if (!oid) {
                return Errc::cms_not_cms;
            }
            if (*oid != kOidSignedData) {
                return Errc::cms_wrong_type;
            }
            phase_ = Step::content_info_explicit;
            return std::nullopt;
        }
        case Step::version:
            // 4 and 5 go with attribute certificates and other things that nobody here sends.
            if (collected_.size() != 1 || (collected_[0] != 1 && collected_[0] != 3)) {
                return Errc::cms_version;
            }
            version_ = collected_[0];
            phase_ = Step::digest_set;
            return std::nullopt;
        case Step::digest_algorithm: {
            const auto sequence = der_single(collected_, kDerSequence);
            const auto algorithm = sequence ? parse_algorithm(sequence->contents) : std::nullopt;
            if (!algorithm) {
                return Errc::cms_malformed;
            }
            if (digest_name(algorithm->oid).empty() || !algorithm->parameters_absent_or_null() ||
                digest_algorithms_.size() == kDigestAlgorithmsMax) {
                return Errc::cms_digest_algorithm;
            }
            digest_algorithms_.push_back(algorithm->oid);
            return std::nullopt;
        }
        case Step::content_type: {
            auto oid = oid_to_text(collected_);
            if (!oid) {
                return Errc::cms_malformed;
            }
            signer_.content_type = std::move(*oid);
            phase_ = Step::content_explicit;
            return std::nullopt;
        }
        case Step::certificate:
            if (!read_certificate_parts(collected_)) {
                return Errc::cms_certificate_form;
            }
            certificates_size_ += collected_.size();
            certificates_.push_back(std::move(collected_));
            collected_ = {};
            return std::nullopt;
        case Step::signer_info:
            signer_info_ = std::move(collected_);
            collected_ = {};
            return std::nullopt;
        default: assert(false); return Errc::cms_malformed;
    }
}

// What the last element of the frame had to be is told by the phase.
std::optional<Errc> CmsReader::on_close() {
    switch (phase_) {
        case Step::closing:
        case Step::content_segment:
        case Step::certificate:
        case Step::revocation: return std::nullopt;
        case Step::digest_algorithm:
            return digest_algorithms_.empty() ? std::optional(Errc::cms_digest_algorithm) : std::nullopt;
        case Step::content_explicit: return Errc::cms_detached;
        case Step::signer_info: return signer_info_.empty() ? std::optional(Errc::cms_no_signer) : std::nullopt;
        default: return Errc::cms_malformed;
    }
}

// SignerInfo, RFC 5652 section 5.3: version, sid, digestAlgorithm, [0] signedAttrs, signatureAlgorithm, signature,
// [1] unsignedAttrs. The last are not covered by the signature and are not looked at.
std::optional<Errc> CmsReader::on_complete() {
    if (!is_der(signer_info_)) {
        return Errc::cms_malformed;
    }
    DerReader reader(der_single(signer_info_, kDerSequence)->contents);
    const auto version_element = reader.next(kDerInteger);
    const auto version = version_element ? der_number(*version_element) : std::nullopt;
    const bool by_name = reader.at(kDerSequence);
    const auto identifier = by_name ? reader.next(kDerSequence) : reader.next(der_context(0, false));
    const auto digest_sequence = reader.next(kDerSequence);
    if (!version || !identifier || !digest_sequence) {
        return Errc::cms_malformed;
    }
    // RFC 5652 section 5.1: version 3 exactly when something in it needs it.
    const bool other_type = signer_.content_type != kOidDataType;
    if (*version != (by_name ? 1u : 3u) || version_ != (!by_name || other_type ? 3u : 1u)) {
        return Errc::cms_version;
    }
    if (by_name) {
        DerReader parts(identifier->contents);
        const auto issuer = parts.next(kDerSequence);
        const auto serial = parts.next(kDerInteger);
        if (!issuer || !serial || !parts.empty()) {
            return Errc::cms_malformed;
        }
        signer_.issuer = copy(issuer->whole);
        signer_.serial = copy(serial->contents);
    } else if (identifier->contents.empty()) {
        return Errc::cms_malformed;
    } else {
        signer_.subject_key_identifier = copy(identifier->contents);
    }

    const auto digest = parse_algorithm(digest_sequence->contents);
    if (!digest) {
        return Errc::cms_malformed;
    }
    if (digest_name(digest->oid).empty() || !digest->parameters_absent_or_null() ||
        std::ranges::find(digest_algorithms_, digest->oid) == digest_algorithms_.end()) {
        return Errc::cms_digest_algorithm;
    }
    signer_.digest_algorithm = digest->oid;

    const auto attributes = reader.next(der_context(0));
    if (!attributes) {
        return reader.at(kDerSequence) ? Errc::cms_attributes_missing : Errc::cms_malformed;
    }
    signer_.signed_attributes = copy(attributes->whole);
    signer_.signed_attributes[0] = kDerSet;  // the form that is signed, RFC 5652 section 5.4

    const auto signature_sequence = reader.next(kDerSequence);
    const auto signature = reader.next(kDerOctetString);
    reader.next(der_context(1));
    const auto algorithm = signature_sequence ? parse_algorithm(signature_sequence->contents) : std::nullopt;
    if (!algorithm || !signature || !reader.empty()) {
        return Errc::cms_malformed;
    }
    signer_.signature_algorithm = algorithm->oid;
    signer_.signature_parameters = copy(algorithm->parameters);
    signer_.signature = copy(signature->contents);
    if (!signature_scheme(signer_.digest_algorithm, signer_.signature_algorithm, signer_.signature_parameters)) {
        return Errc::cms_algorithm_pair;
    }

    const auto parsed = parse_signed_attributes(signer_.signed_attributes);
    if (!parsed) {
        return static_cast<Errc>(parsed.error().value());
    }
    if (parsed->content_type != signer_.content_type) {
        return Errc::cms_content_type;
    }
    if (parsed->message_digest.size() != digest_size(signer_.digest_algorithm)) {
        return Errc::cms_attributes_malformed;
    }
    select_certificate();
    return std::nullopt;
}

void CmsReader::select_certificate() {
    for (auto& certificate : certificates_) {
        const auto names = read_certificate_parts(certificate);
        const bool selected = signer_.certificate.empty() &&
                              (signer_.subject_key_identifier.empty()
                                   ? same(names->issuer, signer_.issuer) && same(names->serial, signer_.serial)
                                   : same(names->subject_key_identifier, signer_.subject_key_identifier));
        if (selected) {
            signer_.certificate = std::move(certificate);
        } else {
            signer_.other_certificates.push_back(std::move(certificate));
        }
    }
    certificates_.clear();
    signer_info_.clear();
}

}  // namespace xinfu::crypto
