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

constexpr std::uint64_t kIndefinite = ~std::uint64_t{0};
constexpr std::uint64_t kLengthMax = std::uint64_t{1} << 40;
// Content may come in pieces, but not in crumbs: this many elements, and one more for every so many octets. openssl
// -stream makes pieces of 4096 octets, other libraries of 1000.
constexpr std::uint64_t kElementsFree = 4096;
constexpr std::uint64_t kOctetsPerElementMin = 256;
constexpr std::size_t kOidSizeBytesMax = 64;
constexpr std::size_t kAlgorithmSizeBytesMax = 256;
constexpr std::size_t kDigestAlgorithmsMax = 8;
constexpr std::size_t kFirstOctets = 16;  // enough to tell PEM and mail from CMS

constexpr std::string_view kOidSignedData = "1.2.840.113549.1.7.2";
constexpr std::string_view kOidDataType = "1.2.840.113549.1.7.1";

bool same(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}
Bytes copy(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

bool begins_with(ByteView octets, std::string_view text) {
    return octets.size() >= text.size() &&
           std::equal(text.begin(), text.end(), octets.begin(),
                      [](char a, std::uint8_t b) { return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b); });
}

}  // namespace

CmsReader::CmsReader(CmsReaderOptions options) : options_(options) {}

Result<std::size_t> CmsReader::feed(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink) {
    if (failure_) {
        return *failure_;
    }
    std::size_t at = 0;
    std::optional<Errc> error;
    while (at < chunk.size() && phase_ != Phase::complete && !error) {
        if (action_ == Action::header) {
            error = on_octet(chunk[at++]);
            continue;
        }
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, chunk.size() - at));
        const auto piece = chunk.subspan(at, size);
        at += size;
        size_ += size;
        remaining_ -= size;
        if (action_ == Action::collect) {
            collected_.insert(collected_.end(), piece.begin(), piece.end());
        } else if (action_ == Action::stream) {
            content_size_ += size;
            const auto taken = sink(chunk_offset + (at - size), piece);
            if (!taken) {
                failure_ = taken.error();
                return *failure_;
            }
        }
        if (remaining_ == 0) {
            error = on_element_end();
        }
    }
    if (!error && phase_ == Phase::complete && at < chunk.size() &&
        options_.trailing == CmsReaderOptions::Trailing::refuse) {
        error = Errc::cms_trailing_bytes;
    }
    if (error) {
        failure_ = *error;
        return *failure_;
    }
    return at;
}

Result<void> CmsReader::finish() {
    if (failure_) {
        return *failure_;
    }
    if (phase_ == Phase::complete) {
        return {};
    }
    failure_ = size_ == 0 ? explain_first_octets() : Errc::cms_truncated;
    return *failure_;
}

// The first octets are kept until they say what this is, for the most common mistakes deserve their own answer.
Errc CmsReader::explain_first_octets() const {
    if (begins_with(first_octets_, "-----begin")) {
        return Errc::cms_is_pem;
    }
    for (const std::string_view field : {"mime-version:", "content-type:", "to:", "from:", "subject:"}) {
        if (begins_with(first_octets_, field)) {
            return Errc::cms_is_smime;
        }
    }
    return Errc::cms_not_cms;
}

std::optional<Errc> CmsReader::on_octet(std::uint8_t octet) {
    if (size_ == 0 && (octet != kDerSequence || !first_octets_.empty())) {
        first_octets_.push_back(octet);
        return first_octets_.size() < kFirstOctets ? std::nullopt : std::optional(explain_first_octets());
    }
    ++size_;
    header_octets_.push_back(octet);
    if (header_octets_.size() == 1) {
        return (octet & 0x1f) == 0x1f ? std::optional(Errc::cms_malformed) : std::nullopt;
    }
    const std::uint8_t first = header_octets_[1];
    Header header;
    header.tag = header_octets_[0];
    if (first < 0x80) {
        header.length = first;
    } else if (first == 0x80) {
        header.indefinite = true;
    } else {
        const std::size_t octets = first & 0x7f;
        if (octets > 8) {
            return Errc::cms_malformed;
        }
        if (header_octets_.size() < 2 + octets) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < octets; ++i) {
            header.length = header.length << 8 | header_octets_[2 + i];
        }
        header.minimal = header.length >= 0x80 && header_octets_[2] != 0;
        if (header.length > kLengthMax) {
            return Errc::cms_malformed;
        }
    }
    header_octets_.swap(element_header_);
    header_octets_.clear();
    return on_header(header);
}

