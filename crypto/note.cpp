#include "crypto/note.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include <botan/ed25519.h>
#include <botan/exceptn.h>
#include <botan/pubkey.h>
#include <botan/rng.h>
#include <boost/endian/conversion.hpp>

#include "crypto/canonical_json.hpp"
#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::uint8_t kTypeEd25519 = 0x01;
constexpr std::uint8_t kTypeCosignature = 0x04;
constexpr std::size_t kSeedBytes = 32;  // RFC 8032 section 5.1.5
constexpr std::size_t kPublicKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kKeyIdBytes = 4;
constexpr std::size_t kTimeBytes = 8;                // seconds, u64 BE, before the signature of a cosignature
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space begin a signature line
constexpr std::size_t kNameSizeMax = 255;

// Unicode's White_Space, in UTF-8: a name that held one would read as two words of its line.
bool has_space(std::string_view name) {
    static constexpr std::array<std::string_view, 9> kSpaces{"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                                             "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                                             "\xe2\x81\x9f", "\xe3\x80\x80", "\x7f"};
    if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) <= 0x20; }) ||
        std::ranges::any_of(kSpaces, [&](std::string_view s) { return name.find(s) != name.npos; })) {
        return true;
    }
    for (std::size_t at = name.find("\xe2\x80"); at != name.npos; at = name.find("\xe2\x80", at + 1)) {
        const auto third = static_cast<unsigned char>(at + 2 < name.size() ? name[at + 2] : 0);
        if (third >= 0x80 && third <= 0x8a) {  // U+2000..U+200A
            return true;
        }
    }
    return false;
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= kNameSizeMax && is_utf8(name) && name.find('+') == name.npos &&
           !has_space(name);
}

std::uint32_t key_id_of(std::string_view name, std::uint8_t type, ByteView public_key) {
    Sha256 digest;
    digest.update(as_bytes(name));
    digest.update(as_bytes("\n"));
    digest.update({&type, 1});
    digest.update(public_key);
    return boost::endian::load_big_u32(digest.finish().data());
}

std::array<std::uint8_t, kKeyIdBytes> big_endian(std::uint32_t value) {
    std::array<std::uint8_t, kKeyIdBytes> bytes;
    boost::endian::store_big_u32(bytes.data(), value);
    return bytes;
}

std::string verifier_key_of(std::string_view name, std::uint8_t type, ByteView public_key) {
    Bytes typed{type};
    typed.insert(typed.end(), public_key.begin(), public_key.end());
    return std::string(name) + "+" + to_hex(big_endian(key_id_of(name, type, public_key))) + "+" + to_base64(typed);
}

Result<std::unique_ptr<Botan::Ed25519_PrivateKey>> key_from_seed(std::string_view name, ByteView seed) try {
    if (!is_name(name) || seed.size() != kSeedBytes) {
        return Errc::key_malformed;
    }
    return std::make_unique<Botan::Ed25519_PrivateKey>(Botan::Ed25519_PrivateKey::from_seed(seed));
} catch (const Botan::Exception&) {
    return Errc::key_malformed;
}

Bytes sign_ed25519(const Botan::Ed25519_PrivateKey& key, ByteView message) {
    // The nonce comes from key and message (RFC 8032 section 5.1.6); a generator that throws when asked
    // proves it.
    Botan::Null_RNG no_randomness;
    Botan::PK_Signer signer(key, no_randomness, "Pure");
    Bytes signature = signer.sign_message(message.data(), message.size(), no_randomness);
    assert(signature.size() == kSignatureBytes);
    return signature;
}

std::string cosigned_message(std::string_view text, std::uint64_t unix_seconds) {
    return "cosignature/v1\ntime " + std::to_string(unix_seconds) + "\n" + std::string(text);
}

}  // namespace

NoteSigner::NoteSigner(std::string name, std::unique_ptr<Botan::Ed25519_PrivateKey> key)
    : name_(std::move(name)), key_(std::move(key)) {}
NoteSigner::NoteSigner(NoteSigner&&) noexcept = default;
NoteSigner::~NoteSigner() = default;

Result<NoteSigner> NoteSigner::from_seed(std::string name, ByteView seed) {
    auto key = key_from_seed(name, seed);
    if (!key) {
        return key.error();
    }
    return NoteSigner(std::move(name), std::move(*key));
}

