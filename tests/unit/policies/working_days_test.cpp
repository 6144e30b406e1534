#include "policies/working_days.hpp"

#include <gtest/gtest.h>

#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

using test::day;

struct Vector {
    Day event;
    int working_days;
    Day last;
};

// Reckoned from the State Council's notices by hand and by two public calendars.
TEST(WorkingDays, ReckonDeadlinesAcrossHolidaysAndWorkingWeekends) {
    const Vector vectors[] = {
        {day(2026, 9, 18), 7, day(2026, 9, 29)},   {day(2026, 9, 24), 7, day(2026, 10, 12)},
        {day(2026, 9, 30), 7, day(2026, 10, 15)},  {day(2026, 10, 9), 1, day(2026, 10, 10)},
        {day(2026, 2, 13), 7, day(2026, 3, 2)},    {day(2026, 2, 14), 5, day(2026, 2, 28)},
        {day(2025, 12, 31), 1, day(2026, 1, 4)},   {day(2026, 4, 30), 5, day(2026, 5, 11)},
        {day(2025, 1, 24), 7, day(2025, 2, 10)},   {day(2024, 2, 2), 7, day(2024, 2, 18)},
        {day(2024, 9, 13), 7, day(2024, 9, 25)},   {day(2026, 11, 20), 15, day(2026, 12, 11)},
        {day(2026, 11, 20), 5, day(2026, 11, 27)},
    };
    for (const auto& vector : vectors) {
        const auto deadline = test::calendar().add(vector.event, vector.working_days);
        EXPECT_EQ(deadline.last_day, vector.last) << vector.event.time_since_epoch().count();
        EXPECT_EQ(deadline.earliest, vector.last);
        EXPECT_FALSE(deadline.provisional);
    }
}

TEST(WorkingDays, AreProvisionalWhereTheCalendarIsNotPublished) {
    const auto deadline = test::calendar().add(day(2026, 12, 30), 7);  // a Wednesday
    EXPECT_TRUE(deadline.provisional);
    EXPECT_EQ(deadline.last_day, day(2027, 1, 8));
    EXPECT_EQ(deadline.earliest, day(2027, 1, 6));
}

TEST(WorkingDays, RefuseACalendarThatContradictsItself) {
    const auto load = [](std::string year) {
        return load_working_days("pack: calendar/1\nversion: \"1\"\ntimezone: Asia/Shanghai\nyears:\n  - " + year +
                                 "\n");
    };
    EXPECT_TRUE(load("{year: 2026, published: true, rest: [2026-01-01], work: [2026-01-04]}").value);
    EXPECT_FALSE(load("{year: 2026, published: true, rest: [2026-01-01], work: [2026-01-05]}").value) << "a Monday";
    EXPECT_FALSE(load("{year: 2026, published: true, rest: [2026-01-04], work: [2026-01-04]}").value);
    EXPECT_FALSE(load("{year: 2026, published: true, rest: [2026-02-30], work: []}").value);
    EXPECT_FALSE(load("{year: 2026, published: true, rest: [], work: [], working_days: 248}").value);
    EXPECT_FALSE(load("{year: 2026, published: true, rest: [], work: [], on: 1}").value);
}

}  // namespace
}  // namespace xinfu::policies
