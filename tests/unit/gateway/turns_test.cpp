#include "daemon/gateway/turns.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/boundary/loop.hpp"

namespace xinfu::gateway {
namespace {

using Clock = std::chrono::steady_clock;
using Taken = std::optional<Turns::Turn>;

constexpr std::chrono::seconds kLong{4};
constexpr std::chrono::milliseconds kShort{10};

class TurnsOfPrincipals : public testing::Test {
protected:
    asio::awaitable<void> take(std::string principal, std::vector<Taken>& into, Clock::duration patience) {
        auto taking = turns.take(std::move(principal), Clock::now() + patience);
        auto taken = co_await std::move(taking);
        into.push_back(std::move(taken));
    }
    void run_take(const std::string& principal, std::vector<Taken>& into, Clock::duration patience) {
        boundary::test::run(io, take(principal, into, patience));
    }

    asio::io_context io;
    Turns turns{io.get_executor(), 2, 3};
};

TEST_F(TurnsOfPrincipals, AreSoManyForEachAndNobodyWaitsForAnother) {
    std::vector<Taken> first;
    std::vector<Taken> second;
    run_take("a", first, kLong);
    run_take("a", first, kLong);
    run_take("a", first, kShort);
    run_take("b", second, kShort);
    EXPECT_TRUE(first[0] && first[1]);
    EXPECT_FALSE(first[2]) << "the third came beside two";
    EXPECT_TRUE(second[0]);
    EXPECT_EQ(turns.principals(), 2U);
}

TEST_F(TurnsOfPrincipals, ComeInTheOrderInWhichTheyWereAskedFor) {
    std::vector<Taken> holding;
    std::vector<Taken> waited;
    std::vector<int> order;
    run_take("a", holding, kLong);
    run_take("a", holding, kLong);
    const auto wait = [&](int number) -> asio::awaitable<void> {
        auto taking = take("a", waited, kLong);
        co_await std::move(taking);
        order.push_back(number);
        waited.clear();  // and on to the next
    };
    const auto release = [&]() -> asio::awaitable<void> {
        auto pause = asio::post(io, asio::use_awaitable);
        co_await std::move(pause);
        holding.pop_back();
    };
    boundary::test::run(io, wait(1), wait(2), wait(3), release());
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    holding.clear();
    EXPECT_EQ(turns.principals(), 0U) << "whoever has no turn is forgotten";
}

TEST_F(TurnsOfPrincipals, AreWaitedForByABoundedNumber) {
    std::vector<Taken> holding;
    std::vector<Taken> refused;
    int came = 0;
    run_take("a", holding, kLong);
    run_take("a", holding, kLong);
    const auto wait = [&]() -> asio::awaitable<void> {
        std::vector<Taken> waited;
        auto taking = take("a", waited, kLong);
        co_await std::move(taking);
        ++came;
    };
    const auto come_too_late = [&]() -> asio::awaitable<void> {
        auto pause = asio::post(io, asio::use_awaitable);
        co_await std::move(pause);
        auto taking = take("a", refused, kLong);
        co_await std::move(taking);
        EXPECT_EQ(came, 0) << "at once, and not at its deadline";
        holding.clear();
    };
    boundary::test::run(io, wait(), wait(), wait(), come_too_late());
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_FALSE(refused[0]);
    EXPECT_EQ(came, 3);
}

}  // namespace
}  // namespace xinfu::gateway