std::string NoteSigner::verifier_key() const {
    return verifier_key_of(name_, kTypeEd25519, key_->public_key_bits());
}

std::string NoteSigner::sign(std::string_view text) const {
    assert(!text.empty() && text.back() == '\n');
    const auto id = key_id_of(name_, kTypeEd25519, key_->public_key_bits());
    return std::string(text) + "\n" + encode_signature_line(name_, id, sign_ed25519(*key_, as_bytes(text)));
}

WitnessSigner::WitnessSigner(std::string name, std::unique_ptr<Botan::Ed25519_PrivateKey> key)
    : name_(std::move(name)), key_(std::move(key)) {}
WitnessSigner::WitnessSigner(WitnessSigner&&) noexcept = default;
WitnessSigner::~WitnessSigner() = default;

Result<WitnessSigner> WitnessSigner::from_seed(std::string name, ByteView seed) {
    auto key = key_from_seed(name, seed);
    if (!key) {
        return key.error();
    }
    return WitnessSigner(std::move(name), std::move(*key));
}

std::string WitnessSigner::verifier_key() const {
    return verifier_key_of(name_, kTypeCosignature, key_->public_key_bits());
}

std::string WitnessSigner::cosign(std::string_view text, std::uint64_t unix_seconds) const {
    assert(!text.empty() && text.back() == '\n');
    Bytes timed(kTimeBytes);
    boost::endian::store_big_u64(timed.data(), unix_seconds);
    const Bytes signature = sign_ed25519(*key_, as_bytes(cosigned_message(text, unix_seconds)));
    timed.insert(timed.end(), signature.begin(), signature.end());
    return encode_signature_line(name_, key_id_of(name_, kTypeCosignature, key_->public_key_bits()), timed);
}

NoteVerifier::NoteVerifier(std::string name, std::uint32_t key_id, bool witness,
                           std::unique_ptr<Botan::Ed25519_PublicKey> key)
    : name_(std::move(name)), key_id_(key_id), witness_(witness), key_(std::move(key)) {}
NoteVerifier::NoteVerifier(NoteVerifier&&) noexcept = default;
NoteVerifier& NoteVerifier::operator=(NoteVerifier&&) noexcept = default;
NoteVerifier::~NoteVerifier() = default;

Result<NoteVerifier> NoteVerifier::parse(std::string_view verifier_key) try {
    // Names have no plus sign, base64 may: the first two separate.
    const auto first = verifier_key.find('+');
    const auto second = first == verifier_key.npos ? first : verifier_key.find('+', first + 1);
    if (second == verifier_key.npos) {
        return Errc::key_malformed;
    }
    const std::string_view name = verifier_key.substr(0, first);
    const auto id = from_hex(verifier_key.substr(first + 1, second - first - 1));
    const auto typed = from_base64(verifier_key.substr(second + 1));
    if (!is_name(name) || !id || id->size() != kKeyIdBytes || !typed || typed->empty()) {
        return Errc::key_malformed;
    }
    const std::uint8_t type = typed->front();
    if (type != kTypeEd25519 && type != kTypeCosignature) {
        return Errc::key_wrong_algorithm;
    }
    const ByteView public_key = ByteView(*typed).subspan(1);
    const std::uint32_t key_id = boost::endian::load_big_u32(id->data());
    if (public_key.size() != kPublicKeyBytes || key_id != key_id_of(name, type, public_key)) {
        return Errc::key_malformed;
    }
    return NoteVerifier(std::string(name), key_id, type == kTypeCosignature,
                        std::make_unique<Botan::Ed25519_PublicKey>(public_key));
} catch (const Botan::Exception&) {
    return Errc::key_malformed;
}

bool NoteVerifier::verify(std::string_view text, ByteView signature) const try {
    std::string message;
    if (witness_) {
        if (signature.size() != kTimeBytes + kSignatureBytes) {
            return false;
        }
        message = cosigned_message(text, boost::endian::load_big_u64(signature.data()));
        text = message;
        signature = signature.subspan(kTimeBytes);
    }
    if (signature.size() != kSignatureBytes) {
        return false;
    }
    Botan::PK_Verifier verifier(*key_, "Pure");
    return verifier.verify_message(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), signature.data(),
                                   signature.size());
} catch (const Botan::Exception&) {
    return false;
}

