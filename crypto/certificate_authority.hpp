// CertificateAuthority: the small authority behind `xinfu ca`, for those who have none. It sees requests and public
// keys, never a department's private key.
//
// Format:  X.509 version 3 and revocation lists version 2 (RFC 5280); the index of issued certificates is text, one
//          line a certificate, docs/formats/authority.md.
// Threads: immutable; IssuedIndex is one owner's.
// Errors:  key_*, certificate_*, request_malformed, index_malformed, signing_failed.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/distinguished_name.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/signing_key.hpp"
#include "crypto/utc.hpp"

namespace xinfu::crypto {

// What is asked for: a subject and the public key whose holder signed the request.
struct CertificateRequest {
    DistinguishedName subject;
    Bytes public_key;                // SubjectPublicKeyInfo, DER
    std::vector<std::string> hosts;  // DNS names and addresses it asks for; whether it gets them is the issuer's to say
};
// PKCS #10, DER or PEM; the signature over it is verified.
Result<CertificateRequest> parse_request(ByteView document);

struct IssueOptions {
    UtcSeconds not_before{};
    UtcSeconds not_after{};
    std::vector<std::string> hosts;  // DNS names and IP addresses: a server's; empty: a client's certificate
    bool encryption = false;         // for a key that opens envelopes, and neither signs nor speaks TLS
};

class CertificateAuthority {
public:
    // A new self-signed P-256 authority that may issue end-entity certificates only.
    static Result<CertificateAuthority> create(const DistinguishedName& subject, UtcSeconds not_before,
                                               UtcSeconds not_after);
    // Errors: also certificate_wrong_usage when the certificate is no authority's or not of this key.
    static Result<CertificateAuthority> load(const SigningKey& key, const Certificate& certificate);

    const Certificate& certificate() const { return certificate_; }
    const SigningKey& key() const { return key_; }

    // Subject as given, not as any request wished. keyUsage digitalSignature; extended key usage clientAuth, and
    // serverAuth with a subjectAltName when hosts are named. For encryption instead keyUsage keyAgreement, or
    // keyEncipherment for RSA, and no extended one. A random serial number.
    Result<Certificate> issue(const DistinguishedName& subject, ByteView public_key, const IssueOptions& options) const;

    struct Revoked {
        Bytes serial;  // INTEGER contents
        UtcSeconds time{};
    };
    // A revocation list, DER.
    Result<Bytes> revocation_list(const std::vector<Revoked>& revoked, UtcSeconds this_update, UtcSeconds next_update,
                                  std::uint64_t number) const;

private:
    CertificateAuthority(SigningKey key, Certificate certificate)
        : key_(std::move(key)), certificate_(std::move(certificate)) {}
    SigningKey key_;
    Certificate certificate_;
};

// What an authority has issued and revoked, and the number of its latest revocation list.
struct IssuedIndex {
    struct Entry {
        Bytes serial;
        Digest digest{};  // of the certificate
        UtcSeconds not_after{};
        std::optional<UtcSeconds> revoked;
        std::string subject;  // common name, for people
    };
    std::uint64_t revocation_list_number = 0;
    std::vector<Entry> entries;

    static Result<IssuedIndex> parse(std::string_view text);
    std::string format() const;
    void add(const Certificate& certificate);
    // Marks it; false: this authority never issued it. A second time keeps the first date.
    bool revoke(ByteView serial, UtcSeconds time);
    std::vector<CertificateAuthority::Revoked> revoked() const;
};

}  // namespace xinfu::crypto
