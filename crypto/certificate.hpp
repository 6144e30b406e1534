// Certificate: an X.509 certificate as Xinfu uses it: whom it names, until when, and with which key.
//
// Sources: RFC 5280 sections 4 and 6. No OCSP; no reliance on name constraints.
// Threads: immutable; copies share the parsed form.
// Trust:   parse() takes hostile bytes up to 64 KiB. Nothing a certificate says is believed before its path is
//          validated or its digest found among the enrolled.
// Errors:  certificate_malformed, certificate_untrusted, certificate_expired, certificate_wrong_usage.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/distinguished_name.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/utc.hpp"

namespace Botan {
class Public_Key;
class X509_Certificate;
}  // namespace Botan

namespace xinfu::crypto {

class Certificate {
public:
    static constexpr std::size_t kSizeBytesMax = 64 * 1024;

    // DER, exactly one certificate with nothing after it.
    static Result<Certificate> parse(ByteView der);
    // The same, for certificates that come again and again: each thread keeps those it parsed last.
    static Result<Certificate> parse_known(ByteView der);
    // DER or PEM, the first certificate of a bundle.
    static Result<Certificate> read(ByteView document);

    const Bytes& der() const { return der_; }
    const Digest& digest() const { return digest_; }  // SHA-256 of the whole DER: the principal
    const DistinguishedName& subject() const { return subject_; }
    // A unit's code: organizationIdentifier, or serialNumber when that is absent.
    const std::string& unit_code() const;
    const Bytes& issuer() const { return issuer_; }                                  // raw DER Name
    const Bytes& subject_name() const { return subject_name_; }                      // raw DER Name
    const Bytes& serial() const { return serial_; }                                  // the INTEGER's contents
    const Bytes& subject_key_identifier() const { return subject_key_identifier_; }  // empty: absent
    Bytes public_key() const;                                                        // SubjectPublicKeyInfo, DER
    UtcSeconds not_before() const { return not_before_; }
    UtcSeconds not_after() const { return not_after_; }  // inclusive
    bool valid_at(UtcSeconds time) const { return not_before_ <= time && time <= not_after_; }
    bool is_authority() const;                     // may issue certificates
    bool may_sign() const;                         // keyUsage absent, digitalSignature or nonRepudiation
    bool names_host(std::string_view host) const;  // DNS name or IP address of a TLS server
    std::string to_pem() const;

    const Botan::X509_Certificate& native() const { return *native_; }

private:
    Certificate() = default;
    std::shared_ptr<const Botan::X509_Certificate> native_;
    Bytes der_;
    Digest digest_{};
    DistinguishedName subject_;
    Bytes issuer_;
    Bytes subject_name_;
    Bytes serial_;
    Bytes subject_key_identifier_;
    UtcSeconds not_before_{};
    UtcSeconds not_after_{};
};

// All certificates of a PEM bundle in order, or the one of a DER file. At least one, at most 256.
Result<std::vector<Certificate>> read_certificates(ByteView document);

enum class CertificateUse {
    tls_client,  // extended key usage clientAuth, if the extension is there
    tls_server,
    signing,  // keyUsage digitalSignature or nonRepudiation, if the extension is there
};

// Whether a path leads from `certificate` over `intermediates` to one of `anchors`, everything on it valid at `time`,
// and the certificate is fit for `use`. Revocation is not considered here.
// Errors: certificate_untrusted, certificate_expired, certificate_wrong_usage.
Result<void> validate_path(const Certificate& certificate, const std::vector<Certificate>& intermediates,
                           const std::vector<Certificate>& anchors, UtcSeconds time, CertificateUse use);

}  // namespace xinfu::crypto
