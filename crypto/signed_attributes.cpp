#include "crypto/signed_attributes.hpp"

#include <algorithm>
#include <vector>

#include "crypto/cms_algorithms.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kContentType = "1.2.840.113549.1.9.3";
constexpr std::string_view kMessageDigest = "1.2.840.113549.1.9.4";
constexpr std::string_view kSigningTime = "1.2.840.113549.1.9.5";
constexpr std::string_view kAlgorithmProtect = "1.2.840.113549.1.9.52";
constexpr std::string_view kSigningCertificate = "1.2.840.113549.1.9.16.2.12";
constexpr std::string_view kSigningCertificateV2 = "1.2.840.113549.1.9.16.2.47";

// RFC 6211: SEQUENCE { digestAlgorithm, [1] signatureAlgorithm }. A MAC algorithm has no place in SignedData.
std::optional<AlgorithmProtection> parse_protection(const DerElement& value) {
    DerReader reader(value.contents);
    const auto digest = reader.next(kDerSequence);
    const auto signature = reader.next(der_context(1));
    if (value.tag != kDerSequence || !digest || !signature || !reader.empty()) {
        return std::nullopt;
    }
    auto digest_algorithm = parse_algorithm(digest->contents);
    auto signature_algorithm = parse_algorithm(signature->contents);
    if (!digest_algorithm || !signature_algorithm) {
        return std::nullopt;
    }
    return AlgorithmProtection{std::move(*digest_algorithm), std::move(*signature_algorithm)};
}

// IssuerSerial: SEQUENCE { GeneralNames { [4] Name }, INTEGER }.
bool parse_issuer_serial(const DerElement& element, CertificateBinding& binding) {
    DerReader reader(element.contents);
    const auto names = reader.next(kDerSequence);
    const auto serial = reader.next(kDerInteger);
    if (!names || !serial) {
        return false;  // an issuerUID may follow; it says nothing here
    }
    const auto directory_name = der_single(names->contents, der_context(4));
    if (!directory_name) {
        return false;
    }
    const auto name = der_single(directory_name->contents, kDerSequence);
    if (!name) {
        return false;
    }
    binding.issuer = name->whole;
    binding.serial = serial->contents;
    return true;
}

// RFC 5035: SEQUENCE { certs SEQUENCE OF ESSCertID[v2], policies OPTIONAL }; the first is the signer's.
std::optional<CertificateBinding> parse_binding(const DerElement& value, bool version2) {
    DerReader outer(value.contents);
    const auto certificates = outer.next(kDerSequence);
    if (value.tag != kDerSequence || !certificates) {
        return std::nullopt;
    }
    DerReader list(certificates->contents);
    const auto first = list.next(kDerSequence);
    if (!first) {
        return std::nullopt;
    }
    DerReader reader(first->contents);
    CertificateBinding binding;
    binding.digest = version2 ? "SHA-256" : "SHA-1";  // version 2's default
    if (version2 && reader.at(kDerSequence)) {
        const auto algorithm = reader.next(kDerSequence);
        const auto parsed = algorithm ? parse_algorithm(algorithm->contents) : std::nullopt;
        if (!parsed || !parsed->parameters_absent_or_null() || digest_name(parsed->oid).empty()) {
            return std::nullopt;
        }
        binding.digest = digest_name(parsed->oid);
    }
    const auto digest = reader.next(kDerOctetString);
    if (!digest) {
        return std::nullopt;
    }
    binding.certificate_digest = digest->contents;
    if (!reader.empty()) {
        const auto issuer_serial = reader.next(kDerSequence);
        if (!issuer_serial || !reader.empty() || !parse_issuer_serial(*issuer_serial, binding)) {
            return std::nullopt;
        }
    }
    return binding;
}

}  // namespace

Result<SignedAttributes> parse_signed_attributes(ByteView der) {
    if (der.size() > kSignedAttributesSizeBytesMax || !is_der(der)) {
        return Errc::cms_attributes_malformed;
    }
    const auto set = der_single(der, kDerSet);
    if (!set || set->contents.empty()) {
        return Errc::cms_attributes_malformed;
    }
    SignedAttributes result;
    bool content_type_seen = false;
    bool message_digest_seen = false;
    std::vector<std::string> seen;
    ByteView previous;
    DerReader reader(set->contents);
    while (!reader.empty()) {
        const auto attribute = reader.next(kDerSequence);
        if (!attribute) {
            return Errc::cms_attributes_malformed;
        }
        if (std::ranges::lexicographical_compare(attribute->whole, previous)) {
            return Errc::cms_attributes_unsorted;
        }
        previous = attribute->whole;

        DerReader parts(attribute->contents);
        const auto type = parts.next(kDerOid);
        const auto values = parts.next(kDerSet);
        const auto oid = type ? oid_to_text(type->contents) : std::nullopt;
        if (!oid || !values || !parts.empty() || std::ranges::find(seen, *oid) != seen.end()) {
            return Errc::cms_attributes_malformed;
        }
        seen.push_back(*oid);

        const bool known = *oid == kContentType || *oid == kMessageDigest || *oid == kSigningTime ||
                           *oid == kAlgorithmProtect || *oid == kSigningCertificate || *oid == kSigningCertificateV2;
        if (!known) {
            continue;
        }
        DerReader value_reader(values->contents);
        const auto value = value_reader.next();
        if (!value || !value_reader.empty()) {
            return Errc::cms_attributes_malformed;
        }
        if (*oid == kContentType) {
            auto text = value->tag == kDerOid ? oid_to_text(value->contents) : std::nullopt;
            if (!text) {
                return Errc::cms_attributes_malformed;
            }
            result.content_type = std::move(*text);
            content_type_seen = true;
        } else if (*oid == kMessageDigest) {
            if (value->tag != kDerOctetString) {
                return Errc::cms_attributes_malformed;
            }
            result.message_digest = value->contents;
            message_digest_seen = true;
        } else if (*oid == kSigningTime) {
            result.signing_time = der_time(*value);
        } else if (*oid == kAlgorithmProtect) {
            result.protection = parse_protection(*value);
            if (!result.protection) {
                return Errc::cms_attributes_malformed;
            }
        } else {
            const bool version2 = *oid == kSigningCertificateV2;
            auto& binding = version2 ? result.binding_v2 : result.binding_v1;
            binding = parse_binding(*value, version2);
            if (!binding) {
                return Errc::cms_certificate_binding;
            }
        }
    }
    if (!content_type_seen || !message_digest_seen) {
        return Errc::cms_attribute_missing;
    }
    return result;
}

}  // namespace xinfu::crypto
