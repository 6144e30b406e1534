// The pairs of digest and signature algorithm that are accepted in CMS, in one table. Whatever is not in it is
// refused: SHA-1, MD5, DSA, and any pair whose two halves name different digests.
//
// Sources: RFC 5754 (SHA-2 with RSA and ECDSA), RFC 4055 (RSASSA-PSS), RFC 8419 (Ed25519).
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"

namespace xinfu::crypto {

enum class SignatureFamily { rsa_pkcs1, rsa_pss, ecdsa, ed25519 };

struct SignatureScheme {
    SignatureFamily family = SignatureFamily::ecdsa;
    std::string digest;         // "SHA-256", "SHA-384", "SHA-512"
    std::size_t salt_size = 0;  // rsa_pss, bytes
};

// "SHA-256" and so on; empty: not accepted.
std::string_view digest_name(std::string_view oid);
std::size_t digest_size(std::string_view oid);  // bytes; 0: not accepted

// `parameters`: DER of the signature AlgorithmIdentifier's parameters, empty when absent.
std::optional<SignatureScheme> signature_scheme(std::string_view digest_oid, std::string_view signature_oid,
                                                ByteView parameters);

}  // namespace xinfu::crypto
