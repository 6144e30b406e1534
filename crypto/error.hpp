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
};

const boost::system::error_category& category() noexcept;

inline boost::system::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), category()};
}

}  // namespace xinfu::crypto

template <>
struct boost::system::is_error_code_enum<xinfu::crypto::Errc> : std::true_type {};
