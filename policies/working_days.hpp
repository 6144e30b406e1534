// Working days: the calendar on which legal clocks run. The State Council names each year's holidays and
// working weekends late in the year before; until then answers about that year are provisional.
//
// Threads: immutable once loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policies/pack.hpp"

namespace xinfu::policies {

using Day = std::chrono::sys_days;  // a date in Asia/Shanghai

struct Deadline {
    Day last_day;  // with Monday to Friday as working days where the calendar is not published
    Day earliest;  // with every day of such a year as a working day; equals last_day otherwise
    bool provisional = false;
};

class WorkingDays {
public:
    bool is_working_day(Day day) const;
    bool is_published(Day day) const;

    // The n-th working day after `event`; the day after the event is the first that may count. 1 <= n <= 400.
    Deadline add(Day event, int working_days) const;

    const std::string& version() const { return version_; }

private:
    friend Loaded<WorkingDays> load_working_days(std::string_view yaml);

    std::string version_;
    std::vector<int> published_years_;  // ascending
    std::vector<Day> rest_;             // ascending; no working days although perhaps Monday to Friday
    std::vector<Day> work_;             // ascending; working days although Saturday or Sunday
};

Loaded<WorkingDays> load_working_days(std::string_view yaml);

}  // namespace xinfu::policies
