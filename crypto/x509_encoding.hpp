// The DER that certificates, requests and revocation lists share: names, algorithms, and a body with its signature.
//
// Sources: RFC 5280 section 4.1, RFC 5480, RFC 8410, RFC 4055.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/distinguished_name.hpp"
#include "crypto/result.hpp"
#include "crypto/signing_key.hpp"

namespace xinfu::crypto {

// Name: one attribute a step, in the order C, O, organizationIdentifier, serialNumber, CN; UTF8String, and
// PrintableString where X.520 wants it. Empty attributes are left out.
Bytes encode_name(const DistinguishedName& name);

// AlgorithmIdentifier of SigningKey::sign.
Bytes encode_signature_algorithm(KeyKind kind);

// SEQUENCE { body, algorithm, BIT STRING }. Errors: signing_failed.
Result<Bytes> encode_signed(const SigningKey& key, ByteView body);

// One Extension (RFC 5280 section 4.1): its identifier, criticality and value.
Bytes encode_extension(std::string_view oid, bool critical, ByteView value);
// The extension subjectAltName with DNS names [2] and addresses [7].
Bytes encode_alternative_names(const std::vector<std::string>& hosts);

}  // namespace xinfu::crypto
