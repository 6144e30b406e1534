// Errors of crypto/: what a caller can act on. Botan's exceptions stop where Botan is called and become these.
//
// Numbers are stable: add at the end of a block, never reuse.
#pragma once

#include <boost/system/error_code.hpp>

namespace xinfu::crypto {

enum class Errc : int {
    // Text formats and keys.
    encoding_malformed = 1,   // not hexadecimal, base64, PEM or DER in its one canonical form
    key_malformed = 2,        // a key that cannot be read, or lies outside its group
    key_wrong_algorithm = 3,  // a key of a kind that is not accepted here
    signing_failed = 4,       // the key refused to sign: a fault of ours
    random_failed = 5,        // the system gave no randomness

    // Evidence: notes, checkpoints, proofs.
    note_malformed = 20,        // not a C2SP signed note
    note_unverified = 21,       // no known key signed it, or a known key's signature is wrong
    checkpoint_malformed = 22,  // a note whose text is not a C2SP checkpoint
    proof_malformed = 23,       // not a C2SP tlog-proof within the limits
    proof_mismatch = 24,        // a proof that does not lead to the signed root
    origin_mismatch = 25,       // signed by a known key, but for another log

    // Sealed values and keys.
    seal_not_opened = 40,     // altered, moved, cut short, or sealed under another key
    key_not_unwrapped = 41,   // the key-wrapping key or the name is not the one it was wrapped under
    password_malformed = 50,  // not an Argon2id PHC string within the accepted cost

    // CMS: why a signed file was refused, told to its sender.
    cms_not_cms = 60,            // does not begin as a CMS ContentInfo
    cms_is_pem = 61,             // PEM text where DER octets are expected
    cms_is_smime = 62,           // an S/MIME mail, openssl's default without -outform DER
    cms_wrong_type = 63,         // a CMS type other than SignedData
    cms_malformed = 64,          // lengths, tags or order that no SignedData has
    cms_truncated = 65,          // ends before it is complete
    cms_trailing_bytes = 66,     // octets after the ContentInfo
    cms_too_deep = 67,           // nested beyond the bound
    cms_too_many_elements = 68,  // content cut into too small pieces
    cms_part_too_large = 69,     // certificates, revocation lists or the signer's part beyond their bounds
    cms_content_too_large = 70,
    cms_version = 71,               // a SignedData or SignerInfo version that does not fit its parts
    cms_detached = 72,              // no content inside: signed without -nodetach
    cms_no_signer = 73,             // no signature at all
    cms_several_signers = 74,       // more than one signature
    cms_certificate_form = 75,      // an embedded certificate that is not X.509 in DER, or too many
    cms_digest_algorithm = 76,      // a digest algorithm that is not accepted, or not announced
    cms_algorithm_pair = 77,        // digest and signature algorithm, its parameters and the key do not go together
    cms_attributes_missing = 78,    // signed without signed attributes: -noattr
    cms_attributes_malformed = 79,  // not DER, too large, an attribute twice or with several values
    cms_attributes_unsorted = 80,   // not in DER's order
    cms_attribute_missing = 81,     // contentType or messageDigest is not there
    cms_content_type = 82,          // another content type than expected, or than the attributes say
    cms_digest_mismatch = 83,       // the content is not the one that was signed
    cms_algorithm_protection = 84,  // cmsAlgorithmProtect names other algorithms
    cms_certificate_binding = 85,   // signingCertificate names another certificate
    cms_signer_unknown = 86,        // the signer identifier does not fit the certificate
    cms_signature_invalid = 87,     // the signature was not made by that key over these octets
    cms_indefinite = 88,            // BER's indefinite lengths where DER is required

    // Certificates, requests, revocation lists, handshakes.
    key_encrypted = 100,               // a passphrase protects the private key
    certificate_malformed = 101,       // not one X.509 certificate in DER or PEM
    certificate_untrusted = 102,       // no path to a trust anchor
    certificate_expired = 103,         // it, or one above it, is not valid at that time
    certificate_wrong_usage = 104,     // not made for this use
    request_malformed = 105,           // not a PKCS #10 request signed by its own key
    revocation_list_malformed = 106,   // not a revocation list, or one with extensions that change its meaning
    revocation_list_unverified = 107,  // its authority did not sign it
    index_malformed = 108,             // the authority's index of certificates cannot be read
    handshake_malformed = 109,         // not the parts of a handshake signature
    handshake_unproven = 110,          // the client does not hold its certificate's key

    // Armour and envelopes around a signed file.
    pem_malformed = 120,             // not base64 in lines between a BEGIN and an END line of one label
    pem_label = 121,                 // a label other than CMS and PKCS7
    pem_truncated = 122,             // the END line never came
    pem_trailing = 123,              // something behind the END line
    envelope_unauthenticated = 130,  // EnvelopedData: encrypted, but anybody could have changed it
    envelope_recipients = 131,       // no recipient, or more than one
    envelope_key_transport = 132,    // another way to the content key than RSA-OAEP or ECDH with SHA-256
    envelope_cipher = 133,           // not AES-256-GCM with a nonce of 12 and a tag of 16 octets
    envelope_attributes = 134,       // attributes or originator's certificates beside the content
    envelope_other_recipient = 135,  // made for another certificate
    envelope_not_opened = 136,       // whatever is wrong inside: which, is nobody's to learn
    envelope_key_replaced = 137,     // made for a certificate whose time beside its successor is over
};

const boost::system::error_category& category() noexcept;

inline boost::system::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), category()};
}

}  // namespace xinfu::crypto

template <>
struct boost::system::is_error_code_enum<xinfu::crypto::Errc> : std::true_type {};
