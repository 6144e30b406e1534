#include "daemon/inspector/signer.hpp"

#include <string>
#include <vector>

#include "crypto/envelope_reader.hpp"

namespace xinfu::inspector {
namespace {

using crypto::Errc;

constexpr std::size_t kSignerSizeBytesMax = 60 * 1024;
constexpr std::size_t kReservedBytes = 64;  // for what depends on layers

// EnvelopedData (RFC 5652 section 6), its type: encrypted, but not authenticated. And an envelope in an envelope.
std::string encrypted_code(std::string_view first_octets) {
    constexpr std::string_view kEnveloped = "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x03";
    if (first_octets.find(kEnveloped) != std::string_view::npos) {
        return "XF-3041";
    }
    return crypto::body_kind(as_bytes(first_octets)) == crypto::BodyKind::envelope ? "XF-3048" : "XF-3001";
}

std::string joined(const std::vector<std::string>& oids) {
    std::string text;
    for (const auto& oid : oids) {
        text += text.empty() ? "" : ", ";
        text += oid;
    }
    return text.empty() ? "?" : text;
}

}  // namespace

Refusal explain_cms(const boost::system::error_code& why, const crypto::CmsReader& reader, std::uint64_t at,
                    std::string_view first_octets) {
    const Refusal malformed{"XF-3017", {std::to_string(at)}};
    if (why.category() != crypto::category()) {
        return malformed;
    }
    switch (static_cast<Errc>(why.value())) {
        case Errc::cms_not_cms: return {"XF-3001", {}};
        case Errc::cms_is_pem: return {"XF-3034", {}};
        case Errc::cms_is_smime: return {"XF-3033", {}};
        case Errc::cms_wrong_type: return {encrypted_code(first_octets), {}};
        case Errc::cms_truncated: return {"XF-3003", {}};
        case Errc::cms_trailing_bytes: return {"XF-3004", {}};
        case Errc::cms_too_deep:
        case Errc::cms_too_many_elements:
        case Errc::cms_part_too_large:
        case Errc::cms_content_too_large:
        case Errc::cms_certificate_form: return {"XF-3018", {}};
        case Errc::cms_detached: return {"XF-3002", {}};
        case Errc::cms_no_signer: return {"XF-3005", {}};
        case Errc::cms_several_signers: return {"XF-3006", {}};
        case Errc::cms_digest_algorithm:
        case Errc::cms_algorithm_pair: return {"XF-3008", {joined(reader.digest_algorithms())}};
        case Errc::cms_attributes_missing: return {"XF-3007", {}};
        case Errc::cms_attributes_malformed:
        case Errc::cms_attributes_unsorted:
        case Errc::cms_attribute_missing:
        case Errc::cms_content_type:
        case Errc::cms_algorithm_protection:
        case Errc::cms_certificate_binding: return {"XF-3019", {}};
        default: return malformed;
    }
}

bool describe_signer(const crypto::CmsSigner& signer, boundary::SignerFound& found) {
    const auto octets = [](const Bytes& bytes) { return std::string{as_text(bytes)}; };
    found.set_signed_attributes(octets(signer.signed_attributes));
    found.set_signature(octets(signer.signature));
    found.set_digest_algorithm(signer.digest_algorithm);
    found.set_signature_algorithm(signer.signature_algorithm);
    found.set_signature_parameters(octets(signer.signature_parameters));
    found.set_issuer(octets(signer.issuer));
    found.set_serial(octets(signer.serial));
    found.set_subject_key_identifier(octets(signer.subject_key_identifier));
    found.set_content_type(signer.content_type);
    if (found.ByteSizeLong() + kReservedBytes + signer.certificate.size() > kSignerSizeBytesMax) {
        return false;
    }
    found.set_certificate(octets(signer.certificate));
    std::size_t size = found.ByteSizeLong() + kReservedBytes;
    for (const auto& other : signer.other_certificates) {
        size += other.size() + 8;
        if (size <= kSignerSizeBytesMax) {
            found.add_other_certificates(octets(other));
        }
    }
    return true;
}

}  // namespace xinfu::inspector
