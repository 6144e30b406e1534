#include "storage/feeds.hpp"

#include <memory>
#include <utility>

#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

constexpr std::uint32_t kLearnedBlocks = 64;     // a place is learned after so many
constexpr std::uint32_t kSnapshotBlocks = 4096;  // read from one snapshot, a fraction of a second

// The last range that begins at or before this position.
Result<std::optional<FeedRange>> range_at_or_before(const ReadTransaction& transaction, std::string_view catalog,
                                                    std::uint64_t position) {
    Bytes prefix;
    codec::append_text(prefix, catalog);
    Bytes from = prefix;
    codec::append_big(from, position);
    std::optional<FeedRange> found;
    bool corrupt = false;
    const auto visit_one = [&](ByteView key, ByteView value) {
        const auto row = codec::parse<rows::FeedRange>(value);
        const auto id = row ? submission_id_from_bytes(as_bytes(row->submission())) : std::nullopt;
        if (!id || key.size() != prefix.size() + 8) {
            corrupt = true;
        } else {
            found = FeedRange{codec::load_big<std::uint64_t>(key.data() + prefix.size()), row->count(), *id};
        }
        return false;
    };
    if (const auto visited = transaction.visit(Table::feeds, prefix, from, visit_one, true); !visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    return found;
}

// The block, which is there as long as its submission counts.
Result<rows::RecordBlock> read_block(const ReadTransaction& transaction, const FeedReading& reading,
                                     std::uint32_t block) {
    const auto sealed = find_record_block(transaction, reading.range.submission, block);
    if (!sealed) {
        return sealed.error();
    }
    if (!*sealed) {
        return Errc::corrupt;
    }
    return reading.sealer.open_block(block, **sealed);
}

// Where every block is full but the last, a place can be told without reading what is before it.
Result<FeedPlaces::Place> place_of(const ReadTransaction& transaction, const FeedPlaces& places,
                                   const FeedReading& reading, std::uint64_t record) {
    const auto known = places.nearest(reading.range.submission, record);
    const auto full = static_cast<std::uint32_t>(record / kRecordsPerBlock);
    const std::uint64_t before_last = std::uint64_t{kRecordsPerBlock} * (reading.blocks - 1);
    if (full <= known.block || full >= reading.blocks || reading.range.count <= before_last) {
        return known;
    }
    const auto last = read_block(transaction, reading, reading.blocks - 1);
    if (!last) {
        return last.error();
    }
    if (before_last + static_cast<std::uint64_t>(last->records_size()) != reading.range.count) {
        return known;
    }
    return FeedPlaces::Place{full, std::uint64_t{kRecordsPerBlock} * full};
}

}  // namespace

Result<std::optional<FeedRange>> find_feed_range(const ReadTransaction& transaction, std::string_view catalog,
                                                 std::uint64_t position) {
    auto range = range_at_or_before(transaction, catalog, position);
    if (range && *range && position >= (*range)->end()) {
        range->reset();
    }
    return range;
}

Result<std::uint64_t> last_of_feed(const ReadTransaction& transaction, std::string_view catalog) {
    const auto range = range_at_or_before(transaction, catalog, ~std::uint64_t{0});
    if (!range) {
        return range.error();
    }
    return *range ? (*range)->end() - 1 : 0;
}

FeedPlaces::Place FeedPlaces::nearest(const SubmissionId& id, std::uint64_t record) const {
    const std::scoped_lock lock(lock_);
    const auto places = known_.find(id);
    if (places == known_.end()) {
        return {};
    }
    const auto behind = places->second.upper_bound(record);
    if (behind == places->second.begin()) {
        return {};
    }
    const auto& [before, block] = *std::prev(behind);
    return {block, before};
}

void FeedPlaces::learn(const SubmissionId& id, Place place) {
    const std::scoped_lock lock(lock_);
    if (count_ >= kPlacesMax) {
        known_.clear();
        count_ = 0;
    }
    // Of blocks without records the last counts: the others need not be looked at again.
    const auto [at, fresh] = known_[id].insert_or_assign(place.before, place.block);
    count_ += fresh ? 1 : 0;
}

Result<void> visit_feed(const Engine& engine, FeedPlaces& places, const FeedReading& reading,
                        const std::function<bool(std::uint64_t, const rows::RecordBlock::Record&)>& visitor) {
    if (reading.blocks == 0 || reading.from < reading.range.first) {
        return Errc::corrupt;
    }
    auto snapshot = engine.snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto place = place_of(**snapshot, places, reading, reading.from - reading.range.first);
    if (!place) {
        return place.error();
    }
    const SubmissionId& id = reading.range.submission;
    std::uint64_t position = reading.range.first + place->before;
    std::uint32_t read = 0;
    for (std::uint32_t number = place->block; number < reading.blocks; ++number) {
        if (++read % kSnapshotBlocks == 0) {
            snapshot->reset();
            snapshot = engine.snapshot();
            if (!snapshot) {
                return snapshot.error();
            }
        }
        if (number > 0 && read % kLearnedBlocks == 0) {
            places.learn(id, {number, position - reading.range.first});
        }
        const auto block = read_block(**snapshot, reading, number);
        if (!block) {
            return block.error();
        }
        const std::uint64_t begins = position;
        for (const auto& record : block->records()) {
            if (position == reading.range.end()) {
                return Errc::corrupt;
            }
            if (position >= reading.from && !visitor(position, record)) {
                if (number > 0) {
                    places.learn(id, {number, begins - reading.range.first});  // the next reading begins here
                }
                return {};
            }
            ++position;
        }
    }
    if (position != reading.range.end()) {
        return Errc::corrupt;
    }
    return {};
}

}  // namespace xinfu::storage
