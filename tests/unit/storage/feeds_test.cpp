// Feeds: positions lead to records, once each and in order, from wherever a reader begins. ROL-07, AUD-04.
#include "storage/feeds.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/error.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage::testing {
namespace {

using Positions = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // position and line

SubmissionId id_of(std::uint8_t number) {
    std::array<std::uint8_t, 10> random{};
    random[9] = number;
    return make_submission_id(1'769'846'400'123, random);
}

class FeedsOfCatalogs : public ::testing::Test {
protected:
    // A submission whose blocks hold so many records each; lines count on from 2. Answers its first position.
    std::uint64_t add(std::uint8_t number, const std::vector<std::uint32_t>& sizes, const std::string& catalog = "a") {
        auto transaction = *engine_->begin();
        const RecordSealer sealer(id_of(number), Bytes(32, number));
        std::uint64_t line = 2;
        for (std::uint32_t block = 0; block < sizes.size(); ++block) {
            rows::RecordBlock rows;
            for (std::uint32_t i = 0; i < sizes[block]; ++i) {
                auto* record = rows.add_records();
                record->set_position(kRecordsPerBlock - sizes[block] + i);
                record->set_line(line++);
            }
            EXPECT_TRUE(put_record_block(*transaction, id_of(number), block, sealer.seal_block(block, rows)));
        }
        const auto first = append_feed(*transaction, catalog, id_of(number), line - 2);
        EXPECT_TRUE(first && transaction->commit());
        return *first;
    }
    Result<void> read(FeedPlaces& places, std::uint8_t number, std::uint32_t blocks, std::uint64_t from,
                      std::size_t max, Positions& out) {
        const auto range = find_feed_range(**engine_->snapshot(), "a", from);
        EXPECT_TRUE(range && *range);
        const RecordSealer sealer(id_of(number), Bytes(32, number));
        const std::size_t wanted = out.size() + max;
        return visit_feed(*engine_, places, {**range, from, blocks, sealer},
                          [&](std::uint64_t position, const rows::RecordBlock::Record& record) {
                              out.emplace_back(position, record.line());
                              return out.size() < wanted;
                          });
    }

    TestDirectory directory_;
    std::unique_ptr<Engine> engine_ = make_engine(directory_.path());
};

TEST_F(FeedsOfCatalogs, LeadFromAPositionToItsSubmission) {
    add(1, {3});
    add(2, {64, 1});
    add(3, {5}, "ab");
    const auto snapshot = *engine_->snapshot();
    const auto range_of = [&](std::string_view catalog, std::uint64_t position) {
        const auto range = find_feed_range(*snapshot, catalog, position);
        EXPECT_TRUE(range);
        return *range ? std::tuple((*range)->submission, (*range)->first, (*range)->count)
                      : std::tuple(SubmissionId{}, std::uint64_t{0}, std::uint64_t{0});
    };
    const std::tuple none(SubmissionId{}, std::uint64_t{0}, std::uint64_t{0});
    EXPECT_EQ(range_of("a", 1), std::tuple(id_of(1), 1U, 3U));
    EXPECT_EQ(range_of("a", 3), std::tuple(id_of(1), 1U, 3U));
    EXPECT_EQ(range_of("a", 4), std::tuple(id_of(2), 4U, 65U));
    EXPECT_EQ(range_of("a", 68), std::tuple(id_of(2), 4U, 65U));
    EXPECT_EQ(range_of("a", 0), none);
    EXPECT_EQ(range_of("a", 69), none);
    EXPECT_EQ(range_of("a", ~std::uint64_t{0}), none);
    EXPECT_EQ(range_of("ab", 5), std::tuple(id_of(3), 1U, 5U));
    EXPECT_EQ(range_of("b", 1), none);
    EXPECT_EQ(*last_of_feed(*snapshot, "a"), 68U);
    EXPECT_EQ(*last_of_feed(*snapshot, "ab"), 5U);
    EXPECT_EQ(*last_of_feed(*snapshot, "b"), 0U);
}

// Duplicates leave holes; whole blocks may be empty.
TEST_F(FeedsOfCatalogs, GiveEachRecordOnceInPagesOfAnySizeFromAnywhere) {
    const std::vector<std::vector<std::uint32_t>> files = {
        {1}, {64}, {64, 64, 7}, {64, 3, 0, 60, 1}, {0, 0, 64, 64}, {63, 64, 64}, std::vector<std::uint32_t>(200, 2)};
    for (std::uint8_t number = 1; number <= files.size(); ++number) {
        const auto& sizes = files[number - 1];
        const std::uint64_t first = add(number, sizes);
        Positions expected;
        std::uint64_t count = 0;
        for (const auto size : sizes) {
            count += size;
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            expected.emplace_back(first + i, 2 + i);
        }
        const auto blocks = static_cast<std::uint32_t>(sizes.size());
        for (const std::size_t page : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{1000}}) {
            FeedPlaces places;
            Positions seen;
            while (seen.size() < count) {
                ASSERT_TRUE(read(places, number, blocks, first + seen.size(), page, seen));
            }
            EXPECT_EQ(seen, expected) << "file " << int{number} << " in pages of " << page;
        }
        for (std::uint64_t from = 0; from < count; ++from) {
            FeedPlaces nothing_known;
            Positions seen;
            ASSERT_TRUE(read(nothing_known, number, blocks, first + from, 1, seen));
            EXPECT_EQ(seen, Positions({expected[from]})) << "file " << int{number} << " from " << from;
        }
    }
}

TEST_F(FeedsOfCatalogs, ABlockThatIsGoneIsDamageAndNoRecordLess) {
    const std::uint64_t first = add(1, {64, 64, 64});
    auto transaction = *engine_->begin();
    ASSERT_TRUE(erase_record_block(*transaction, id_of(1), 1));
    ASSERT_TRUE(transaction->commit());
    FeedPlaces places;
    Positions seen;
    EXPECT_EQ(read(places, 1, 3, first, 1000, seen).error(), Errc::corrupt);
    EXPECT_EQ(seen.size(), 64U);
}

TEST_F(FeedsOfCatalogs, FewerRecordsThanPositionsAreDamage) {
    const std::uint64_t first = add(1, {64, 5});
    FeedPlaces places;
    Positions seen;
    EXPECT_EQ(read(places, 1, 1, first, 1000, seen).error(), Errc::corrupt);
    EXPECT_EQ(read(places, 1, 0, first, 1000, seen).error(), Errc::corrupt);
}

TEST(FeedPlaces, KeepWhatWasLearnedAndNoMoreThanTheirBound) {
    FeedPlaces places;
    EXPECT_EQ(places.nearest(id_of(1), 500).block, 0U);
    places.learn(id_of(1), {10, 400});
    EXPECT_EQ(places.nearest(id_of(1), 399).block, 0U);
    EXPECT_EQ(places.nearest(id_of(1), 400).block, 10U);
    EXPECT_EQ(places.nearest(id_of(1), 500).before, 400U);
    EXPECT_EQ(places.nearest(id_of(2), 500).block, 0U) << "another submission's";
    for (std::uint64_t i = 0; i < FeedPlaces::kPlacesMax; ++i) {
        places.learn(id_of(2), {static_cast<std::uint32_t>(i), i});
    }
    EXPECT_EQ(places.nearest(id_of(1), 500).block, 0U) << "forgotten with all the others";
}

}  // namespace
}  // namespace xinfu::storage::testing
