#include "crypto/tlog_proof.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1";

// The line without its newline, taken off the front.
bool take_line(std::string_view& text, std::string_view& line) {
    const auto end = text.find('\n');
    if (end == text.npos) {
        return false;
    }
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
}

}  // namespace

std::string encode_tlog_proof(const TlogProof& proof) {
    assert(proof.hashes.size() <= kProofHashesMax);
    std::string text(kFirstLine);
    text += '\n';
    if (!proof.extra.empty()) {
        text += "extra " + to_base64(proof.extra) + "\n";
    }
    text += "index " + std::to_string(proof.index) + "\n";
    for (const Digest& hash : proof.hashes) {
        text += to_base64(hash) + "\n";
    }
    return text + "\n" + proof.checkpoint;
}

Result<TlogProof> parse_tlog_proof(std::string_view text) {
    static constexpr std::string_view kExtra = "extra ";
    static constexpr std::string_view kIndex = "index ";
    TlogProof proof;
    std::string_view line;
    if (text.size() > kProofSizeBytesMax || !take_line(text, line) || line != kFirstLine || !take_line(text, line)) {
        return Errc::proof_malformed;
    }
    if (line.starts_with(kExtra)) {
        auto extra = from_base64(line.substr(kExtra.size()));
        if (!extra || extra->empty() || extra->size() > kEntrySizeBytesMax || !take_line(text, line)) {
            return Errc::proof_malformed;
        }
        proof.extra = std::move(*extra);
    }
    if (!line.starts_with(kIndex)) {
        return Errc::proof_malformed;
    }
    line.remove_prefix(kIndex.size());
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), proof.index);
    if (error != std::errc{} || end != line.data() + line.size() || (line.size() > 1 && line.front() == '0')) {
        return Errc::proof_malformed;
    }
    for (;;) {
        if (!take_line(text, line)) {
            return Errc::proof_malformed;
        }
        if (line.empty()) {
            break;
        }
        const auto hash = from_base64(line);
        if (!hash || hash->size() != sizeof(Digest) || proof.hashes.size() == kProofHashesMax) {
            return Errc::proof_malformed;
        }
        std::ranges::copy(*hash, proof.hashes.emplace_back().begin());
    }
    if (text.empty()) {
        return Errc::proof_malformed;
    }
    proof.checkpoint = text;
    return proof;
}

Result<VerifiedProof> verify_tlog_proof(const TlogProof& proof, const std::vector<const NoteVerifier*>& verifiers) {
    assert(!verifiers.empty());
    auto note = open_note(proof.checkpoint, verifiers);
    if (!note) {
        return note.error();
    }
    const NoteVerifier* log = verifiers.front();
    if (std::ranges::find(note->verified_by, log) == note->verified_by.end()) {
        return Errc::note_unverified;
    }
    auto checkpoint = parse_checkpoint(note->text);
    if (!checkpoint) {
        return checkpoint.error();
    }
    if (checkpoint->origin != log->name()) {
        return Errc::origin_mismatch;
    }
    if (!verify_inclusion(leaf_hash(proof.extra), proof.index, checkpoint->size, proof.hashes, checkpoint->root)) {
        return Errc::proof_mismatch;
    }
    return VerifiedProof{std::move(*checkpoint), std::move(*note)};
}

}  // namespace xinfu::crypto
