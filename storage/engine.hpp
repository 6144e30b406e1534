// Engine: an ordered key-value store with one writer and any number of snapshot readers. Everything above
// speaks to this and to nothing of LMDB, so that a node that outgrows one machine can have another engine.
//
// Values are sealed here: AES-256-GCM under the store key, with the table's number and the key as associated
// data, so that a value moved to another place does not open. Keys are not sealed: whoever builds a key from
// personal data digests it with a secret first.
//
// Threads: one WriteTransaction at a time, on one thread (the ledger's). Snapshots on any thread, each used
//          by one thread at a time and kept for at most a few seconds, since it pins pages.
// Errors:  storage::Errc. `corrupt`: a value did not open or a page is not what it was; never served.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "storage/damage.hpp"

namespace xinfu::crypto {
class Sealer;
}

namespace xinfu::storage {

// Sub-databases. Numbers are part of the sealed values' associated data: add at the end, never reuse.
enum class Table : std::uint8_t {
    meta = 0,                  // name -> value: format version, wrapped keys, node identity, high-water marks
    log_entries = 1,           // index (u64 BE) -> entry bytes
    log_tiles = 2,             // level (u8), tile index (u64 BE) -> up to 256 hashes of 32 bytes
    checkpoints = 3,           // tree size (u64 BE) -> signed note; written with the batch after the one it signs
    log_notes = 4,             // index (u64 BE) -> rows.proto LeafNotes: texts that a leaf only digests
    log_index = 5,             // first octet of terms' digests, segment (u64 BE) -> places (storage/log_index.cpp)
    submissions = 10,          // submission id (16) -> rows.proto Submission
    submission_names = 11,     // digest of (unit, catalog, name) (32) -> submission id
    submission_contents = 12,  // digest of (unit, catalog, name, signer, content digest, catalog version) -> id
    staged = 13,               // submission id (16) -> rows.proto Staging: swept when orphaned
    record_blocks = 20,        // submission id (16), block (u32 BE) -> up to 64 records, sealed again by submission
    identity_claims = 21,      // HMAC of identity (32), submission id (16), u32 slot -> record digest (32)
    subject_index = 22,        // HMAC of catalog and subject (32), submission id (16), u32 slot -> empty
    feeds = 23,                // catalog, u64 BE sequence -> submission id and range
    defects = 24,              // submission id (16), part (u32 BE) -> rows.proto DefectPart
    record_versions = 25,      // identity claim (32), version (u64 BE) -> rows.proto RecordVersion
    routes = 30,               // route name -> rows.proto RouteState
    parcels = 31,              // route name, sequence (u64 BE) -> rows.proto Parcel
    acknowledgements = 32,     // submission id (16), level -> rows.proto Acknowledgement
    incoming = 33,             // node, route, sequence (u64 BE) -> submission id or refusal
    accounts = 40,             // account id -> rows.proto Account
    certificates = 41,         // SHA-256 of the certificate (32) -> rows.proto Certificate
    persons = 42,              // natural person id -> rows.proto Person
    handshake_proofs = 43,     // certificate's last day (u32 BE), digest of its CertificateVerify (32) -> time
    policies = 44,             // SHA-256 of a pack (32) -> its bytes
    revocations = 45,          // issuer digest (32) -> rows.proto RevocationList
    keys = 46,                 // name -> wrapped key
    objects = 47,              // object id (16) -> rows.proto Object: files that committed rows name
    uploads = 48,              // upload id (16) -> rows.proto Upload
    quality = 49,              // month (u32 BE), unit, catalog -> rows.proto Quality
    requests = 50,             // request id (16) -> rows.proto ApprovalRequest
    open_requests = 51,        // request id (16) -> applicant's account
    witnessed_logs = 52,       // origin -> rows.proto WitnessedLog
    cosignatures = 53,         // name of a witness's key -> rows.proto Cosignature
    count = 64
};

class ReadTransaction {
public:
    virtual ~ReadTransaction() = default;

