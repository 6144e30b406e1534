// Leaf: one entry of the audit log. Who did what, when, from where, on which object, under which approval and
// with which result; never personal data or payload, which the log keeps for ever and others read.
//
// Format:  docs/FORMATS.md, "Leaf": one canonical JSON object (RFC 8785), without line end, at most 65 535
// bytes. Threads: a LeafWriter is immutable; append() runs where the batch runs. Trust:   principal, unit,
// role and times come from the vault itself; `source`, `reason` and ids are bounded here.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/random.hpp"
#include "storage/ledger.hpp"

namespace xinfu::storage {

// What the act was about. An empty type leaves the member out.
struct LeafObject {
    std::string type{};                       // "submission", "account", "checkpoint", "parcel", ...
    std::string id{};                         // opaque
    std::optional<crypto::Digest> digest{};   // SHA-256 of the object's bytes: of a submission, the body as PUT
    std::optional<crypto::Digest> content{};  // submissions: SHA-256 of the signed content, once it is verified
};

struct LeafCounts {
    std::uint64_t records = 0;
    std::uint64_t stored = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t defective = 0;
    std::uint64_t warned = 0;
};

// At upper levels: the first leaf of what arrived.
struct LeafOrigin {
    std::string node{};
    std::uint64_t index = 0;
    crypto::Digest digest{};  // SHA-256 of the signed content: object.content of that leaf
};

// Empty members are left out of the encoding. Time, node, salt and the salted digests are the writer's.
struct Leaf {
    std::string action{};     // "submit", "refuse_connection", ...; see docs/FORMATS.md
    std::string result{};     // accepted, refused, pending, done
    std::string code{};       // "XF-nnnn" with result refused
    std::string principal{};  // account id, or what was claimed of an unknown one: a certificate's digest
    std::string unit{};       // unified social credit code of the principal's unit
    std::string role{};
    std::string source{};  // address the act came from
    std::string catalog{};
    LeafObject object{};
    std::optional<LeafCounts> counts{};
    std::optional<LeafOrigin> origin{};
    std::string approval{};  // id of the request that allowed it
    std::string reason{};
    std::uint64_t count = 0;  // how many equal acts this leaf stands for; 0 and 1 are left out
};

// Plain texts that the leaf only digests. They are kept beside it, sealed, in Table::log_notes. Personal data
// belongs here and nowhere else.
struct LeafNotes {
    std::string subject{};  // the code asked for: leaf.subject = HMAC(index key, code || salt)
    std::string name{};     // file name: leaf.name = SHA-256(salt || name)
    std::string purpose{};  // leaf.purpose = SHA-256(salt || purpose)
    std::string detail{};   // free text for people who may read notes; no trace in the leaf
    bool empty() const { return subject.empty() && name.empty() && purpose.empty() && detail.empty(); }
};

using LeafSalt = std::array<std::uint8_t, 16>;

// The bytes of a leaf. Deterministic. `index_key` may be empty when there is no subject.
// Errors: too_large when the strings do not fit 65 535 bytes.
Result<Bytes> encode_leaf(const Leaf& leaf, const LeafNotes& notes, std::string_view node, Milliseconds time,
                          const LeafSalt& salt, ByteView index_key);

// "2026-01-31T08:00:00.123Z"
std::string format_time(Milliseconds time);

class LeafWriter {
public:
    // `index_key` is the node's key "index". `random` fills salts and outlives the writer.
    LeafWriter(std::string node, Bytes index_key, crypto::RandomSource& random = crypto::system_random());

    // Called for every leaf, inside its batch, with the index it gets; what it saw is durable only when the ledger
    // says so (Ledger::Options::after_batch). Set before the first append().
    using Observer = std::function<void(const Leaf& leaf, std::uint64_t index)>;
    void observe(Observer observer) { observer_ = std::move(observer); }

    // Encodes the leaf at the batch's time, appends it, writes its notes in the same transaction, and returns
    // its index. `entry`, when given, receives the leaf's bytes (a receipt's `extra`). Strings too long for a
    // leaf are a programming error: bound them where they enter.
    std::uint64_t append(Batch& batch, const Leaf& leaf, const LeafNotes& notes = {}, Bytes* entry = nullptr) const;

private:
    std::string node_;
    Bytes index_key_;
    crypto::RandomSource& random_;
    Observer observer_;
};

// The notes kept beside a leaf; empty ones when there are none. Errors: corrupt.
Result<LeafNotes> read_leaf_notes(const ReadTransaction& transaction, std::uint64_t index);

}  // namespace xinfu::storage
