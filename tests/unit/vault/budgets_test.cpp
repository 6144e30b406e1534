// What one account may take in a time.
#include "daemon/vault/budgets.hpp"

#include <gtest/gtest.h>

namespace xinfu::vault {
namespace {

using namespace std::chrono_literals;

constexpr storage::Milliseconds kNow{1'790'000'000'000ms};

unsigned take_all(Budget& budget, const std::string& account, storage::Milliseconds now) {
    unsigned taken = 0;
    while (!budget.take(account, now)) {
        ++taken;
    }
    return taken;
}

TEST(Budget, IsThereAtOnceAndComesBackEvenly) {
    Budget budget(60, 3600s);
    EXPECT_EQ(take_all(budget, "a", kNow), 60U);
    EXPECT_EQ(budget.take("a", kNow), 60U) << "seconds until the next";
    EXPECT_EQ(budget.take("a", kNow + 59s), 1U);
    EXPECT_EQ(take_all(budget, "a", kNow + 60s), 1U);
    EXPECT_EQ(take_all(budget, "a", kNow + 30min), 29U);
    EXPECT_EQ(take_all(budget, "a", kNow + 24h), 60U) << "no more than a window's";
}

TEST(Budget, IsEachAccountsOwn) {
    Budget budget(3, 60s);
    EXPECT_EQ(take_all(budget, "a", kNow), 3U);
    EXPECT_EQ(take_all(budget, "b", kNow), 3U);
    EXPECT_EQ(budget.accounts(), 2U);
}

TEST(Budget, WhoseClockWasSetBackIsLockedOutForNoLongerThanTheWindow) {
    Budget budget(2, 60s);
    EXPECT_EQ(take_all(budget, "a", kNow + 24h), 2U);
    EXPECT_LE(budget.take("a", kNow).value_or(0), 30U);
    EXPECT_EQ(take_all(budget, "a", kNow + 60s), 2U);
}

}  // namespace
}  // namespace xinfu::vault
