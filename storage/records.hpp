// Records: canonical records in sealed blocks, who claimed which identity, and where a subject's records are.
//
// A block holds up to 64 records and is sealed under its submission's data key before the engine seals it again.
// A record's place is its slot: block * 64 + position. An identity claim and a subject entry name that slot.
// Claims and entries of a submission that is not (or not yet) accepted are there but do not count: whoever
// reads them asks for the submission's row.
//
// Format:  docs/FORMATS.md, section on rows; storage/submission_rows.proto.
// Threads: functions on a transaction; the transaction's rules apply. RecordSealer: immutable.
// Errors:  storage::Errc of the engine; `corrupt` for a block that does not open or parse.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "storage/engine.hpp"
#include "storage/submission_rows.pb.h"
#include "storage/submissions.hpp"

namespace xinfu::storage {

inline constexpr std::uint32_t kRecordsPerBlock = 64;

// Seals and opens one submission's blocks and inline body. Associated data: purpose, submission, place.
class RecordSealer {
public:
    // `data_key`: 32 bytes.
    RecordSealer(const SubmissionId& submission, ByteView data_key);

    Bytes seal_block(std::uint32_t block, const rows::RecordBlock& records) const;
    Result<rows::RecordBlock> open_block(std::uint32_t block, ByteView sealed) const;
    Bytes seal_body(ByteView body) const;
    Result<Bytes> open_body(ByteView sealed) const;
    // The key that seals the submission's object file: another one, since a stream's key seals nothing else.
    ByteView object_key() const { return *object_key_; }

private:
    Bytes associated_data(char purpose, std::uint32_t place) const;

    SubmissionId submission_;
    std::shared_ptr<const crypto::Sealer> sealer_;
    std::shared_ptr<const crypto::Digest> object_key_;  // wiped with the last copy
};

Result<void> put_record_block(WriteTransaction& transaction, const SubmissionId& id, std::uint32_t block,
                              ByteView sealed);
Result<void> erase_record_block(WriteTransaction& transaction, const SubmissionId& id, std::uint32_t block);
// An empty optional: no such block.
Result<std::optional<Bytes>> find_record_block(const ReadTransaction& transaction, const SubmissionId& id,
                                               std::uint32_t block);
// The record in a slot; an empty optional when the slot is free (a duplicate that was not stored).
Result<std::optional<rows::RecordBlock::Record>> find_record(const ReadTransaction& transaction,
                                                             const RecordSealer& sealer, const SubmissionId& id,
                                                             std::uint32_t slot);

// Keyed digests, since keys of the store are not sealed. `index_key` is the node's key of that name.
// `unit` is the account's, not what a record says: no file can claim an identity of another unit.
crypto::Digest identity_key(ByteView index_key, std::string_view catalog, std::string_view unit,
                            std::span<const std::string> identity);
crypto::Digest subject_key(ByteView index_key, std::string_view catalog, std::string_view subject);
// The same under that key, of many records.
crypto::Digest identity_key(crypto::HmacSha256& index_key, std::string_view catalog, std::string_view unit,
                            std::span<const std::string_view> identity);
crypto::Digest subject_key(crypto::HmacSha256& index_key, std::string_view catalog, std::string_view subject);

struct Claim {
    SubmissionId submission{};
    std::uint32_t slot = 0;
    crypto::Digest record{};  // SHA-256 of the canonical bytes
};
Result<void> put_claim(WriteTransaction& transaction, const crypto::Digest& identity, const Claim& claim);
Result<void> erase_claim(WriteTransaction& transaction, const crypto::Digest& identity, const Claim& claim);
// All claims on an identity, whether they count or not.
Result<void> visit_claims(const ReadTransaction& transaction, const crypto::Digest& identity,
                          const std::function<bool(const Claim&)>& visitor);

struct RecordPlace {
    SubmissionId submission{};
    std::uint32_t slot = 0;
    bool operator==(const RecordPlace&) const = default;
};
Result<void> put_subject_entry(WriteTransaction& transaction, const crypto::Digest& subject, const RecordPlace& place);
Result<void> erase_subject_entry(WriteTransaction& transaction, const crypto::Digest& subject,
                                 const RecordPlace& place);
Result<void> visit_subject(const ReadTransaction& transaction, const crypto::Digest& subject,
                           const std::function<bool(const RecordPlace&)>& visitor);

// Takes a stored record back together with its claim and its subject entry. Errors: not_found.
Result<void> remove_record(WriteTransaction& transaction, ByteView index_key, std::string_view catalog,
                           const RecordSealer& sealer, const SubmissionId& id, std::uint32_t slot);

// Takes records out of a block that have no claim and no subject entry. `slots`: of this block, ascending; those that
// are free already are passed over. Answers the records.
Result<std::vector<rows::RecordBlock::Record>> drop_unindexed(WriteTransaction& transaction, const RecordSealer& sealer,
                                                              const SubmissionId& id, std::uint32_t block,
                                                              std::span<const std::uint32_t> slots);

// The record of a submission that begins in this line, and its slot. `blocks`: how many the submission has.
struct RecordInLine {
    std::uint32_t slot = 0;
    rows::RecordBlock::Record record;
};
Result<std::optional<RecordInLine>> find_record_in_line(const ReadTransaction& transaction, const RecordSealer& sealer,
                                                        const SubmissionId& id, std::uint32_t blocks,
                                                        std::uint64_t line);

// Records that were changed: the newest version under the identity's claim, and every version with where it lies. A
// record without a head is in its first version, at the place of its claim.
struct RecordVersion {
    RecordPlace place;
    crypto::Digest digest{};  // of the canonical record
    bool withdrawal = false;
    std::int64_t time_ms = 0;
};
Result<std::optional<rows::RecordHead>> find_head(const ReadTransaction& transaction, const crypto::Digest& identity);
Result<std::optional<RecordVersion>> find_version(const ReadTransaction& transaction, const crypto::Digest& identity,
                                                  std::uint64_t version);
// Writes the version and makes it the head.
Result<void> put_version(WriteTransaction& transaction, const crypto::Digest& identity, std::uint64_t version,
                         const RecordVersion& row);

// Two files in flight claim one identity.
struct ClashNote {
    crypto::Digest identity{};
    std::uint32_t slot = 0;  // this submission's
    SubmissionId other{};
    rows::Clash clash;
};
Result<void> put_clash(WriteTransaction& transaction, const SubmissionId& id, const ClashNote& note);
Result<void> erase_clash(WriteTransaction& transaction, const SubmissionId& id, const ClashNote& note);
Result<void> visit_clashes(const ReadTransaction& transaction, const SubmissionId& id,
                           const std::function<bool(const ClashNote&)>& visitor);

enum class Sweep { finished, more };

// Erases what a staged submission left in up to `blocks_max` blocks, index entries included, then its notes of
// clashes and its staging row. Its row in Table::submissions and its defects, if
// any, stay: a refused file may have been staged.
Result<Sweep> sweep_staged(WriteTransaction& transaction, ByteView index_key, std::string_view catalog,
                           const RecordSealer& sealer, const SubmissionId& id, std::size_t blocks_max);
// The last part of it: notes and staging row of a submission whose records stay. `max` rows at most.
Result<Sweep> sweep_notes(WriteTransaction& transaction, const SubmissionId& id, std::size_t max);

}  // namespace xinfu::storage
