#include "crypto/cms_algorithms.hpp"

#include <array>

#include "crypto/der.hpp"

namespace xinfu::crypto {
namespace {

struct DigestRow {
    std::string_view oid;
    std::string_view name;
    std::size_t size;
    std::string_view rsa_oid;    // shaNNNWithRSAEncryption
    std::string_view ecdsa_oid;  // ecdsa-with-SHANNN
};
constexpr std::array<DigestRow, 3> kDigests{{
    {"2.16.840.1.101.3.4.2.1", "SHA-256", 32, "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"},
    {"2.16.840.1.101.3.4.2.2", "SHA-384", 48, "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"},
    {"2.16.840.1.101.3.4.2.3", "SHA-512", 64, "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"},
}};
constexpr std::string_view kRsaEncryption = "1.2.840.113549.1.1.1";
constexpr std::string_view kRsaPss = "1.2.840.113549.1.1.10";
constexpr std::string_view kMgf1 = "1.2.840.113549.1.1.8";
constexpr std::string_view kEd25519 = "1.3.101.112";
constexpr std::size_t kSaltSizeMax = 1024;  // RSA-8192's largest is below it; the key decides exactly

const DigestRow* row(std::string_view oid) {
    for (const auto& digest : kDigests) {
        if (digest.oid == oid) {
            return &digest;
        }
    }
    return nullptr;
}

// [n] EXPLICIT AlgorithmIdentifier
std::optional<AlgorithmIdentifier> explicit_algorithm(const DerElement& element) {
    const auto sequence = der_single(element.contents, kDerSequence);
    if (!sequence) {
        return std::nullopt;
    }
    return parse_algorithm(sequence->contents);
}

// RSASSA-PSS-params, RFC 4055 section 3.1. The defaults mean SHA-1 and are therefore refused by the comparison with
// the digest. The salt is at least as long as the digest.
std::optional<std::size_t> pss_salt(const DigestRow& digest, ByteView parameters) {
    const auto sequence = der_single(parameters, kDerSequence);
    if (!sequence) {
        return std::nullopt;
    }
    DerReader reader(sequence->contents);
    const auto hash = reader.next(der_context(0));
    const auto mask = reader.next(der_context(1));
    const auto salt = reader.next(der_context(2));
    if (!hash || !mask || !salt) {
        return std::nullopt;
    }
    const auto hash_algorithm = explicit_algorithm(*hash);
    const auto mask_algorithm = explicit_algorithm(*mask);
    if (!hash_algorithm || hash_algorithm->oid != digest.oid || !hash_algorithm->parameters_absent_or_null() ||
        !mask_algorithm || mask_algorithm->oid != kMgf1) {
        return std::nullopt;
    }
    const auto mask_sequence = der_single(mask_algorithm->parameters, kDerSequence);
    if (!mask_sequence) {
        return std::nullopt;
    }
    const auto mask_hash = parse_algorithm(mask_sequence->contents);
    if (!mask_hash || mask_hash->oid != digest.oid || !mask_hash->parameters_absent_or_null()) {
        return std::nullopt;
    }
    if (const auto trailer = reader.next(der_context(3))) {
        const auto number = der_single(trailer->contents, kDerInteger);
        if (!number || der_number(*number) != std::uint64_t{1}) {
            return std::nullopt;
        }
    }
    const auto number = der_single(salt->contents, kDerInteger);
    if (!reader.empty() || !number) {
        return std::nullopt;
    }
    const auto size = der_number(*number);
    if (!size || *size < digest.size || *size > kSaltSizeMax) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(*size);
}

}  // namespace

std::string_view digest_name(std::string_view oid) {
    const auto* digest = row(oid);
    return digest ? digest->name : std::string_view{};
}

std::size_t digest_size(std::string_view oid) {
    const auto* digest = row(oid);
    return digest ? digest->size : 0;
}

std::optional<SignatureScheme> signature_scheme(std::string_view digest_oid, std::string_view signature_oid,
                                                ByteView parameters) {
    const auto* digest = row(digest_oid);
    if (!digest) {
        return std::nullopt;
    }
    const std::string name(digest->name);
    if (signature_oid == kRsaPss) {
        const auto salt = pss_salt(*digest, parameters);
        if (!salt) {
            return std::nullopt;
        }
        return SignatureScheme{SignatureFamily::rsa_pss, name, *salt};
    }
    if (!AlgorithmIdentifier{{}, parameters}.parameters_absent_or_null()) {
        return std::nullopt;
    }
    if (signature_oid == kRsaEncryption || signature_oid == digest->rsa_oid) {
        return SignatureScheme{SignatureFamily::rsa_pkcs1, name, 0};
    }
    if (signature_oid == digest->ecdsa_oid) {
        return SignatureScheme{SignatureFamily::ecdsa, name, 0};
    }
    if (signature_oid == kEd25519 && digest->size == 64) {
        return SignatureScheme{SignatureFamily::ed25519, name, 0};
    }
    return std::nullopt;
}

}  // namespace xinfu::crypto
