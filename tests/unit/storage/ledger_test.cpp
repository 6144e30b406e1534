#include "storage/ledger.hpp"

#include <vector>

#include "crypto/merkle.hpp"
#include "storage/log_rows.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::append_entries;
using testing::make_ledger;
using testing::make_options;
using testing::run;
using testing::submit;
using testing::TestDirectory;
using testing::ToldClock;

Result<void> put_row(Batch& batch, std::string_view key, std::string_view value = "x") {
    return batch.transaction().put(Table::accounts, as_bytes(key), as_bytes(value));
}

bool has_row(Ledger& ledger, std::string_view key) {
    return *(*ledger.engine().snapshot())->contains(Table::accounts, as_bytes(key));
}

// An operation that holds the writer, so that those after it gather.
class Gate {
public:
    // The writer stands in the gate on return: what is submitted now comes into a later batch.
    explicit Gate(Ledger& ledger)
        : held_(submit(ledger, [this, opened = opened_.get_future().share()](Batch&) -> Result<void> {
              entered_.set_value();
              opened.wait();
              return {};
          })) {
        entered_.get_future().wait();
    }
    void open() {
        opened_.set_value();
        EXPECT_TRUE(held_.get());
    }

private:
    std::promise<void> entered_;
    std::promise<void> opened_;
    std::future<Result<Committed>> held_;
};

TEST(Ledger, SignsTheTreeThatIsDurable) {
    const TestDirectory directory;
    const auto ledger = make_ledger(directory.path());
    EXPECT_EQ(ledger->head().tree_size, 0u);
    const auto committed = append_entries(*ledger, 3);
    ASSERT_TRUE(committed);
    EXPECT_EQ(committed->tree_size, 3u);
    const auto verifier = crypto::NoteVerifier::parse(testing::make_signer()->verifier_key());
    const auto note = crypto::open_note(*committed->checkpoint, {&*verifier});
    ASSERT_TRUE(note);
    const auto checkpoint = crypto::parse_checkpoint(note->text);
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->origin, testing::kOrigin);
    EXPECT_EQ(checkpoint->size, 3u);
    const crypto::Digest left =
        crypto::node_hash(crypto::leaf_hash(as_bytes("entry 0")), crypto::leaf_hash(as_bytes("entry 1")));
    EXPECT_EQ(checkpoint->root, crypto::node_hash(left, crypto::leaf_hash(as_bytes("entry 2"))));
    EXPECT_EQ(*ledger->head().checkpoint, *committed->checkpoint);
}

TEST(Ledger, TakesWhateverWaitsIntoOneBatch) {
    const TestDirectory directory;
    const auto ledger = make_ledger(directory.path());
    Gate gate(*ledger);
    std::vector<std::future<Result<Committed>>> answers;
    for (int i = 0; i < 100; ++i) {
        answers.push_back(submit(*ledger, [i](Batch& batch) -> Result<void> {
            batch.append_leaf(as_bytes(std::to_string(i)));
            return {};
        }));
    }
    gate.open();
    for (auto& answer : answers) {
        const auto committed = answer.get();
        ASSERT_TRUE(committed);
        EXPECT_EQ(committed->tree_size, 100u);
    }
    EXPECT_EQ(as_text(*ledger->tree().entry(99)), "99");
}

TEST(Ledger, AnErrorRefusesOnlyItsOwnOperation) {
    const TestDirectory directory;
    const auto ledger = make_ledger(directory.path());
    Gate gate(*ledger);
    std::vector<std::future<Result<Committed>>> answers;
    for (int i = 0; i < 30; ++i) {
        answers.push_back(submit(*ledger, [i](Batch& batch) -> Result<void> {
            if (i % 3 == 1) {
                return Errc::not_found;  // before any write
            }
            batch.append_leaf(as_bytes(std::to_string(i)));
            if (i % 3 == 2) {
                return Errc::exists;  // after a write, which must vanish: more of these than restarts
            }
            return put_row(batch, "row " + std::to_string(i));
        }));
    }
    gate.open();
    for (int i = 0; i < 30; ++i) {
        const auto answer = answers[static_cast<std::size_t>(i)].get();
        EXPECT_EQ(answer.has_value(), i % 3 == 0) << i;
        if (!answer) {
            EXPECT_EQ(answer.error(), i % 3 == 1 ? Errc::not_found : Errc::exists) << i;
        }
        EXPECT_EQ(has_row(*ledger, "row " + std::to_string(i)), i % 3 == 0) << i;
    }
    EXPECT_EQ(ledger->head().tree_size, 10u);
    for (std::uint64_t index = 0; index < 10; ++index) {
        EXPECT_EQ(as_text(*ledger->tree().entry(index)), std::to_string(3 * index));
    }
}