std::optional<Errc> CmsReader::on_header(const Header& header) {
    if (++elements_ > kElementsFree + size_ / kOctetsPerElementMin) {
        return Errc::cms_too_many_elements;
    }
    if (header.indefinite && (header.tag & 0x20) == 0) {
        return Errc::cms_malformed;
    }
    if (options_.definite_only && (header.indefinite || !header.minimal)) {
        return Errc::cms_indefinite;
    }
    // The nearest enclosing definite length bounds this element; those further out were bounded when opened.
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
        if (frame->end != kIndefinite) {
            if (size_ > frame->end || header.length > frame->end - size_) {
                return Errc::cms_malformed;
            }
            break;
        }
    }
    if (header.tag == 0) {
        if (header.length != 0 || !header.minimal || element_header_.size() != 2 || frames_.empty() ||
            frames_.back().end != kIndefinite) {
            return Errc::cms_malformed;
        }
        if (const auto error = close_frame()) {
            return error;
        }
        return close_full_frames();
    }
    switch (phase_) {
        case Phase::content_info:
            if (header.tag != kDerSequence) {
                return Errc::cms_not_cms;
            }
            return open(header, Phase::content_info_oid, Phase::complete);
        case Phase::content_info_oid:
            return header.tag == kDerOid ? collect(header, kOidSizeBytesMax, false) : Errc::cms_not_cms;
        case Phase::content_info_explicit:
            return header.tag == der_context(0) ? open(header, Phase::signed_data, Phase::closing)
                                                : Errc::cms_malformed;
        case Phase::signed_data:
            return header.tag == kDerSequence ? open(header, Phase::version, Phase::closing) : Errc::cms_malformed;
        case Phase::version: return header.tag == kDerInteger ? collect(header, 1, false) : Errc::cms_malformed;
        case Phase::digest_algorithms:
            return header.tag == kDerSet ? open(header, Phase::digest_algorithm, Phase::encapsulated)
                                         : Errc::cms_malformed;
        case Phase::digest_algorithm:
            return header.tag == kDerSequence ? collect(header, kAlgorithmSizeBytesMax, true) : Errc::cms_malformed;
        case Phase::encapsulated:
            return header.tag == kDerSequence ? open(header, Phase::content_type, Phase::after_content)
                                              : Errc::cms_malformed;
        case Phase::content_type:
            return header.tag == kDerOid ? collect(header, kOidSizeBytesMax, false) : Errc::cms_malformed;
        case Phase::content_explicit:
            return header.tag == der_context(0) ? open(header, Phase::content_string, Phase::closing)
                                                : Errc::cms_malformed;
        case Phase::content_string:
        case Phase::content_segment: return on_content(header);
        case Phase::after_content: return on_part(header);
        case Phase::certificate:
            if (header.tag != kDerSequence || certificates_.size() == kCertificatesMax) {
                return Errc::cms_certificate_form;
            }
            return collect(header, kCertificatesSizeBytesMax - certificates_size_, true);
        case Phase::revocation: return skip(header);
        case Phase::signer:
            if (header.tag != kDerSequence) {
                return Errc::cms_malformed;
            }
            return signer_info_.empty() ? collect(header, kSignerSizeBytesMax, true) : Errc::cms_several_signers;
        case Phase::closing:
        case Phase::complete: break;
    }
    return Errc::cms_malformed;  // an element where the enclosing one should end
}

std::optional<Errc> CmsReader::on_content(const Header& header) {
    const auto after = phase_ == Phase::content_string ? Phase::closing : Phase::content_segment;
    if (header.tag == (kDerOctetString | 0x20)) {
        return options_.definite_only ? std::optional(Errc::cms_indefinite)
                                      : open(header, Phase::content_segment, after);
    }
    if (header.tag != kDerOctetString) {
        return Errc::cms_malformed;
    }
    if (header.length > options_.content_size_bytes_max - content_size_) {
        return Errc::cms_content_too_large;
    }
    after_element_ = after;
    action_ = Action::stream;
    remaining_ = header.length;
    return remaining_ == 0 ? on_element_end() : std::nullopt;
}

std::optional<Errc> CmsReader::on_part(const Header& header) {
    if (header.tag == der_context(0) && !certificates_seen_ && !revocation_seen_) {
        certificates_seen_ = true;
        return open(header, Phase::certificate, Phase::after_content);
    }
    if (header.tag == der_context(1) && !revocation_seen_) {
        revocation_seen_ = true;
        return open(header, Phase::revocation, Phase::after_content);
    }
    if (header.tag == kDerSet) {
        return open(header, Phase::signer, Phase::closing);
    }
    return Errc::cms_malformed;
}