    // The opened value, or an empty optional.
    virtual Result<std::optional<Bytes>> get(Table table, ByteView key) const = 0;
    virtual Result<bool> contains(Table table, ByteView key) const = 0;

    // Visits keys that begin with `prefix`, from the whole key `from` on (inclusive; it need not exist;
    // empty: from the first), in ascending order, or descending from `from` (empty: from the last) when
    // `backwards`. The visitor answers false to stop, and does not write to the transaction. Views live until
    // it returns.
    using Visitor = std::function<bool(ByteView key, ByteView value)>;
    virtual Result<void> visit(Table table, ByteView prefix, ByteView from, const Visitor& visitor,
                               bool backwards = false) const = 0;
    virtual Result<std::uint64_t> count(Table table) const = 0;
};

class WriteTransaction : public ReadTransaction {
public:
    // Visible to this transaction at once and to others after commit.
    virtual Result<void> put(Table table, ByteView key, ByteView value) = 0;
    virtual Result<void> erase(Table table, ByteView key) = 0;

    // Durable on return: data and meta page are synced. After an error the state on disk is unknown: the
    // process must stop (Errc::commit_failed), except Errc::store_full, after which nothing was written.
    virtual Result<void> commit() = 0;
    // Destroying an uncommitted transaction undoes it.
};

struct EngineStatistics {
    std::uint64_t map_size_bytes;
    std::uint64_t used_bytes;       // of the map, pages free for reuse not counted
    std::uint64_t disk_free_bytes;  // of the file system, for unprivileged writers
};

struct PageCheck {
    std::uint64_t pages = 0;    // in use by tables
    std::uint64_t damaged = 0;  // findings, each of them told of (EngineOptions::on_damage)
};

struct RowCheck {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;    // as stored
    std::uint64_t damaged = 0;  // rows that did not open, each of them told of
    std::optional<Bytes> next;  // the key to go on with; none: the table is done
};

class Engine {
public:
    virtual ~Engine() = default;
    virtual Result<std::unique_ptr<ReadTransaction>> snapshot() const = 0;
    virtual Result<std::unique_ptr<WriteTransaction>> begin() = 0;
    virtual EngineStatistics statistics() const = 0;    // reads the list of free pages: not for every request
    virtual std::uint64_t disk_free_bytes() const = 0;  // as in the statistics
    // Another number after each commit that wrote to the table: whoever keeps what was read there looks here first,
    // before taking the snapshot that it reads anew. From 0 at each start.
    virtual std::uint64_t version(Table table) const = 0;
    // Whether the trees of what is committed now are whole, by a reader of their pages that does not trust them
    // (storage/lmdb_file.hpp): a damaged tree can hide rows. Reads all their pages, but no long values; keeps a
    // snapshot meanwhile. Tells of what it finds. Errors: busy when commits came faster than it could begin; io_failed.
    virtual Result<PageCheck> check_pages() const = 0;
    // Opens the values of a table from the key `from` on (inclusive; empty: from the first) until `bytes_max` were
    // read; one that does not open ends nothing. After a damaged check_pages() it is not safe to call.
    virtual Result<RowCheck> check_rows(Table table, ByteView from, std::uint64_t bytes_max) const = 0;
};

// All of them, in the order of their numbers.
std::span<const Table> all_tables();
std::string_view to_text(Table table);

struct EngineOptions {
    std::uint64_t map_size_bytes = std::uint64_t{64} << 30;  // virtual; the file grows as needed
    bool create = false;                                     // make the store when it is not there
    OnDamage on_damage = [](const std::string&) {};
    OnFailure on_failure = [](const std::string&) {};
};

// Opens the LMDB environment in `directory` (may be "."), under an exclusive lock on the directory that lasts
// as long as the engine: a second opener gets Errc::store_in_use. Checks the file against its own page count
// before anything is read (Errc::corrupt when it was cut short). What the system refuses is told in its words.
Result<std::unique_ptr<Engine>> open_lmdb_engine(const std::string& directory, const EngineOptions& options,
                                                 std::shared_ptr<const crypto::Sealer> sealer);

}  // namespace xinfu::storage
