// What a CMS SignedData says of its one signer, as octets: nothing here is verified yet.
//
// Sources: RFC 5652 section 5.3.
// Trust:   every field comes from the sender. cms_verify.hpp turns it into a statement.
#pragma once

#include <string>
#include <vector>

#include "crypto/bytes.hpp"

namespace xinfu::crypto {

struct CmsSigner {
    Bytes signed_attributes;          // DER with the SET OF tag 0x31: the octets that are signed
    Bytes signature;                  // contents of the OCTET STRING
    std::string digest_algorithm;     // OID, dotted
    std::string signature_algorithm;  // OID, dotted
    Bytes signature_parameters;       // DER of the AlgorithmIdentifier's parameters; empty: absent
    Bytes certificate;                // DER, the embedded one that the signer identifier selects; may be empty
    std::vector<Bytes> other_certificates;
    Bytes issuer;  // signer identifier: raw DER Name and the INTEGER's contents,
    Bytes serial;
    Bytes subject_key_identifier;  // or this one instead of the two
    std::string content_type;      // eContentType, dotted
};

}  // namespace xinfu::crypto
