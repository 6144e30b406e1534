// Values: a cell's text read as a date, an amount or a list of words, in the one form in which it is stored.
// Inside policies/ only.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "policies/working_days.hpp"

namespace xinfu::policies {

struct DateText {
    Day day{};
    bool has_time = false;   // a time of day follows the date
    bool canonical = false;  // the text is already YYYY-MM-DD
};
// YYYY-MM-DD (ISO 8601), YYYY/MM/DD (month and day also with one digit) or YYYYMMDD, with or without a time of day.
std::optional<DateText> read_date(std::string_view text);
std::string date_text(Day day);          // YYYY-MM-DD
Day day_of(std::string_view canonical);  // precondition: YYYY-MM-DD of an existing date

struct DecimalText {
    std::size_t whole_digits = 0;
    std::size_t fraction_digits = 0;  // without trailing zeros
};
// An optional '-', digits, and optionally a point and digits. `canonical` gets no needless zeros and no "-0".
std::optional<DecimalText> read_decimal(std::string_view text, std::string& canonical);
// <0, 0, >0 for canonical decimals.
int compare_decimals(std::string_view a, std::string_view b);

}  // namespace xinfu::policies
