// Expected ids come from `printf xinfu/event/ACTION | sha256sum`.
#include "daemon/vault/leaf_journal.hpp"

#include <gtest/gtest.h>

namespace xinfu::vault {
namespace {

storage::Leaf leaf(std::string action, std::string result) {
    storage::Leaf made;
    made.action = std::move(action);
    made.result = std::move(result);
    made.object = {.type = "submission", .id = "s-1"};
    made.principal = "m-0001";
    return made;
}

// Without a journal around it, Service writes a line on standard error.
class LeafJournalTest : public testing::Test {
protected:
    std::string told(std::uint64_t tree_size) {
        testing::internal::CaptureStderr();
        journal_.committed(tree_size);
        return testing::internal::GetCapturedStderr();
    }
    boundary::Service service_{"leaf-journal"};
    LeafJournal journal_{service_};
};

TEST_F(LeafJournalTest, HasOneIdForEachKindOfEvent) {
    EXPECT_EQ(message_id("submit"), "38cdac2148988ae55d1524f57e053c50");
    EXPECT_EQ(message_id("query"), "2260ab1385ab1d24b678d0b5d9928fbb");
}

TEST_F(LeafJournalTest, TellsWhatIsDurableOnce) {
    journal_.appended(leaf("submit", "accepted"), 7);
    const std::string line = told(8);
    EXPECT_NE(line.find("submit accepted submission=s-1 principal=m-0001 leaf=7\n"), std::string::npos) << line;
    EXPECT_EQ(told(8), "");
}

TEST_F(LeafJournalTest, SaysNothingOfABatchThatFailed) {
    journal_.appended(leaf("submit", "accepted"), 7);
    EXPECT_EQ(told(7), "");
    EXPECT_EQ(told(8), "") << "another leaf has that index now";
}

TEST_F(LeafJournalTest, TellsOnlyTheLastOfABatchThatStartedOver) {
    journal_.appended(leaf("submit", "accepted"), 7);
    journal_.appended(leaf("check", "done"), 7);
    const std::string line = told(8);
    EXPECT_EQ(line.find("submit"), std::string::npos) << line;
    EXPECT_NE(line.find("check done"), std::string::npos) << line;
}

}  // namespace
}  // namespace xinfu::vault
