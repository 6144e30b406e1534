// Goal: whatever single write, sync or rename fails, and wherever the power goes, an acknowledged operation
// is there after the next start, none is half there, and the tree is the signed one and goes on. Method: a
// child process opens a small store and runs a workload of objects and operations, telling each
// acknowledgement through a pipe, with a fault at its n-th call, for every n; then the store is opened again
// without faults and looked at whole.
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
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using faults::Fault;

constexpr std::uint64_t kOperations = 9;
constexpr std::uint64_t kObjectEvery = 3;  // operations whose number is a multiple name an object file
const Bytes kDataKey(32, 5);
#ifdef XINFU_SANITIZED
constexpr std::uint64_t kStep = 5;  // forking is slow there, and it is our code's memory that is looked at
#else
constexpr std::uint64_t kStep = 1;
#endif

ObjectId object_of(std::uint64_t number) {
    ObjectId id{};
    id[0] = static_cast<std::uint8_t>(number % 2);
    id[15] = static_cast<std::uint8_t>(number);
    return id;
}

bool write_object(const std::string& directory, std::uint64_t number) {
    const auto store = open_object_store(directory + "/objects");
    if (!store) {
        return false;
    }
    const auto writer = (*store)->create(object_of(number), kDataKey);
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

// Exit status 0: the fault fired. 3: the workload had fewer calls.
[[noreturn]] void run_workload(const std::string& directory, std::uint64_t at, Fault fault, int error, int pipe) {
    faults::arm(at, fault, error);
    {
        auto ledger = testing::try_ledger(directory);
        std::uint64_t number = 1;
        while (ledger && number <= kOperations) {
            // One alone, then two that may share a batch.
            std::vector<std::pair<std::uint64_t, std::future<Result<Committed>>>> answers;
            for (std::uint64_t together = number % 3 == 2 ? 2 : 1; together > 0; --together, ++number) {
                if (number % kObjectEvery == 0 && !write_object(directory, number)) {
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

Outcome run_child(const std::string& directory, std::uint64_t at, Fault fault, int error) {
    int ends[2];
    if (::pipe(ends) != 0) {
        std::abort();
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        run_workload(directory, at, fault, error, ends[1]);
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
        for (std::uint64_t number = 1; number <= kOperations; ++number) {
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
};
void PrintTo(const Case& one, std::ostream* out) {
    *out << one.name;
}

class StorageFaults : public ::testing::TestWithParam<Case> {
protected:
    // Every call of the workload in turn; answers how many there were.
    static std::uint64_t for_every_call(const std::string& initial) {
        std::set<std::uint64_t> any;
        for (std::uint64_t at = 1; at < 1000; at += kStep) {
            SCOPED_TRACE("fault at call " + std::to_string(at));
            const testing::TestDirectory directory;
            std::filesystem::copy(initial, directory.path(), std::filesystem::copy_options::recursive);
            const Outcome outcome = run_child(directory.path(), at, GetParam().fault, GetParam().error);
            expect_whole(directory.path(), outcome.acknowledged);
            if (::testing::Test::HasFatalFailure()) {
                return 0;
            }
            any.insert(outcome.acknowledged.begin(), outcome.acknowledged.end());
            if (outcome.status == 3) {
                EXPECT_EQ(outcome.acknowledged.size(), kOperations);
                EXPECT_EQ(any.size(), kOperations);
                return at - 1;
            }
            const bool power = GetParam().fault == Fault::power_cut || GetParam().fault == Fault::power_cut_mixed;
            EXPECT_EQ(outcome.status, power ? faults::kPowerCutStatus : 0);
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
constexpr Case kStored{"FailedButStored", Fault::stored, EIO};
constexpr Case kTorn{"Torn", Fault::torn, EIO};
constexpr Case kNoSpace{"NoSpace", Fault::failed, ENOSPC};
constexpr Case kPowerCut{"PowerCut", Fault::power_cut, 0};
constexpr Case kPowerCutMixed{"PowerCutMixed", Fault::power_cut_mixed, 0};

const auto name_of = [](const auto& one) { return std::string(one.param.name); };
INSTANTIATE_TEST_SUITE_P(Calls, StorageFaults,
                         ::testing::Values(kFailed, kStored, kTorn, kNoSpace, kPowerCut, kPowerCutMixed), name_of);
INSTANTIATE_TEST_SUITE_P(Calls, StoreMakingFaults, ::testing::Values(kFailed, kStored, kNoSpace, kPowerCut), name_of);

}  // namespace
}  // namespace xinfu::storage
