// LogIndex: which leaves of the log have which terms. A term is a field and its value, known here by a keyed digest
// alone; the index proposes leaves, and a search looks at the leaf itself before it answers it. Leaves that are not
// indexed yet, or whose rows are damaged, are read one by one: the index is never what an answer rests on.
//
// The log is cut into segments of 4096 leaves. Of each whole segment there are 256 rows, one for each first octet of
// the terms' digests, so that looking for one term reads some 700 octets of a segment. All 256 are there, or the
// segment counts as not indexed.
//
// Format:  docs/formats/log.md, "Search".
// Threads: any; a LogIndex never changes.
// Errors:  storage::Errc of the engine; `corrupt` for a leaf that does not open or parse.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "storage/engine.hpp"
#include "storage/leaf.hpp"

namespace xinfu::storage {

enum class LogField {
    subject,  // the code asked for, of the notes
    actor,    // principal
    unit,
    role,
    action,
    result,  // accepted, refused ..., or the code of a refusal
    catalog,
    object,    // id, or one of its digests
    approval,  // id of the request: leaves that name it as what allowed them, and those about the request itself
};

struct LogTerm {
    LogField field{};
    std::string value{};
};

struct LogQuery {
    std::vector<LogTerm> terms{};                                      // all of them
    std::optional<Milliseconds> from{};                                // inclusive
    std::optional<Milliseconds> until{};                               // inclusive
    std::uint64_t before = std::numeric_limits<std::uint64_t>::max();  // only leaves of lower index
    std::size_t limit = 0;                                             // of leaves in the page
};

struct LogPage {
    struct Found {
        std::uint64_t index = 0;
        Bytes entry{};
        LeafNotes notes{};
    };
    std::vector<Found> found{};              // newest first
    std::optional<std::uint64_t> next{};     // `before` of the next page; it may be there although nothing was found
    std::vector<std::uint64_t> unindexed{};  // whole segments that had to be read leaf by leaf
};

class LogIndex {
public:
    static constexpr std::uint64_t kSegmentLeaves = 4096;
    static constexpr std::size_t kBuckets = 256;
    using Rows = std::array<Bytes, kBuckets>;

    // What one page may cost: segments looked up in the index, leaves read without it, octets of the leaves answered.
    struct Bounds {
        std::uint64_t segments = 4096;
        std::uint64_t leaves = 4096;
        std::uint64_t bytes = 1u << 20;
    };

    // `index_key`: the node's key of that name.
    explicit LogIndex(ByteView index_key) : key_(index_key.begin(), index_key.end()) {}

    // The rows of a segment, from its leaves, which must all be there.
    Result<Rows> make_rows(const ReadTransaction& transaction, std::uint64_t segment) const;
    static Result<void> put(WriteTransaction& transaction, std::uint64_t segment, const Rows& rows);

    // Whole segments of the log that have no rows of this version, by one of their rows; ascending.
    static Result<std::vector<std::uint64_t>> missing(const ReadTransaction& transaction);

    Result<LogPage> search(const ReadTransaction& transaction, const LogQuery& query, const Bounds& bounds) const;
    Result<LogPage> search(const ReadTransaction& transaction, const LogQuery& query) const {
        return search(transaction, query, Bounds{});
    }

private:
    Bytes key_;
};

// The number of leaves that a snapshot has.
Result<std::uint64_t> log_size(const ReadTransaction& transaction);

}  // namespace xinfu::storage
