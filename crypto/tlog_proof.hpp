// Receipts as files: a leaf's index, its inclusion proof and the signed checkpoint, in one text that needs
// nothing of ours to check.
//
// Format:  C2SP tlog-proof@v1. `extra` carries the leaf's bytes; a verifier hashes exactly those and trusts
//          nothing else in that line.
// Trust:   every input of parse is hostile.
// Errors:  crypto::Errc proof_malformed, proof_mismatch, origin_mismatch, and those of open_note.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/merkle.hpp"
#include "crypto/note.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

struct TlogProof {
    Bytes extra;  // the leaf's bytes
    std::uint64_t index = 0;
    std::vector<Digest> hashes;  // siblings, leaf to root
    std::string checkpoint;      // the signed note, whole
};

inline constexpr std::size_t kProofHashesMax = 63;  // a tree has at most 2^63 leaves
// Base64 of the largest entry, 63 hash lines and a checkpoint with some dozens of signatures.
inline constexpr std::size_t kProofSizeBytesMax = 128 * 1024;

std::string encode_tlog_proof(const TlogProof& proof);
// The one canonical form only: every byte is significant.
Result<TlogProof> parse_tlog_proof(std::string_view text);

struct VerifiedProof {
    Checkpoint checkpoint;
    OpenedNote note;  // who signed, and whose lines no given key covers
};
// That `proof.extra` is the leaf at `proof.index` of the log that the first verifier names: its signature
// must be there and be right. The other verifiers (witnesses) are checked where they appear.
Result<VerifiedProof> verify_tlog_proof(const TlogProof& proof, const std::vector<const NoteVerifier*>& verifiers);

}  // namespace xinfu::crypto
