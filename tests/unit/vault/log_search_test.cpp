// Times of a search, and what of a leaf's texts is shown; the indexer follows the log.
#include "daemon/vault/log_search.hpp"

#include "daemon/vault/log_indexer.hpp"
#include "storage/log_rows.hpp"
#include "tests/unit/vault/fixture.hpp"

namespace xinfu::vault::test {
namespace {

std::string read_time(std::string_view text, bool last) {
    const auto time = parse_search_time(text, last);
    return time ? storage::format_time(*time) : "none";
}

TEST(LogSearch, TakesDaysInChinaAndTimesAnywhere) {
    EXPECT_EQ(read_time("2026-01-31", false), "2026-01-30T16:00:00.000Z");
    EXPECT_EQ(read_time("2026-01-31", true), "2026-01-31T15:59:59.999Z");
    EXPECT_EQ(read_time("2026-01-31T08:00:00Z", false), "2026-01-31T08:00:00.000Z");
    EXPECT_EQ(read_time("2026-01-31T08:00:00Z", true), "2026-01-31T08:00:00.999Z");
    EXPECT_EQ(read_time("2026-01-31T08:00:00.5Z", true), "2026-01-31T08:00:00.500Z");
    EXPECT_EQ(read_time("2026-01-31T08:00:00.123+08:00", false), "2026-01-31T00:00:00.123Z");
    EXPECT_EQ(read_time("2026-01-31T23:30:00-01:30", false), "2026-02-01T01:00:00.000Z");
    for (const std::string_view text :
         {"", "2026", "2026-1-31", "2026-02-30", "2026-13-01", "2026-01-31 08:00:00Z", "2026-01-31T08:00Z",
          "2026-01-31T24:00:00Z", "2026-01-31T08:60:00Z", "2026-01-31T08:00:00", "2026-01-31T08:00:00.Z",
          "2026-01-31T08:00:00.1234Z", "2026-01-31T08:00:00+8:00", "2026-01-31T08:00:00+08:00x", "2026-01-31x",
          "-026-01-31", "2026-01-31T08:00:0"}) {
        EXPECT_EQ(read_time(text, false), "none") << text;
    }
}

TEST(LogSearch, ShowsTheTextsBesideALeafAndMasksAPersonsNumber) {
    storage::LogPage::Found found{7, to_bytes(R"({"action":"query"})"), {}};
    EXPECT_EQ(describe_found(found), R"({"index":7,"leaf":{"action":"query"}})");
    found.notes = {.subject = "11010119900307002X", .name = {}, .purpose = "why \"so\"", .detail = {}};
    EXPECT_EQ(
        describe_found(found),
        R"({"index":7,"leaf":{"action":"query"},"notes":{"purpose":"why \"so\"","subject":"110101********002X"}})");
}

class LogIndexerTest : public VaultTest {
protected:
    void append(std::size_t count) {
        std::promise<bool> done;
        storage::Operation operation;
        operation.apply = [&](storage::Batch& batch) {
            for (std::size_t i = 0; i < count; ++i) {
                storage::Leaf leaf;
                leaf.action = "read_status";
                leaf.principal = "m-" + std::to_string(i % 7);
                context_->leaves.append(batch, leaf);
            }
            return Result<void>{};
        };
        operation.done = [&done](Result<storage::Committed> committed) { done.set_value(committed.has_value()); };
        must(ledger_->submit(std::move(operation)));
        ASSERT_TRUE(done.get_future().get());
    }
    std::vector<std::uint64_t> missing() const {
        return must(storage::LogIndex::missing(*must(context_->ledger.engine().snapshot())));
    }
    void catch_up(LogIndexer& indexer) {
        on_loop([&]() -> asio::awaitable<void> {
            auto catching_up = indexer.catch_up();
            const auto done = co_await std::move(catching_up);
            EXPECT_TRUE(done) << done.error().message();
        });
    }
};

TEST_F(LogIndexerTest, MakesEachWholeSegmentAndWhatAStoreLacks) {
    const auto segment = storage::LogIndex::kSegmentLeaves;
    append(2 * segment + 100);  // as a store of an older build
    LogIndexer indexer(*context_, keys_->index());
    EXPECT_EQ(missing(), (std::vector<std::uint64_t>{0, 1}));
    catch_up(indexer);
    EXPECT_TRUE(missing().empty());
    append(segment);
    EXPECT_EQ(missing(), std::vector<std::uint64_t>{2});
    catch_up(indexer);
    EXPECT_TRUE(missing().empty());
    EXPECT_EQ(must(must(context_->ledger.engine().snapshot())->count(storage::Table::log_index)),
              3 * storage::LogIndex::kBuckets);
}

TEST_F(LogIndexerTest, MakesWhatASearchFoundDamagedAgain) {
    append(storage::LogIndex::kSegmentLeaves);
    LogIndexer indexer(*context_, keys_->index());
    catch_up(indexer);
    storage::LogQuery query;
    query.terms.push_back({storage::LogField::actor, "m-3"});
    query.limit = 5;
    const auto look = [&] { return must(indexer.index().search(*must(context_->ledger.engine().snapshot()), query)); };
    const auto whole = look();
    EXPECT_EQ(whole.found.size(), 5u);
    EXPECT_TRUE(whole.unindexed.empty());
    change([](storage::WriteTransaction& transaction) {
        for (int bucket = 0; bucket < 256; ++bucket) {
            const Bytes key{static_cast<std::uint8_t>(bucket), 0, 0, 0, 0, 0, 0, 0, 0};
            ASSERT_TRUE(transaction.erase(storage::Table::log_index, key));
        }
    });
    const auto damaged = look();
    EXPECT_EQ(damaged.found.size(), 5u) << "read around";
    ASSERT_EQ(damaged.unindexed, std::vector<std::uint64_t>{0});
    indexer.renew(damaged.unindexed);
    indexer.renew({1000});  // none of the log's
    catch_up(indexer);
    EXPECT_TRUE(look().unindexed.empty());
}

TEST_F(LogIndexerTest, ADamagedLeafKeepsOnlyItsOwnSegmentOut) {
    append(2 * storage::LogIndex::kSegmentLeaves);
    change([](storage::WriteTransaction& transaction) {
        ASSERT_TRUE(transaction.put(storage::Table::log_entries, storage::index_key(5), as_bytes("no leaf")));
    });
    LogIndexer indexer(*context_, keys_->index());
    catch_up(indexer);
    EXPECT_EQ(missing(), std::vector<std::uint64_t>{0});
    indexer.renew({0});
    catch_up(indexer);  // ends: it is not tried for ever
}

}  // namespace
}  // namespace xinfu::vault::test
