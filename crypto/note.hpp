// Signed notes: the text format in which a log signs its checkpoints.
//
// Format:  C2SP signed-note; verifier keys as `name+hash+base64`. Signature type 0x01, Ed25519.
// Threads: immutable after construction.
// Errors:  crypto::Errc note_malformed, note_unverified, key_malformed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "crypto/result.hpp"

namespace Botan {
class Ed25519_PrivateKey;
class Ed25519_PublicKey;
}  // namespace Botan

namespace xinfu::crypto {

class NoteSigner {
public:
    // From a 32-byte Ed25519 seed (RFC 8032 section 5.1.5). `name` is the log's origin.
    static Result<NoteSigner> from_seed(std::string name, ByteView seed);
    NoteSigner(NoteSigner&&) noexcept;
    ~NoteSigner();

    const std::string& name() const { return name_; }
    std::string verifier_key() const;  // C2SP vkey
    // The whole note: text, blank line, one signature line. `text` ends with a newline. Deterministic.
    std::string sign(std::string_view text) const;

private:
    NoteSigner(std::string name, std::unique_ptr<Botan::Ed25519_PrivateKey> key);
    std::string name_;
    std::unique_ptr<Botan::Ed25519_PrivateKey> key_;
};

class NoteVerifier {
public:
    static Result<NoteVerifier> parse(std::string_view verifier_key);
    NoteVerifier(NoteVerifier&&) noexcept;
    NoteVerifier& operator=(NoteVerifier&&) noexcept;
    ~NoteVerifier();
    const std::string& name() const { return name_; }
    std::uint32_t key_id() const { return key_id_; }
    bool verify(std::string_view text, ByteView signature) const;

private:
    NoteVerifier(std::string name, std::uint32_t key_id, std::unique_ptr<Botan::Ed25519_PublicKey> key);
    std::string name_;
    std::uint32_t key_id_ = 0;
    std::unique_ptr<Botan::Ed25519_PublicKey> key_;
};

struct OpenedNote {
    std::string text;                     // with its final newline
    std::vector<std::string> verified;    // names of the keys whose signature verified
    std::vector<std::string> unverified;  // signature lines that no given key covers
};
// Refuses a note when a known key's signature is bad, when none verifies, and when it is not in the form.
Result<OpenedNote> open_note(std::string_view note, const std::vector<const NoteVerifier*>& verifiers);

// C2SP tlog-checkpoint: origin, size, root.
struct Checkpoint {
    std::string origin;
    std::uint64_t size = 0;
    Digest root{};
};
std::string encode_checkpoint(const Checkpoint& checkpoint);
Result<Checkpoint> parse_checkpoint(std::string_view text);  // extension lines are allowed and ignored

}  // namespace xinfu::crypto