TEST(Ledger, WhatDoesNotFitIsRefusedAndTheRestOfItsBatchIsKept) {
    const TestDirectory directory;
    const auto ledger = *testing::try_ledger(directory.path(), std::make_shared<ToldClock>(), make_options(), 2 << 20);
    Gate gate(*ledger);
    auto before = submit(*ledger, [](Batch& batch) { return put_row(batch, "before"); });
    auto large = submit(*ledger, [](Batch& batch) -> Result<void> {
        batch.append_leaf(as_bytes("never"));
        return put_row(batch, "large", std::string(4 << 20, 'x'));
    });
    auto silent = submit(*ledger, [](Batch& batch) -> Result<void> {
        (void)put_row(batch, "large", std::string(4 << 20, 'x')).has_value();
        return {};
    });
    auto after = submit(*ledger, [](Batch& batch) -> Result<void> {
        batch.append_leaf(as_bytes("after"));
        return put_row(batch, "after");
    });
    gate.open();
    EXPECT_TRUE(before.get());
    EXPECT_EQ(large.get().error(), Errc::store_full);
    EXPECT_EQ(silent.get().error(), Errc::store_full);
    EXPECT_TRUE(after.get());
    EXPECT_TRUE(has_row(*ledger, "before"));
    EXPECT_FALSE(has_row(*ledger, "large"));
    EXPECT_EQ(ledger->head().tree_size, 1u);
    EXPECT_FALSE(ledger->failed());
}

TEST(Ledger, AFullQueueIsAnAnswer) {
    const TestDirectory directory;
    auto options = make_options();
    options.queue_max = 4;
    const auto ledger = make_ledger(directory.path(), std::make_shared<ToldClock>(), options);
    std::promise<void> entered;
    std::promise<void> leave;
    auto held = submit(*ledger, [&entered, left = leave.get_future().share()](Batch&) -> Result<void> {
        entered.set_value();
        left.wait();
        return {};
    });
    entered.get_future().wait();
    std::vector<std::future<Result<Committed>>> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.push_back(submit(*ledger, [](Batch&) -> Result<void> { return {}; }));
    }
    EXPECT_EQ(run(*ledger, [](Batch&) -> Result<void> { return {}; }).error(), Errc::busy);
    leave.set_value();
    for (auto& answer : waiting) {
        EXPECT_TRUE(answer.get());
    }
    EXPECT_TRUE(held.get());
}

TEST(Ledger, WithoutRoomForTheLogNothingIsDone) {
    const TestDirectory directory;
    auto options = make_options();
    options.leaf_reserve_bytes = ~std::uint64_t{0};
    const auto ledger = make_ledger(directory.path(), std::make_shared<ToldClock>(), options);
    EXPECT_EQ(append_entries(*ledger, 1).error(), Errc::log_full);
    auto essential = submit(
        *ledger, [](Batch&) -> Result<void> { return {}; }, true);
    EXPECT_EQ(essential.get().error(), Errc::log_full);
    EXPECT_FALSE(ledger->failed());
}

TEST(Ledger, TheReserveIsForEssentialOperations) {
    const TestDirectory directory;
    auto options = make_options();
    options.disk_reserve_bytes = ~std::uint64_t{0};
    const auto ledger = make_ledger(directory.path(), std::make_shared<ToldClock>(), options);
    EXPECT_EQ(append_entries(*ledger, 1).error(), Errc::store_full);
    const auto essential = submit(
        *ledger,
        [](Batch& batch) -> Result<void> {
            batch.append_leaf(as_bytes("reading"));
            return {};
        },
        true);
    EXPECT_EQ(const_cast<std::future<Result<Committed>>&>(essential).get()->tree_size, 1u);
}

TEST(Ledger, TimeNeverDecreasesNotEvenOverARestart) {
    const TestDirectory directory;
    const auto clock = std::make_shared<ToldClock>();
    const std::int64_t start = clock->time;
    const auto time_of_a_leaf = [](Ledger& ledger) {
        Milliseconds time;
        EXPECT_TRUE(run(ledger, [&time](Batch& batch) -> Result<void> {
            time = batch.time();
            batch.append_leaf(as_bytes("leaf"));
            return {};
        }));
        return time.time_since_epoch().count();
    };
    {
        const auto ledger = make_ledger(directory.path(), clock);
        EXPECT_EQ(time_of_a_leaf(*ledger), start);
        clock->time = start - 5000;
        EXPECT_EQ(time_of_a_leaf(*ledger), start);
        clock->time = start + 10;
        EXPECT_EQ(time_of_a_leaf(*ledger), start + 10);
    }
    clock->time = start;
    const auto ledger = make_ledger(directory.path(), clock);
    EXPECT_EQ(time_of_a_leaf(*ledger), start + 10);
}

