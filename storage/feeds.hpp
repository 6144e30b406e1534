// Feeds: the record versions of a catalog in the order in which they came to count, each at a position of its own, from
// 1 without a gap. What is kept is a row for each submission (append_feed() in storage/submissions.hpp): its positions
// are its stored records in the order of their slots, and neither changes once it counts.
//
// Format:  docs/formats/feeds.md; storage/submission_rows.proto, FeedRange.
// Threads: functions on a transaction; FeedPlaces is internally locked.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse or a block that is missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "storage/records.hpp"

namespace xinfu::storage {

struct FeedRange {
    std::uint64_t first = 0;  // position of the submission's first record
    std::uint64_t count = 0;
    SubmissionId submission{};
    std::uint64_t end() const { return first + count; }  // one behind the last
};
// The range that a position lies in. An empty optional: the feed is not so long.
Result<std::optional<FeedRange>> find_feed_range(const ReadTransaction& transaction, std::string_view catalog,
                                                 std::uint64_t position);
// The last position there is; 0: none.
Result<std::uint64_t> last_of_feed(const ReadTransaction& transaction, std::string_view catalog);

// In which block a submission's n-th record lies. Where duplicates were left out blocks are not full, and nothing but
// their records says how many there are: what was learned by reading is kept, so that whoever goes on where it
// stopped does not read everything before that again.
class FeedPlaces {
public:
    struct Place {
        std::uint32_t block = 0;
        std::uint64_t before = 0;  // records in the blocks before it
    };
    // The nearest known place at or before the record; the submission's first block when none is known.
    Place nearest(const SubmissionId& id, std::uint64_t record) const;
    void learn(const SubmissionId& id, Place place);

    static constexpr std::size_t kPlacesMax = 65536;  // 4 MiB; then all are forgotten

private:
    mutable std::mutex lock_;
    std::map<SubmissionId, std::map<std::uint64_t, std::uint32_t>> known_;  // by submission: `before` and block
    std::size_t count_ = 0;
};

// A submission's records from one on, in the order of their positions.
struct FeedReading {
    const FeedRange& range;
    std::uint64_t from = 0;    // the first position wanted
    std::uint32_t blocks = 0;  // of the submission
    const RecordSealer& sealer;
};
// Visits until the visitor answers false or the range is done. Takes snapshots of its own, one after the other: what is
// read does not change. Errors: also `corrupt` when the blocks hold fewer records than the range has positions.
Result<void> visit_feed(const Engine& engine, FeedPlaces& places, const FeedReading& reading,
                        const std::function<bool(std::uint64_t position, const rows::RecordBlock::Record&)>& visitor);

}  // namespace xinfu::storage
