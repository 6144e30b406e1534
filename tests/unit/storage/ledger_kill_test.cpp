// Goal: whatever is killed, an acknowledged operation is there afterwards, none is half there, and the tree
// continues. Method: a child process writes through the ledger and tells each acknowledgement through a pipe;
// it is killed after a number of acknowledgements that differs each round; the store is opened again and
// every row and leaf is looked at.
#include <csignal>
#include <map>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "crypto/merkle.hpp"
#include "storage/log_rows.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

constexpr int kRounds = 12;
constexpr std::uint64_t kPerRound = 100'000;  // operations are numbered round * kPerRound + i

// Each operation writes two rows and a leaf, all naming its number.
Operation numbered(std::uint64_t number, int acknowledgements) {
    return {.apply = [number](Batch& batch) -> Result<void> {
                const IndexKey key = index_key(number);
                if (const auto put = batch.transaction().put(Table::submissions, key, Bytes(300, 1)); !put) {
                    return put;
                }
                batch.append_leaf(as_bytes(std::to_string(number)));
                return batch.transaction().put(Table::feeds, key, Bytes(30, 2));
            },
            .done =
                [number, acknowledgements](Result<Committed> result) {
                    if (result && ::write(acknowledgements, &number, sizeof number) != sizeof number) {
                        ::_exit(1);
                    }
                },
            .size_bytes = 400};
}

[[noreturn]] void write_until_killed(const std::string& directory, int round, int acknowledgements) {
    auto ledger = testing::try_ledger(directory);
    if (!ledger) {
        ::_exit(2);
    }
    for (std::uint64_t i = 0;; ++i) {
        while (!(*ledger)->submit(numbered(static_cast<std::uint64_t>(round) * kPerRound + i, acknowledgements))) {
            std::this_thread::yield();
        }
        if (i % 16 == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    }
}

TEST(Ledger, KeepsEveryAcknowledgedOperationWhenKilled) {
    const testing::TestDirectory directory;
    std::map<std::uint64_t, bool> acknowledged;
    std::uint64_t last_size = 0;
    for (int round = 0; round < kRounds; ++round) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            ::close(ends[0]);
            write_until_killed(directory.path(), round, ends[1]);
        }
        ::close(ends[1]);
        std::uint64_t number = 0;
        const int enough = 5 + round * 37;
        for (int i = 0; i < enough && ::read(ends[0], &number, sizeof number) == sizeof number; ++i) {
            acknowledged[number] = true;
        }
        ::kill(child, SIGKILL);
        while (::read(ends[0], &number, sizeof number) == sizeof number) {
            acknowledged[number] = true;
        }
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << status;

        const auto ledger = testing::make_ledger(directory.path());
        ASSERT_NE(ledger, nullptr);
        const auto snapshot = *ledger->engine().snapshot();
        const std::uint64_t size = ledger->head().tree_size;
        ASSERT_GE(size, last_size);
        last_size = size;
        crypto::Frontier frontier;
        std::map<std::uint64_t, int> leaves;
        for (std::uint64_t index = 0; index < size; ++index) {
            const Bytes entry = *ledger->tree().entry(index);
            frontier.append(crypto::leaf_hash(entry));
            ++leaves[std::stoull(std::string(as_text(entry)))];
        }
        ASSERT_EQ(frontier.root(), *ledger->tree().root(size));
        ASSERT_EQ(*snapshot->count(Table::submissions), leaves.size());
        ASSERT_EQ(*snapshot->count(Table::feeds), leaves.size());
        for (const auto& [each, count] : leaves) {
            ASSERT_EQ(count, 1) << each;
            ASSERT_TRUE(*snapshot->contains(Table::submissions, index_key(each))) << each;
            ASSERT_TRUE(*snapshot->contains(Table::feeds, index_key(each))) << each;
        }
        for (const auto& [each, unused] : acknowledged) {
            ASSERT_TRUE(leaves.contains(each)) << each << " was acknowledged in or before round " << round;
        }
    }
    EXPECT_GE(acknowledged.size(), static_cast<std::size_t>(kRounds));
}

}  // namespace
}  // namespace xinfu::storage
