// SignedAttributes: what a CMS signature really covers, in the one form that is accepted.
//
// Sources: RFC 5652 sections 5.3 and 11, RFC 5035, RFC 6211, X.690 section 11.6 (order of a SET OF).
// Threads: pure functions; views live as long as the bytes parsed.
// Trust:   hostile, at most kSignedAttributesSizeBytesMax.
// Errors:  cms_attributes_malformed, cms_attributes_unsorted, cms_attribute_missing, cms_certificate_binding.
#pragma once

#include <optional>
#include <string>

#include "crypto/bytes.hpp"
#include "crypto/der.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

inline constexpr std::size_t kSignedAttributesSizeBytesMax = 16 * 1024;

struct CertificateBinding {  // the first ESSCertID
    std::string digest;      // "SHA-1", "SHA-256", "SHA-384", "SHA-512"
    ByteView certificate_digest;
    ByteView issuer;  // raw DER Name; empty: not stated
    ByteView serial;
};

struct AlgorithmProtection {
    AlgorithmIdentifier digest;
    AlgorithmIdentifier signature;
};

struct SignedAttributes {
    std::string content_type;  // OID, dotted
    ByteView message_digest;
    std::optional<UtcSeconds> signing_time;  // empty also when it is not readable: it is advice, no more
    std::optional<AlgorithmProtection> protection;
    std::optional<CertificateBinding> binding_v1;  // signingCertificate
    std::optional<CertificateBinding> binding_v2;  // signingCertificateV2
};

// `der` begins with the SET OF tag 0x31. Every attribute at most once, with exactly one value where it is acted on;
// unknown attributes are passed over.
Result<SignedAttributes> parse_signed_attributes(ByteView der);

}  // namespace xinfu::crypto
