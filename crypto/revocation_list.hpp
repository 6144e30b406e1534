// RevocationList: an X.509 certificate revocation list, read in an inspector and verified in the vault.
//
// Sources: RFC 5280 section 5. Indirect and delta lists, and any unknown critical extension, are refused.
// Threads: pure functions.
// Trust:   parse takes hostile bytes up to kSizeBytesMax; its result is a claim until verified.
// Errors:  revocation_list_malformed, revocation_list_unverified.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/utc.hpp"

namespace xinfu::crypto {

struct RevocationList {
    Bytes issuer;                     // raw DER Name
    Bytes to_be_signed;               // DER TBSCertList: what the signature covers
    std::string signature_algorithm;  // OID, dotted
    Bytes signature;
    UtcSeconds this_update{};
    std::optional<UtcSeconds> next_update;
    std::vector<Bytes> revoked_serials;  // INTEGER contents, as they stand
};

inline constexpr std::size_t kRevocationListSizeBytesMax = 16 * 1024 * 1024;

// DER or PEM.
Result<RevocationList> parse_revocation_list(ByteView document);

// What the issuer signed, when its octets are too many to pass on: their digest under the algorithm that the
// signature names (SHA-256 or SHA-384).
struct RevocationListClaim {
    ByteView issuer;
    ByteView to_be_signed;    // or, when empty,
    ByteView sha256, sha384;  // these
    std::string signature_algorithm;
    ByteView signature;
};

// Whether `authority` (an authority's certificate, whose subject is the issuer, allowed to sign lists) signed it. Only
// ECDSA with SHA-256 or SHA-384 and RSA PKCS #1 v1.5 with either are accepted. Dates are the caller's to judge.
Result<void> verify_revocation_list(const RevocationListClaim& claim, const Certificate& authority);
Result<void> verify_revocation_list(const RevocationList& list, const Certificate& authority);

}  // namespace xinfu::crypto
