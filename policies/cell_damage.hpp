// Cell damage: what editors, spreadsheets and conversions do to a value on its way, each told by its name. Inside
// policies/ only, and tests.
//
// Trust: hostile input in valid UTF-8; all functions are total.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policies/working_days.hpp"

namespace xinfu::policies {

struct Peeled {
    std::string_view value;
    bool noticed = false;  // more than blanks was left out: tabs, wide spaces, a leading apostrophe, ="…"
};
// A cell without what surrounds its value. `prose`: an apostrophe that has a partner belongs to the text.
Peeled peel(std::string_view cell, bool prose);

// "#N/A", "#REF!" and the like, or a row of '#'; empty: none.
std::string_view spreadsheet_error(std::string_view value);
// "9.13E+17", "1E-05"
bool is_scientific(std::string_view value);
// Sixteen to twenty digits, zeros only after the fifteenth, not zeros only.
bool has_lost_digits(std::string_view value);
// "1,234.50", also with a wide comma
bool has_thousands_separators(std::string_view value);
// Five digits, maybe with a fraction, as the day that spreadsheets mean by them (1900 system), 1954 to 2099.
std::optional<Day> date_serial(std::string_view value);
// "30/9/26", "9-30-2026", "30-Sep-26": the year does not come first with four digits.
bool is_unclear_date(std::string_view value);

// The code for a character that find_forbidden answers.
std::string_view code_of_forbidden(std::uint32_t character);

struct TextDamage {
    std::string_view code;   // empty: none
    std::string_view marks;  // the characters that show it, and nothing of the text around them
};
// The first place in prose where a conversion lost or added characters: marks of GBK text cut in the wrong place,
// question marks in place of characters, pinyin in brackets after single characters, UTF-8 read as Latin-1.
TextDamage find_text_damage(std::string_view text);

}  // namespace xinfu::policies
