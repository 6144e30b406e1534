// Goal: whatever single open, write, sync or change of a name fails, and wherever the process dies or the power goes,
// an acknowledged operation is there after the next start, none is half there, and the tree is the signed one and goes
// on. Method: a child process opens a small store and runs a workload of objects and operations, telling each
// acknowledgement through a pipe, with a fault at its n-th call, for every n; what a power cut then takes is taken; and
// the store is opened again without faults and looked at whole.
#include <cerrno>
#include <set>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/merkle.hpp"
#include "storage/log_rows.hpp"
#include "storage/object_store.hpp"
#include "tests/faults/failing_system.hpp"
#include "tests/faults/unsynced_changes.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using faults::Fault;
using faults::Loss;

constexpr std::uint64_t kOperations = 9;  // of one process
constexpr int kPowerCutStatus = 99;
constexpr std::uint64_t kObjectEvery = 3;  // operations whose number is a multiple name an object file
const Bytes kDataKey(32, 5);
#ifdef XINFU_SANITIZED
constexpr std::uint64_t kStep = 5;  // forking is slow there, and it is our code's memory that is looked at
#else
constexpr std::uint64_t kStep = 1;
#endif

// All in one folder, so that each relies on whoever made it.
ObjectId object_of(std::uint64_t number) {
    ObjectId id{};
    id[15] = static_cast<std::uint8_t>(number);
    return id;
}

