#include "crypto/certificate.hpp"

#include <algorithm>
#include <deque>

#include <botan/certstor.h>
#include <botan/ipv6_address.h>
#include <botan/pk_keys.h>
#include <botan/pkix_types.h>
#include <botan/x509cert.h>
#include <botan/x509path.h>

#include "crypto/certificate_parts.hpp"
#include "crypto/der.hpp"
#include "crypto/pem.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kBundleMax = 256;
constexpr std::size_t kBundleSizeBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kStrengthBitsMin = 110;  // RSA-2048 and P-256 pass, RSA-1024 does not

Bytes copy(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

UtcSeconds to_seconds(const Botan::X509_Time& time) {
    return std::chrono::floor<std::chrono::seconds>(time.to_std_timepoint());
}

// False: an attribute that says who this is stands there twice.
bool read_subject(const Botan::X509_DN& name, DistinguishedName& subject) {
    for (const auto& [oid, value] : name.dn_info()) {
        const auto text = oid.to_string();
        std::string* field = nullptr;
        bool identifies = false;
        if (text == "2.5.4.6") {
            field = &subject.country;
        } else if (text == "2.5.4.10") {
            field = &subject.organization;
        } else if (text == "2.5.4.3") {
            field = &subject.common_name;
        } else if (text == "2.5.4.97") {
            field = &subject.organization_identifier;
            identifies = true;
        } else if (text == "2.5.4.5") {
            field = &subject.serial_number;
            identifies = true;
        } else {
            continue;
        }
        if (!field->empty()) {
            if (identifies) {
                return false;
            }
            continue;
        }
        *field = value.value();
    }
    return true;
}

}  // namespace

Result<Certificate> Certificate::parse(ByteView der) try {
    const auto parts = der.size() <= kSizeBytesMax ? read_certificate_parts(der) : std::nullopt;
    if (!parts) {
        return Errc::certificate_malformed;
    }
    Certificate certificate;
    certificate.der_ = copy(der);
    certificate.native_ = std::make_shared<const Botan::X509_Certificate>(certificate.der_);
    certificate.digest_ = sha256(der);
    certificate.issuer_ = copy(parts->issuer);
    certificate.subject_name_ = copy(parts->subject);
    certificate.serial_ = copy(parts->serial);
    certificate.subject_key_identifier_ = copy(parts->subject_key_identifier);
    certificate.not_before_ = to_seconds(certificate.native_->not_before());
    certificate.not_after_ = to_seconds(certificate.native_->not_after());
    if (!read_subject(certificate.native_->subject_dn(), certificate.subject_)) {
        return Errc::certificate_malformed;
    }
    return certificate;
} catch (const std::exception&) {
    return Errc::certificate_malformed;
}

Result<Certificate> Certificate::parse_known(ByteView der) {
    constexpr std::size_t kKeptMax = 32;
    thread_local std::deque<Certificate> kept;  // longest unused first
    const auto known = std::ranges::find_if(
        kept, [der](const Certificate& certificate) { return std::ranges::equal(certificate.der(), der); });
    if (known != kept.end()) {
        std::rotate(known, known + 1, kept.end());
        return kept.back();
    }
    auto certificate = parse(der);
    if (certificate) {
        if (kept.size() == kKeptMax) {
            kept.pop_front();
        }
        kept.push_back(*certificate);
    }
    return certificate;
}

Result<Certificate> Certificate::read(ByteView document) {
    auto certificates = read_certificates(document);
    if (!certificates) {
        return certificates.error();
    }
    return std::move(certificates->front());
}

const std::string& Certificate::unit_code() const {
    return subject_.organization_identifier.empty() ? subject_.serial_number : subject_.organization_identifier;
}

Bytes Certificate::public_key() const {
    return copy(read_certificate_parts(der_)->public_key);
}

bool Certificate::is_authority() const {
    return native_->is_CA_cert();
}

bool Certificate::may_sign() const {
    // An absent keyUsage allows everything (RFC 5280 section 4.2.1.3).
    return native_->allowed_usage(Botan::Key_Constraints::DigitalSignature) ||
           native_->allowed_usage(Botan::Key_Constraints::NonRepudiation);
}

bool Certificate::names_host(std::string_view host) const try {
    if (host.find(':') != std::string_view::npos) {
        const auto address = Botan::IPv6Address::from_string(host);
        return address && native_->subject_alt_name().ipv6_address().contains(*address);
    }
    return native_->matches_dns_name(host);  // also dotted IPv4 addresses
} catch (const std::exception&) {
    return false;
}

std::string Certificate::to_pem() const {
    return crypto::to_pem("CERTIFICATE", der_);
}

Result<std::vector<Certificate>> read_certificates(ByteView document) {
    if (document.size() > kBundleSizeBytesMax) {
        return Errc::certificate_malformed;
    }
    std::vector<Certificate> certificates;
    if (!document.empty() && document.front() == kDerSequence) {
        auto certificate = Certificate::parse(document);
        if (!certificate) {
            return certificate.error();
        }
        certificates.push_back(std::move(*certificate));
        return certificates;
    }
    auto text = as_text(document);
    for (;;) {
        const auto block = next_pem(text);
        if (!block) {
            break;
        }
        if (!*block) {
            return Errc::certificate_malformed;
        }
        if ((*block)->label != "CERTIFICATE" && (*block)->label != "X509 CERTIFICATE") {
            continue;
        }
        auto certificate = Certificate::parse((*block)->der);
        if (!certificate || certificates.size() == kBundleMax) {
            return Errc::certificate_malformed;
        }
        certificates.push_back(std::move(*certificate));
    }
    if (certificates.empty()) {
        return Errc::certificate_malformed;
    }
    return certificates;
}

Result<void> validate_path(const Certificate& certificate, const std::vector<Certificate>& intermediates,
                           const std::vector<Certificate>& anchors, UtcSeconds time, CertificateUse use) try {
    Botan::Certificate_Store_In_Memory store;
    for (const auto& anchor : anchors) {
        store.add_certificate(anchor.native());
    }
    std::vector<Botan::X509_Certificate> chain{certificate.native()};
    for (const auto& intermediate : intermediates) {
        chain.push_back(intermediate.native());
    }
    // No revocation information and no OCSP here: lists are the vault's own business. Anchors are those the operator
    // named, self-signed or not.
    const Botan::Path_Validation_Restrictions restrictions(false, kStrengthBitsMin, false, std::chrono::seconds::zero(),
                                                           std::make_unique<Botan::Certificate_Store_In_Memory>(),
                                                           false, false);
    const auto usage = use == CertificateUse::tls_client   ? Botan::Usage_Type::TLS_CLIENT_AUTH
                       : use == CertificateUse::tls_server ? Botan::Usage_Type::TLS_SERVER_AUTH
                                                           : Botan::Usage_Type::UNSPECIFIED;
    const auto result = Botan::x509_path_validate(chain, restrictions, store, "", usage, time);
    if (!result.successful_validation()) {
        switch (result.result()) {
            case Botan::Certificate_Status_Code::CERT_NOT_YET_VALID:
            case Botan::Certificate_Status_Code::CERT_HAS_EXPIRED: return Errc::certificate_expired;
            case Botan::Certificate_Status_Code::INVALID_USAGE: return Errc::certificate_wrong_usage;
            default: return Errc::certificate_untrusted;
        }
    }
    if (use == CertificateUse::signing && !certificate.may_sign()) {
        return Errc::certificate_wrong_usage;
    }
    return {};
} catch (const std::exception&) {
    return Errc::certificate_untrusted;
}

}  // namespace xinfu::crypto