TEST(Ledger, ContinuesTheSameTreeAfterARestart) {
    const TestDirectory directory;
    crypto::Frontier frontier;
    for (const std::uint64_t count : {1u, 254u, 1u, 1u, 255u, 600u}) {
        std::string last_checkpoint;
        {
            const auto ledger = make_ledger(directory.path());
            for (std::uint64_t i = 0; i < count; ++i) {
                frontier.append(crypto::leaf_hash(as_bytes(testing::entry_text(frontier.size()))));
            }
            const auto committed = append_entries(*ledger, count);
            ASSERT_TRUE(committed);
            ASSERT_EQ(committed->tree_size, frontier.size());
            last_checkpoint = *committed->checkpoint;
        }
        const auto ledger = make_ledger(directory.path());
        EXPECT_EQ(*ledger->head().checkpoint, last_checkpoint);
        EXPECT_EQ(*ledger->tree().root(frontier.size()), frontier.root());
    }
}

TEST(Ledger, DrainsBeforeItCloses) {
    const TestDirectory directory;
    std::vector<std::future<Result<Committed>>> answers;
    {
        const auto ledger = make_ledger(directory.path());
        for (int i = 0; i < 200; ++i) {
            answers.push_back(submit(*ledger, [](Batch& batch) -> Result<void> {
                batch.append_leaf(as_bytes("leaf"));
                return {};
            }));
        }
    }
    for (auto& answer : answers) {
        EXPECT_TRUE(answer.get());
    }
    EXPECT_EQ(make_ledger(directory.path())->head().tree_size, 200u);
}

TEST(Ledger, WithoutALeafTheTreeStaysAndTheRowsAreKept) {
    const TestDirectory directory;
    const auto ledger = make_ledger(directory.path());
    ASSERT_TRUE(append_entries(*ledger, 2));
    const auto committed = run(*ledger, [](Batch& batch) { return put_row(batch, "row"); });
    ASSERT_TRUE(committed);
    EXPECT_EQ(committed->tree_size, 2u);
    EXPECT_TRUE(has_row(*ledger, "row"));
}

TEST(Ledger, TheLargestEntryFits) {
    const TestDirectory directory;
    const auto ledger = make_ledger(directory.path());
    const Bytes largest(crypto::kEntrySizeBytesMax, 'x');
    ASSERT_TRUE(run(*ledger, [&](Batch& batch) -> Result<void> {
        batch.append_leaf(largest);
        return {};
    }));
    EXPECT_EQ(*ledger->tree().entry(0), largest);
    EXPECT_EQ(ledger->tree().entries(0, 1)->size(), largest.size() + 2);
}

// Whoever holds the store key can seal other contents; the tree still tells.
class TamperedStore : public ::testing::Test {
protected:
    void SetUp() override {
        const auto ledger = make_ledger(directory_.path());
        ASSERT_TRUE(append_entries(*ledger, 300));
        ASSERT_TRUE(append_entries(*ledger, 1));
    }
    template <class Change>
    void change(const Change& change) {
        const auto engine = testing::make_engine(directory_.path());
        const auto transaction = *engine->begin();
        change(*transaction);
        ASSERT_TRUE(transaction->commit());
    }
    boost::system::error_code opening() const {
        const auto ledger = testing::try_ledger(directory_.path());
        return ledger ? boost::system::error_code() : ledger.error();
    }
    TestDirectory directory_;
};

TEST_F(TamperedStore, OpensWhenNothingChanged) {
    EXPECT_FALSE(opening());
}

TEST_F(TamperedStore, NoticesAnotherEntry) {
    change([](WriteTransaction& t) { ASSERT_TRUE(t.put(Table::log_entries, index_key(299), as_bytes("other"))); });
    EXPECT_EQ(opening(), Errc::corrupt);
}
TEST_F(TamperedStore, NoticesAMissingEntry) {
    change([](WriteTransaction& t) { ASSERT_TRUE(t.erase(Table::log_entries, index_key(3))); });
    EXPECT_EQ(opening(), Errc::corrupt);
}
TEST_F(TamperedStore, NoticesAnotherTile) {
    change([](WriteTransaction& t) { ASSERT_TRUE(t.put(Table::log_tiles, tile_key(1, 0), Bytes(32, 1))); });
    EXPECT_EQ(opening(), Errc::corrupt);
}
TEST_F(TamperedStore, NoticesAnotherSignersCheckpoint) {
    change([](WriteTransaction& t) {
        const std::string note = testing::make_signer(10)->sign(crypto::encode_checkpoint({testing::kOrigin, 301, {}}));
        ASSERT_TRUE(t.put(Table::checkpoints, index_key(301), as_bytes(note)));
    });
    EXPECT_EQ(opening(), Errc::corrupt);
}
TEST_F(TamperedStore, NoticesATreeThatWasCutBackBehindItsCheckpoint) {
    change([](WriteTransaction& t) {
        crypto::Frontier frontier;
        for (std::uint64_t i = 0; i < 300; ++i) {
            frontier.append(crypto::leaf_hash(as_bytes(testing::entry_text(i))));
        }
        ASSERT_TRUE(t.erase(Table::log_entries, index_key(300)));
        ASSERT_TRUE(t.put(Table::meta, as_bytes(kLogStateKey), encode_log_state({300, {}, frontier.root()})));
    });
    EXPECT_EQ(opening(), Errc::corrupt);
}

}  // namespace
}  // namespace xinfu::storage
