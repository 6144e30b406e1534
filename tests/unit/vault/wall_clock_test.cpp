#include "daemon/vault/wall_clock.hpp"

#include <gtest/gtest.h>

namespace xinfu::vault {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using What = ClockStep::What;

class WallClockOfAMachine : public testing::Test {
protected:
    void pass(std::chrono::milliseconds time) {
        machine.wall += time;
        machine.up += time;
    }
    std::vector<What> told() {
        std::vector<What> whats;
        for (const auto& step : clock.take_steps()) {
            whats.push_back(step.what);
        }
        return whats;
    }

    const storage::Milliseconds start{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
    WallClock::Reading machine{start, 1h};
    WallClock clock{[this] { return machine; }};
};

TEST_F(WallClockOfAMachine, FollowsSmallSteps) {
    pass(10s);
    machine.wall += 4min;
    EXPECT_EQ(clock.now(), start + 10s + 4min);
    machine.wall -= 5min;
    EXPECT_EQ(clock.now(), start + 10s - 1min);
    EXPECT_TRUE(told().empty());
}

TEST_F(WallClockOfAMachine, GoesOnAsItWasUntilALargeStepIsTakenBack) {
    for (const std::chrono::milliseconds step :
         {std::chrono::milliseconds(days(1)), std::chrono::milliseconds(-days(1)),
          std::chrono::milliseconds(days(3653)), std::chrono::milliseconds(-days(3653))}) {
        const auto before = clock.now();
        machine.wall += step;
        pass(14min);
        EXPECT_EQ(clock.now(), before + 14min);
        EXPECT_TRUE(clock.is_doubted());
        const auto steps = clock.take_steps();
        ASSERT_EQ(steps.size(), 1U);
        EXPECT_EQ(steps[0].what, What::seen);
        EXPECT_EQ(steps[0].by, step);
        machine.wall -= step;
        EXPECT_EQ(clock.now(), before + 14min);
        EXPECT_FALSE(clock.is_doubted());
        EXPECT_EQ(told(), std::vector{What::taken_back});
    }
}

TEST_F(WallClockOfAMachine, BelievesALargeStepThatStands) {
    machine.wall += days(1);
    EXPECT_EQ(clock.now(), start);
    pass(15min);
    EXPECT_EQ(clock.now(), start + 15min + days(1));
    EXPECT_FALSE(clock.is_doubted());
    EXPECT_EQ(told(), (std::vector{What::seen, What::believed}));
}

TEST_F(WallClockOfAMachine, ASecondStepBeginsToWaitAnew) {
    machine.wall += days(1);
    EXPECT_EQ(clock.now(), start);
    pass(10min);
    machine.wall += days(1);
    EXPECT_EQ(clock.now(), start + 10min);
    pass(10min);
    EXPECT_EQ(clock.now(), start + 20min);
    EXPECT_EQ(told(), (std::vector{What::seen, What::seen}));
    pass(5min);
    EXPECT_EQ(clock.now(), start + 25min + days(2));
}

TEST_F(WallClockOfAMachine, BelievesAtOnceWhatMendsATimeBeforeTheLogs) {
    clock.reached(start + days(1));
    machine.wall += days(8);
    EXPECT_EQ(clock.now(), start + days(8));
    EXPECT_EQ(told(), std::vector{What::believed});
    machine.wall -= days(7);
    clock.reached(start + days(8));
    EXPECT_EQ(clock.now(), start + days(8)) << "going back mends nothing";
}

}  // namespace
}  // namespace xinfu::vault
