// OPS-02. What is told of a backlog, and when; that the bound holds is in waiting_parcels_test.cpp.
#include "daemon/vault/backlog.hpp"

#include <gtest/gtest.h>

namespace xinfu::vault {
namespace {

boundary::LinkView link(std::uint64_t waiting, std::uint64_t limit = 1000) {
    boundary::LinkView view;
    view.set_route("province");
    view.set_backlog(waiting);
    view.set_backlog_limit(limit);
    return view;
}

TEST(Backlog, IsLargeFromSeventyPercentOnAndFullAtTheLimit) {
    for (const auto& [waiting, limit, state] :
         {std::tuple(0u, 1u, BacklogState::small), std::tuple(1u, 1u, BacklogState::full),
          std::tuple(6u, 10u, BacklogState::small), std::tuple(7u, 10u, BacklogState::large),
          std::tuple(9u, 10u, BacklogState::large), std::tuple(10u, 10u, BacklogState::full),
          std::tuple(11u, 10u, BacklogState::full), std::tuple(699u, 1000u, BacklogState::small),
          std::tuple(700u, 1000u, BacklogState::large), std::tuple(699'999'999u, 1'000'000'000u, BacklogState::small),
          std::tuple(700'000'000u, 1'000'000'000u, BacklogState::large)}) {
        EXPECT_EQ(judge_backlog(waiting, limit), state) << waiting << " of " << limit;
    }
}

TEST(Backlog, TheStatusWarnsByTheStateOfTheMoment) {
    EXPECT_FALSE(backlog_warning(link(699)));
    EXPECT_EQ(backlog_warning(link(700))->code(), "XF-7020");
    EXPECT_EQ(backlog_warning(link(999))->arguments(1), "999");
    EXPECT_EQ(backlog_warning(link(1000))->code(), "XF-6011");
}

TEST(BacklogWatch, TellsTheJournalOnceHoweverOftenABoundIsCrossed) {
    std::vector<std::string> told;
    BacklogWatch watch([&told](boundary::Level, const std::string&, const std::string& code) { told.push_back(code); });
    const auto look = [&](std::initializer_list<std::uint64_t> counts) {
        for (const auto waiting : counts) {
            watch.look({link(waiting)});
        }
    };
    look({0, 600, 699});
    EXPECT_TRUE(told.empty());
    look({700, 699, 700, 750, 650, 720});
    EXPECT_EQ(told, (std::vector<std::string>{"XF-7020"}));
    look({1000, 999, 1000, 800, 1000, 500});
    EXPECT_EQ(told, (std::vector<std::string>{"XF-7020", "XF-6011"}));
    look({499, 100, 0});
    EXPECT_EQ(told, (std::vector<std::string>{"XF-7020", "XF-6011", ""})) << "it is small again";
    look({1000});
    EXPECT_EQ(told.back(), "XF-6011") << "and can be full again";
}

TEST(BacklogWatch, KeepsRoutesApart) {
    int told = 0;
    BacklogWatch watch([&told](boundary::Level, const std::string&, const std::string&) { ++told; });
    auto other = link(1000);
    other.set_route("nation");
    watch.look({link(1000), other});
    watch.look({link(1000), other});
    EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace xinfu::vault