bool write_object(const ObjectStore& store, std::uint64_t number) {
    const auto writer = store.create(object_of(number), kDataKey);
    return writer && (*writer)->write(Bytes(70'000, static_cast<std::uint8_t>(number))) && (*writer)->finish();
}

// Two rows, two leaves and, for some, the name of an object.
Result<void> apply_numbered(Batch& batch, std::uint64_t number) {
    const IndexKey key = index_key(number);
    if (const auto put = batch.transaction().put(Table::submissions, key, Bytes(3000, 1)); !put) {
        return put;
    }
    batch.append_leaf(as_bytes("first " + std::to_string(number)));
    batch.append_leaf(as_bytes("second " + std::to_string(number)));
    if (number % kObjectEvery == 0) {
        if (const auto put = batch.transaction().put(Table::objects, object_of(number), key); !put) {
            return put;
        }
    }
    return batch.transaction().put(Table::feeds, key, as_bytes("x"));
}

void acknowledge(int pipe, std::uint64_t number) {
    // Past the calls that fail.
    if (::syscall(SYS_write, pipe, &number, sizeof number) != sizeof number) {
        ::_exit(1);
    }
}

std::string unsynced_of(const std::string& directory) {
    return directory + "/unsynced";
}

// Exit status 0: the fault fired. 3: the workload had fewer calls.
[[noreturn]] void run_workload(const std::string& directory, std::uint64_t first, const faults::Plan& plan, int pipe) {
    faults::watch(unsynced_of(directory), {.power_cut = [] { ::_exit(kPowerCutStatus); }});
    faults::arm(plan);
    {
        const auto ledger = testing::try_ledger(directory);
        const auto objects = open_object_store(directory + "/objects");
        std::uint64_t number = first;
        while (ledger && objects && number < first + kOperations) {
            // One alone, then two that may share a batch.
            std::vector<std::pair<std::uint64_t, std::future<Result<Committed>>>> answers;
            for (std::uint64_t together = number % 3 == 2 ? 2 : 1; together > 0; --together, ++number) {
                if (number % kObjectEvery == 0 && !write_object(**objects, number)) {
                    continue;
                }
                answers.emplace_back(number, testing::submit(**ledger, [number](Batch& batch) {
                                         return apply_numbered(batch, number);
                                     }));
            }
            for (auto& [each, answer] : answers) {
                if (answer.get()) {
                    acknowledge(pipe, each);
                }
            }
        }
    }
    ::_exit(faults::fired() ? 0 : 3);
}

struct Outcome {
    int status;
    std::set<std::uint64_t> acknowledged;
};

Outcome run_child(const std::string& directory, std::uint64_t first, const faults::Plan& plan) {
    int ends[2];
    if (::pipe(ends) != 0) {
        std::abort();
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        run_workload(directory, first, plan, ends[1]);
    }
    ::close(ends[1]);
    Outcome outcome;
    std::uint64_t number = 0;
    while (::read(ends[0], &number, sizeof number) == sizeof number) {
        outcome.acknowledged.insert(number);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return outcome;
}

void expect_object(const std::string& directory, std::uint64_t number) {
    const auto store = *open_object_store(directory + "/objects");
    const auto reader = store->open(object_of(number), kDataKey);
    ASSERT_TRUE(reader) << reader.error().message();
    std::uint64_t size = 0;
    for (;;) {
        const auto part = (*reader)->next();
        ASSERT_TRUE(part) << part.error().message();
        if (part->empty()) {
            break;
        }
        size += part->size();
    }
    EXPECT_EQ(size, 70'000u);
}

void expect_whole(const std::string& directory, const std::set<std::uint64_t>& acknowledged) {
    const auto ledger = testing::make_ledger(directory);
    ASSERT_NE(ledger, nullptr);
    const std::uint64_t size = ledger->head().tree_size;
    std::multiset<std::string> leaves;
    crypto::Frontier frontier;
    for (std::uint64_t index = 0; index < size; ++index) {
        const auto entry = ledger->tree().entry(index);
        ASSERT_TRUE(entry);
        frontier.append(crypto::leaf_hash(*entry));
        leaves.insert(std::string(as_text(*entry)));
    }
    ASSERT_EQ(frontier.root(), *ledger->tree().root(size));
    {
        const auto snapshot = *ledger->engine().snapshot();
        std::size_t present = 0;
        for (std::uint64_t number = 1; number <= 2 * kOperations; ++number) {
            const IndexKey key = index_key(number);
            const bool there = *snapshot->contains(Table::submissions, key);
            present += there ? 1 : 0;
            EXPECT_EQ(*snapshot->contains(Table::feeds, key), there) << number;
            EXPECT_EQ(leaves.count("first " + std::to_string(number)), there ? 1u : 0u) << number;
            EXPECT_EQ(leaves.count("second " + std::to_string(number)), there ? 1u : 0u) << number;
            EXPECT_TRUE(there || !acknowledged.contains(number)) << number << " was acknowledged and is gone";
            if (there && number % kObjectEvery == 0) {
                EXPECT_TRUE(*snapshot->contains(Table::objects, object_of(number))) << number;
                expect_object(directory, number);
            }
        }
        EXPECT_EQ(leaves.size(), 2 * present);
    }
    EXPECT_EQ(testing::append_entries(*ledger, 1)->tree_size, size + 1);
}

struct Case {
    const char* name;
    Fault fault;
    int error;
    Loss loss = Loss::nothing;        // once the process is gone
    bool goes_on_in_between = false;  // another process, without faults
};
void PrintTo(const Case& one, std::ostream* out) {
    *out << one.name;
}

class StorageFaults : public ::testing::TestWithParam<Case> {
protected:
    // Every call of the workload in turn; answers how many there were.
    static std::uint64_t for_every_call(const std::string& initial) {
        const Case& one = GetParam();
        std::set<std::uint64_t> any;
        for (std::uint64_t at = 1; at < 1000; at += kStep) {
            SCOPED_TRACE("fault at call " + std::to_string(at));
            const testing::TestDirectory directory;
            std::filesystem::copy(initial, directory.path(), std::filesystem::copy_options::recursive);
            Outcome outcome = run_child(directory.path(), 1, {faults::Call::any, at, one.fault, one.error});
            any.insert(outcome.acknowledged.begin(), outcome.acknowledged.end());
            if (one.goes_on_in_between) {
                const Outcome next = run_child(directory.path(), 1 + kOperations, {});
                EXPECT_EQ(next.acknowledged.size(), kOperations);
                outcome.acknowledged.insert(next.acknowledged.begin(), next.acknowledged.end());
            }
            faults::lose_unsynced(unsynced_of(directory.path()), directory.path(), one.loss);
            expect_whole(directory.path(), outcome.acknowledged);
            if (::testing::Test::HasFatalFailure()) {
                return 0;
            }
            if (outcome.status == 3) {
                EXPECT_EQ(any.size(), kOperations);
                return at - 1;
            }
            EXPECT_EQ(outcome.status, one.fault == Fault::power_cut ? kPowerCutStatus : 0);
        }
        ADD_FAILURE() << "the workload never ended";
        return 0;
    }
};

TEST_P(StorageFaults, LoseNothingAcknowledgedAndLeaveNothingHalf) {
    const testing::TestDirectory initial;
    { const auto ledger = testing::make_ledger(initial.path()); }
    const std::uint64_t calls = for_every_call(initial.path());
    EXPECT_GT(calls, 30u);
    std::printf("%s: a fault at each of %llu calls\n", GetParam().name, static_cast<unsigned long long>(calls));
}

// Not torn: half a first page is no store yet, and opening says `corrupt`.
class StoreMakingFaults : public StorageFaults {};

TEST_P(StoreMakingFaults, AllowMakingItAgain) {
    const testing::TestDirectory empty;
    EXPECT_GT(for_every_call(empty.path()), 30u);
}

constexpr Case kFailed{"Failed", Fault::failed, EIO};
constexpr Case kFailedThenPowerCut{"FailedThenPowerCut", Fault::failed, EIO, Loss::everything};
constexpr Case kStored{"FailedButStored", Fault::stored, EIO};
constexpr Case kStoredThenPowerCut{"FailedButStoredThenPowerCut", Fault::stored, EIO, Loss::everything};
constexpr Case kTorn{"Torn", Fault::torn, EIO};
constexpr Case kNoSpace{"NoSpace", Fault::failed, ENOSPC};
constexpr Case kDied{"Died", Fault::power_cut, 0};
constexpr Case kDiedThenPowerCut{"DiedAndTheNextLostPower", Fault::power_cut, 0, Loss::everything, true};
constexpr Case kPowerCut{"PowerCut", Fault::power_cut, 0, Loss::everything};
constexpr Case kPowerCutEven{"PowerCutThatLostEven", Fault::power_cut, 0, Loss::even};
constexpr Case kPowerCutOdd{"PowerCutThatLostOdd", Fault::power_cut, 0, Loss::odd};

const auto name_of = [](const auto& one) { return std::string(one.param.name); };
INSTANTIATE_TEST_SUITE_P(Calls, StorageFaults,
                         ::testing::Values(kFailed, kFailedThenPowerCut, kStored, kStoredThenPowerCut, kTorn, kNoSpace,
                                           kDied, kDiedThenPowerCut, kPowerCut, kPowerCutEven, kPowerCutOdd),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Calls, StoreMakingFaults,
                         ::testing::Values(kFailed, kFailedThenPowerCut, kStored, kStoredThenPowerCut, kNoSpace, kDied,
                                           kPowerCut),
                         name_of);

}  // namespace
}  // namespace xinfu::storage
