// The parts of a certificate that are compared octet by octet: no library's idea of a name or a number intervenes.
//
// Sources: RFC 5280 section 4.1.
// Threads: pure functions; views live as long as the bytes read.
// Trust:   hostile DER of any content; bounded by its size.
#pragma once

#include <optional>

#include "crypto/bytes.hpp"

namespace xinfu::crypto {

struct CertificateParts {
    ByteView serial;                  // INTEGER contents
    ByteView issuer;                  // raw DER Name
    ByteView subject;                 // raw DER Name
    ByteView public_key;              // SubjectPublicKeyInfo
    ByteView subject_key_identifier;  // empty: absent
};

// Empty: not one certificate in DER.
std::optional<CertificateParts> read_certificate_parts(ByteView der);

}  // namespace xinfu::crypto