std::optional<Errc> CmsReader::open(const Header& header, Phase inside, Phase then) {
    if (frames_.size() == kDepthMax) {
        return Errc::cms_too_deep;
    }
    frames_.push_back({header.indefinite ? kIndefinite : size_ + header.length, then});
    phase_ = inside;
    return close_full_frames();
}

// Collects a small element. With `whole` its header is kept too and must be DER's, for what is inside is read as DER.
std::optional<Errc> CmsReader::collect(const Header& header, std::size_t limit, bool whole) {
    if (header.indefinite || (whole && !header.minimal)) {
        return phase_ == Phase::certificate ? Errc::cms_certificate_form : Errc::cms_malformed;
    }
    collected_.clear();
    if (whole) {
        collected_ = element_header_;
    }
    if (header.length + collected_.size() > limit) {
        return phase_ == Phase::certificate || phase_ == Phase::signer ? Errc::cms_part_too_large : Errc::cms_malformed;
    }
    action_ = Action::collect;
    remaining_ = header.length;
    return remaining_ == 0 ? on_element_end() : std::nullopt;
}

std::optional<Errc> CmsReader::skip(const Header& header) {
    if (header.indefinite) {
        return Errc::cms_malformed;
    }
    revocation_size_ += header.length;
    if (revocation_size_ > kRevocationSizeBytesMax) {
        return Errc::cms_part_too_large;
    }
    after_element_ = Phase::revocation;
    action_ = Action::skip;
    remaining_ = header.length;
    return remaining_ == 0 ? on_element_end() : std::nullopt;
}

std::optional<Errc> CmsReader::on_element_end() {
    const auto action = std::exchange(action_, Action::header);
    if (action == Action::collect) {
        if (const auto error = on_collected()) {
            return error;
        }
    } else {
        phase_ = after_element_;
    }
    return close_full_frames();
}

std::optional<Errc> CmsReader::on_collected() {
    switch (phase_) {
        case Phase::content_info_oid: {
            const auto oid = oid_to_text(collected_);
            if (!oid) {
                return Errc::cms_not_cms;
            }
            if (*oid != kOidSignedData) {
                return Errc::cms_wrong_type;
            }
            phase_ = Phase::content_info_explicit;
            return std::nullopt;
        }
        case Phase::version:
            // 4 and 5 go with attribute certificates and other things that nobody here sends.
            if (collected_.size() != 1 || (collected_[0] != 1 && collected_[0] != 3)) {
                return Errc::cms_version;
            }
            version_ = collected_[0];
            phase_ = Phase::digest_algorithms;
            return std::nullopt;
        case Phase::digest_algorithm: {
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
        case Phase::content_type: {
            auto oid = oid_to_text(collected_);
            if (!oid) {
                return Errc::cms_malformed;
            }
            signer_.content_type = std::move(*oid);
            phase_ = Phase::content_explicit;
            return std::nullopt;
        }
        case Phase::certificate:
            if (!read_certificate_parts(collected_)) {
                return Errc::cms_certificate_form;
            }
            certificates_size_ += collected_.size();
            certificates_.push_back(std::move(collected_));
            collected_ = {};
            return std::nullopt;
        case Phase::signer:
            signer_info_ = std::move(collected_);
            collected_ = {};
            return std::nullopt;
        default: assert(false); return Errc::cms_malformed;
    }
}

std::optional<Errc> CmsReader::close_full_frames() {
    while (!frames_.empty() && frames_.back().end == size_) {
        if (const auto error = close_frame()) {
            return error;
        }
    }
    return std::nullopt;
}

// The innermost frame ends. What its last element had to be is told by the phase.
std::optional<Errc> CmsReader::close_frame() {
    switch (phase_) {
        case Phase::closing:
        case Phase::content_segment:
        case Phase::certificate:
        case Phase::revocation: break;
        case Phase::digest_algorithm:
            if (digest_algorithms_.empty()) {
                return Errc::cms_digest_algorithm;
            }
            break;
        case Phase::content_explicit: return Errc::cms_detached;
        case Phase::signer:
            if (signer_info_.empty()) {
                return Errc::cms_no_signer;
            }
            break;
        default: return Errc::cms_malformed;
    }
    phase_ = frames_.back().then;
    frames_.pop_back();
    return phase_ == Phase::complete ? finish_signer() : std::nullopt;
}

// SignerInfo, RFC 5652 section 5.3: version, sid, digestAlgorithm, [0] signedAttrs, signatureAlgorithm, signature,
// [1] unsignedAttrs. The last are not covered by the signature and are not looked at.
std::optional<Errc> CmsReader::finish_signer() {
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
