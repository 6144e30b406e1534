#include "policies/working_days.hpp"

#include <algorithm>
#include <cassert>

#include "policies/pack_reader.hpp"

namespace xinfu::policies {
namespace {

constexpr int kWorkingDaysMax = 400;

int year_of(Day day) {
    return static_cast<int>(std::chrono::year_month_day{day}.year());
}

bool is_weekend(Day day) {
    const std::chrono::weekday weekday{day};
    return weekday == std::chrono::Saturday || weekday == std::chrono::Sunday;
}

void read_dates(PackReader& reader, const YAML::Node& list, std::string_view what, std::vector<Day>& out) {
    if (!reader.sequence(list, what, 100)) {
        return;
    }
    for (const auto& item : list) {
        Day day{};
        if (!reader.date(item, what, day)) {
            continue;
        }
        if (what == "work" && !is_weekend(day)) {
            reader.mistake(item, "only a Saturday or Sunday can be an additional working day");
            continue;
        }
        out.push_back(day);
    }
}

void read_year(PackReader& reader, const YAML::Node& node, std::vector<int>& published, std::vector<Day>& rest,
               std::vector<Day>& work) {
    MapReader map{reader, node, "a year"};
    std::int64_t year = 0;
    bool is_published = false;
    std::string notice;
    if (const auto number = map.required("year"); number.IsDefined()) {
        reader.number(number, "year", 2000, 2100, year);
    }
    if (const auto flag = map.required("published"); flag.IsDefined()) {
        reader.boolean(flag, "published", is_published);
    }
    map.optional_text("notice", notice);
    if (const auto list = map.required("rest"); list.IsDefined()) {
        read_dates(reader, list, "rest", rest);
    }
    if (const auto list = map.required("work"); list.IsDefined()) {
        read_dates(reader, list, "work", work);
    }
    std::int64_t total = 0;
    const auto count = map.optional("working_days");
    if (count.IsDefined() && reader.number(count, "working_days", 1, 366, total) && !reader.failed()) {
        // The year's total, as a check against a mistyped date.
        std::int64_t counted = 0;
        const auto first = Day{std::chrono::year{static_cast<int>(year)} / 1 / 1};
        const auto after = Day{std::chrono::year{static_cast<int>(year) + 1} / 1 / 1};
        for (auto day = first; day < after; day += std::chrono::days{1}) {
            const bool rests = std::ranges::find(rest, day) != rest.end();
            const bool works = std::ranges::find(work, day) != work.end();
            counted += works || (!rests && !is_weekend(day)) ? 1 : 0;
        }
        if (counted != total) {
            reader.mistake(count, "the year has " + std::to_string(counted) + " working days by these dates");
        }
    }
    if (is_published) {
        published.push_back(static_cast<int>(year));
    }
}

}  // namespace

bool WorkingDays::is_published(Day day) const {
    return std::ranges::binary_search(published_years_, year_of(day));
}

bool WorkingDays::is_working_day(Day day) const {
    if (std::ranges::binary_search(work_, day)) {
        return true;
    }
    return !is_weekend(day) && !std::ranges::binary_search(rest_, day);
}

Deadline WorkingDays::add(Day event, int working_days) const {
    assert(working_days >= 1 && working_days <= kWorkingDaysMax);
    Deadline deadline;
    const auto count = [&](bool hurried) {
        int left = working_days;
        auto day = event;
        while (left > 0) {
            day += std::chrono::days{1};
            const bool known = is_published(day);
            deadline.provisional = deadline.provisional || !known;
            left -= (hurried && !known) || is_working_day(day) ? 1 : 0;
        }
        return day;
    };
    deadline.earliest = count(true);
    deadline.last_day = count(false);
    return deadline;
}

Loaded<WorkingDays> load_working_days(std::string_view yaml) try {
    PackReader reader;
    WorkingDays days;
    const auto root = reader.parse(yaml);
    if (!reader.failed()) {
        MapReader map{reader, root, "the calendar"};
        std::string kind;
        std::string timezone;
        map.text("pack", kind);
        map.text("version", days.version_);
        map.text("timezone", timezone);
        if (kind != "calendar/1") {
            reader.mistake(root, "pack must be calendar/1");
        }
        if (timezone != "Asia/Shanghai") {
            reader.mistake(root, "timezone must be Asia/Shanghai");
        }
        if (const auto years = map.required("years"); years.IsDefined() && reader.sequence(years, "years", 100)) {
            for (const auto& year : years) {
                read_year(reader, year, days.published_years_, days.rest_, days.work_);
            }
        }
    }
    for (auto* list : {&days.rest_, &days.work_}) {
        std::ranges::sort(*list);
        if (std::ranges::adjacent_find(*list) != list->end()) {
            reader.mistake(root, "a date is named twice");
        }
    }
    for (const auto day : days.work_) {
        if (std::ranges::binary_search(days.rest_, day)) {
            reader.mistake(root, "a date is named under both rest and work");
        }
    }
    std::ranges::sort(days.published_years_);
    if (std::ranges::adjacent_find(days.published_years_) != days.published_years_.end()) {
        reader.mistake(root, "a year is named twice");
    }
    if (reader.failed()) {
        return {std::nullopt, reader.take()};
    }
    return {std::move(days), {}};
} catch (const YAML::Exception& refused) {
    return {std::nullopt, {{0, 0, refused.msg}}};
}

}  // namespace xinfu::policies
