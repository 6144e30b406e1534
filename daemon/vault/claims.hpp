// Claims: which records of a file are new. A record's identity is claimed by the first submission that is committed
// with it; the same bytes again are a duplicate, other bytes a defect. Files in flight may claim the same identity:
// whoever stages second notes the clash for both, and whoever commits second looks at its notes.
//
// Threads: inside an operation of the ledger; judge() also on a snapshot.
// Errors:  storage::Errc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/vault/record_reader.hpp"
#include "daemon/vault/report_term.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {

// Records overtaken by other files that one operation takes back. A file with more is settled in several, before its
// commit.
inline constexpr std::size_t kClashesMax = 2000;

enum class Fate {
    fresh,
    duplicate,
    known_otherwise,  // XF-5003: committed with other bytes
    twice_otherwise,  // XF-5004: earlier in this file with other bytes
    withdrawn,        // XF-5025: its identity stays claimed
};

struct Judged {
    std::vector<Fate> fates;                   // one for each record
    std::vector<std::uint64_t> earlier_lines;  // of twice_otherwise records, in order: where the first one stands
    struct Rival {
        std::size_t record = 0;  // index among the judged
        storage::Claim claim;    // of a submission in flight
    };
    std::vector<Rival> rivals;
    std::uint64_t fresh = 0;
    std::uint64_t duplicates = 0;

    bool all_acceptable() const { return fresh + duplicates == fates.size(); }
};

// What a staged record claims, while the index of its file is made (staged_index.hpp).
struct StagedClaim {
    crypto::Digest identity{};
    crypto::Digest digest{};  // of the record
    std::uint64_t line = 0;
    std::uint32_t slot = 0;
    std::uint32_t unused = 0;  // no octet is left to chance: these are written as they lie in memory

    // Of one identity, the record that stands first in the file comes first.
    bool operator<(const StagedClaim& other) const;
};

// Changes nothing. `sealer` opens this submission's own staged blocks.
Result<Judged> judge(const storage::ReadTransaction& transaction, const storage::RecordSealer& sealer,
                     const storage::SubmissionId& self, std::span<const PreparedRecord> records);

// The same of staged records, in the order of their claims; the claims of those that are fresh are put, and the clashes
// with rivals noted for both.
Result<Judged> put_staged_claims(storage::WriteTransaction& transaction, const storage::RecordSealer& sealer,
                                 const storage::SubmissionId& self, std::span<const StagedClaim> claims);

// Defects of those that are not acceptable, in order.
void append_defects(const Judged& judged, std::span<const StagedClaim> claims, std::vector<boundary::Defect>& defects);
void append_defects(const Judged& judged, std::span<const PreparedRecord> records,
                    std::vector<boundary::Defect>& defects);

// A record as a block has it.
void append_row(const PreparedRecord& record, storage::rows::RecordBlock& block);

// Stores the fresh ones in blocks from `next_block` on, with claims, subject entries and notes of clashes: the
// rivals', and with `pending`, when the claims will count only later, this submission's own. Moves `next_block`.
Result<void> store_records(storage::WriteTransaction& transaction, const storage::RecordSealer& sealer,
                           const storage::SubmissionId& self, std::span<const PreparedRecord> records,
                           const Judged& judged, bool pending, std::uint32_t& next_block);

// What became of the clashes noted for a staged submission: slots whose record another file committed meanwhile.
struct Overtaken {
    bool more = false;  // there are further ones: these are kClashesMax of them
    std::vector<std::uint32_t> duplicates;
    std::vector<std::uint32_t> known_otherwise;
    std::vector<storage::ClashNote> notes;  // that say so
};
Result<Overtaken> look_at_clashes(const storage::ReadTransaction& transaction, const storage::SubmissionId& self);

// Takes the overtaken records back, with their notes, and their terms out of `terms`. Answers the defects of those that
// are known with other bytes.
Result<std::vector<boundary::Defect>> take_back(storage::WriteTransaction& transaction, ByteView index_key,
                                                std::string_view catalog, const storage::RecordSealer& sealer,
                                                const storage::SubmissionId& self, const Overtaken& overtaken,
                                                TermCounts& terms);

}  // namespace xinfu::vault
