// Signed notes: the text format in which a log signs its checkpoints.
//
// Format:  C2SP signed-note; verifier keys as `name+hash+base64`. Signature types 0x01, Ed25519, by logs, and
//          0x04, C2SP tlog-cosignature v1, by witnesses.
// Threads: immutable after construction.
// Errors:  crypto::Errc note_malformed, note_unverified, key_malformed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

// A witness's side: it states when the checkpoint was the largest consistent one it had seen of that log.
class WitnessSigner {
public:
    // `name` is the witness's own. The key signs nothing else: a cosignature does not cover the name.
    static Result<WitnessSigner> from_seed(std::string name, ByteView seed);
    WitnessSigner(WitnessSigner&&) noexcept;
    ~WitnessSigner();

    const std::string& name() const { return name_; }
    std::string verifier_key() const;
    // One signature line with its newline, to go below a note with this text.
    std::string cosign(std::string_view text, std::uint64_t unix_seconds) const;

private:
    WitnessSigner(std::string name, std::unique_ptr<Botan::Ed25519_PrivateKey> key);
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
    bool is_witness() const { return witness_; }
    bool verify(std::string_view text, ByteView signature) const;

private:
    NoteVerifier(std::string name, std::uint32_t key_id, bool witness, std::unique_ptr<Botan::Ed25519_PublicKey> key);
    std::string name_;
    std::uint32_t key_id_ = 0;
    bool witness_ = false;  // type 0x04
    std::unique_ptr<Botan::Ed25519_PublicKey> key_;
};

// One line below a note: "— name base64".
struct SignatureLine {
    std::string whole;  // without its newline
    std::string name;
    std::uint32_t key_id = 0;
    Bytes signature;  // what follows the key number; of a witness: seconds, u64 BE, then the signature
};
inline constexpr std::size_t kNoteSignaturesMax = 100;
// Whole lines, each with its newline; none is fine. An empty optional: not in the form, or more than
// kNoteSignaturesMax.
std::optional<std::vector<SignatureLine>> parse_signature_lines(std::string_view lines);
std::string encode_signature_line(std::string_view name, std::uint32_t key_id, ByteView signature);  // with newline

struct OpenedNote {
    std::string text;                              // with its final newline
    std::vector<std::string> verified;             // names of the keys whose signature verified
    std::vector<const NoteVerifier*> verified_by;  // the same, of those given
    std::vector<std::string> unverified;           // signature lines that no given key covers
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