std::optional<std::vector<SignatureLine>> parse_signature_lines(std::string_view lines) {
    std::vector<SignatureLine> parsed;
    if (!is_utf8(lines)) {
        return std::nullopt;
    }
    while (!lines.empty()) {
        const auto end = lines.find('\n');
        if (end == lines.npos || parsed.size() == kNoteSignaturesMax) {
            return std::nullopt;
        }
        std::string_view line = lines.substr(0, end);
        lines.remove_prefix(end + 1);
        const std::string_view whole = line;
        if (!line.starts_with(kDash)) {
            return std::nullopt;
        }
        line.remove_prefix(kDash.size());
        const auto space = line.find(' ');
        if (space == line.npos) {
            return std::nullopt;
        }
        const std::string_view name = line.substr(0, space);
        auto bytes = from_base64(line.substr(space + 1));
        if (!is_name(name) || !bytes || bytes->size() <= kKeyIdBytes) {
            return std::nullopt;
        }
        parsed.push_back({std::string(whole), std::string(name), boost::endian::load_big_u32(bytes->data()),
                          Bytes(bytes->begin() + kKeyIdBytes, bytes->end())});
    }
    return parsed;
}

std::string encode_signature_line(std::string_view name, std::uint32_t key_id, ByteView signature) {
    const auto id = big_endian(key_id);
    Bytes bytes(id.begin(), id.end());
    bytes.insert(bytes.end(), signature.begin(), signature.end());
    return std::string(kDash).append(name) + " " + to_base64(bytes) + "\n";
}

Result<OpenedNote> open_note(std::string_view note, const std::vector<const NoteVerifier*>& verifiers) {
    const bool control =
        std::ranges::any_of(note, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
    const auto blank = note.rfind("\n\n");
    if (control || blank == note.npos || !is_utf8(note) || note.back() != '\n') {
        return Errc::note_malformed;
    }
    OpenedNote opened;
    opened.text = note.substr(0, blank + 1);
    auto lines = parse_signature_lines(note.substr(blank + 2));
    if (!lines || lines->empty()) {
        return Errc::note_malformed;
    }
    for (SignatureLine& line : *lines) {
        const auto known = std::ranges::find_if(verifiers, [&](const NoteVerifier* verifier) {
            return verifier->key_id() == line.key_id && verifier->name() == line.name;
        });
        if (known == verifiers.end()) {
            opened.unverified.push_back(std::move(line.whole));
            continue;
        }
        if (!(*known)->verify(opened.text, line.signature)) {
            return Errc::note_unverified;
        }
        if (std::ranges::find(opened.verified_by, *known) == opened.verified_by.end()) {
            opened.verified.push_back(std::move(line.name));
            opened.verified_by.push_back(*known);
        }
    }
    if (opened.verified.empty()) {
        return Errc::note_unverified;
    }
    return opened;
}

std::string encode_checkpoint(const Checkpoint& checkpoint) {
    return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + to_base64(checkpoint.root) + "\n";
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
    std::array<std::string_view, 3> lines;
    for (std::string_view& line : lines) {
        const auto end = text.find('\n');
        if (end == text.npos || end == 0) {
            return Errc::checkpoint_malformed;
        }
        line = text.substr(0, end);
        text.remove_prefix(end + 1);
    }
    if (text.starts_with('\n') || text.find("\n\n") != text.npos || (!text.empty() && text.back() != '\n')) {
        return Errc::checkpoint_malformed;  // extension lines are never empty
    }
    Checkpoint checkpoint;
    checkpoint.origin = lines[0];
    const auto [end, error] = std::from_chars(lines[1].data(), lines[1].data() + lines[1].size(), checkpoint.size);
    const bool leading_zero = lines[1].size() > 1 && lines[1].front() == '0';
    const auto root = from_base64(lines[2]);
    if (error != std::errc{} || end != lines[1].data() + lines[1].size() || leading_zero || !root ||
        root->size() != checkpoint.root.size()) {
        return Errc::checkpoint_malformed;
    }
    std::ranges::copy(*root, checkpoint.root.begin());
    return checkpoint;
}

}  // namespace xinfu::crypto
