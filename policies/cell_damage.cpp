#include "policies/cell_damage.hpp"

#include <algorithm>
#include <array>

#include "policies/text.hpp"

namespace xinfu::policies {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool only_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_digit);
}

std::size_t take_digits(std::string_view& text) {
    const auto size = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(size);
    return size;
}

bool take_one_of(std::string_view& text, std::string_view characters) {
    if (text.empty() || characters.find(text.front()) == std::string_view::npos) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

bool is_han(std::uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x323AF);
}
// CJK punctuation and full-width forms.
bool is_wide_mark(std::uint32_t c) {
    return (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF01 && c <= 0xFF60);
}
bool is_bopomofo(std::uint32_t c) {
    return c >= 0x3105 && c <= 0x312F;
}
// Box drawing, of which U+2500 and U+2501 also serve as dashes.
bool is_box(std::uint32_t c) {
    return c >= 0x2502 && c <= 0x257F;
}
bool is_closing(std::uint32_t c) {
    return c == 0x300B || c == 0x300D || c == 0x300F || c == 0x3011 || c == 0x3015 || c == 0xFF09 || c == 0x201D ||
           c == 0x2019 || c == ')' || c == '"' || c == ']';
}
bool is_latin_letter(std::uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// Vowels and nasals with a tone mark, and u with diaeresis, as pinyin writes them.
bool is_toned(std::uint32_t c) {
    constexpr std::array<std::uint32_t, 29> kToned{0x0101, 0x00E1, 0x01CE, 0x00E0, 0x0113, 0x00E9, 0x011B, 0x00E8,
                                                   0x012B, 0x00ED, 0x01D0, 0x00EC, 0x014D, 0x00F3, 0x01D2, 0x00F2,
                                                   0x016B, 0x00FA, 0x01D4, 0x00F9, 0x01D6, 0x01D8, 0x01DA, 0x01DC,
                                                   0x00FC, 0x0144, 0x0148, 0x01F9, 0x1E3F};
    return std::ranges::find(kToned, c) != kToned.end();
}

// The letters of pinyin that GBK has a code for and other languages rarely use.
bool is_cut_letter(std::uint32_t c) {
    return c >= 0x0100 && c <= 0x01FF && is_toned(c);
}

// Whether the sentence so far asks something, so that a question mark may end it.
bool asks(std::string_view before) {
    constexpr std::size_t kReachSizeBytes = 120;
    if (before.size() > kReachSizeBytes) {
        before.remove_prefix(before.size() - kReachSizeBytes);
    }
    if (const auto stop = before.rfind("。"); stop != std::string_view::npos) {
        before.remove_prefix(stop);
    }
    constexpr std::array<std::string_view, 14> kWords{"吗", "呢",   "何", "谁",   "什么", "是否", "哪",
                                                      "几", "多少", "怎", "有无", "能否", "可否", "么"};
    return std::ranges::any_of(kWords,
                               [&](std::string_view word) { return before.find(word) != std::string_view::npos; });
}

// The text as characters, one at a time, with its neighbours.
struct Cursor {
    std::string_view text;
    std::size_t at = 0;
    std::uint32_t before = 0;  // 0: the beginning

    bool ended() const { return at >= text.size(); }
    Character here() const { return character_at(text, at); }
    std::uint32_t after() const {
        const auto next = at + here().size;
        return next < text.size() ? character_at(text, next).value : 0;
    }
    void advance() {
        before = here().value;
        at += here().size;
    }
};

// What stands there in place of characters, without any of those around it.
std::string_view marks_from(const Cursor& place) {
    Cursor cursor = place;
    constexpr int kMarksMax = 6;
    for (int count = 0; !cursor.ended() && count < kMarksMax; ++count) {
        const auto c = cursor.here().value;
        if (c != '?' && c != '!' && c != 0x3002 && !is_bopomofo(c) && !is_box(c) && !is_cut_letter(c)) {
            break;
        }
        cursor.advance();
    }
    return place.text.substr(place.at, cursor.at - place.at);
}

bool is_lost_character(const Cursor& cursor) {
    const auto before = cursor.before;
    const auto after = cursor.after();
    if (after == '?' || after == '!') {
        return true;
    }
    const bool alone = (before == 0 || before == '\n') && (after == 0 || after == '\n');
    if (alone || is_bopomofo(after) || is_box(after) || is_cut_letter(after)) {
        return true;
    }
    const bool wide = is_han(after) || (is_wide_mark(after) && !is_closing(after));
    return wide && !(is_han(after) && is_han(before) && asks(cursor.text.substr(0, cursor.at)));
}

// "(fā)" after an ideograph: its size in octets; 0: none.
std::size_t pinyin_size(const Cursor& place) {
    Cursor cursor = place;
    const auto open = cursor.here().value;
    if ((open != '(' && open != 0xFF08) || !is_han(cursor.before)) {
        return 0;
    }
    cursor.advance();
    constexpr int kLettersMax = 7;
    bool toned = false;
    for (int letters = 0; !cursor.ended(); ++letters, cursor.advance()) {
        const auto c = cursor.here().value;
        if (c == ')' || c == 0xFF09) {
            return toned ? cursor.at + cursor.here().size - place.at : 0;
        }
        if (letters >= kLettersMax || !(is_latin_letter(c) || is_toned(c))) {
            return 0;
        }
        toned = toned || is_toned(c);
    }
    return 0;
}

// Three characters in a row from the upper half of Latin-1: UTF-8 that was read octet by octet.
std::size_t latin_run(const Cursor& place) {
    Cursor cursor = place;
    int count = 0;
    while (!cursor.ended() && cursor.here().value >= 0xA1 && cursor.here().value <= 0xFF && count < 3) {
        cursor.advance();
        ++count;
    }
    return count == 3 ? cursor.at - place.at : 0;
}

}  // namespace

Peeled peel(std::string_view cell, bool prose) {
    Peeled peeled{trim(cell), false};
    auto& value = peeled.value;
    if (value.size() != cell.size()) {
        const auto begin = static_cast<std::size_t>(value.data() - cell.data());
        const auto other = [](std::string_view margin) {
            return margin.find_first_not_of(' ') != std::string_view::npos;
        };
        peeled.noticed = !value.empty() && (other(cell.substr(0, begin)) || other(cell.substr(begin + value.size())));
    }
    if (value.size() < 2 || (value.front() != '\'' && value.front() != '=')) {
        return peeled;
    }
    if (value.front() == '=') {
        if (value.size() >= 3 && value[1] == '"' && value.find('"', 2) == value.size() - 1) {
            value = trim(value.substr(2, value.size() - 3));
            peeled.noticed = true;
        }
    } else if (!prose || value.find('\'', 1) == std::string_view::npos) {
        value = trim(value.substr(1));
        peeled.noticed = true;
    }
    return peeled;
}

std::string_view spreadsheet_error(std::string_view value) {
    if (!value.starts_with('#')) {
        return {};
    }
    if (value.size() > 1 && value.find_first_not_of('#') == std::string_view::npos) {
        return "####";
    }
    constexpr std::array<std::string_view, 9> kErrors{"#N/A",   "#REF!", "#VALUE!", "#NAME?", "#DIV/0!",
                                                      "#NULL!", "#NUM!", "#SPILL!", "#CALC!"};
    const auto found = std::ranges::find(kErrors, value);
    return found == kErrors.end() ? std::string_view{} : *found;
}

bool is_scientific(std::string_view value) {
    (void)take_one_of(value, "-");
    // One digit, then a point or the exponent: nearly every code, amount and date answers here.
    if (value.size() < 4 || !is_digit(value[0]) || (value[1] != '.' && (value[1] | 0x20) != 'e')) {
        return false;
    }
    value.remove_prefix(1);
    if (take_one_of(value, ".") && take_digits(value) == 0) {
        return false;
    }
    return take_one_of(value, "Ee") && take_one_of(value, "+-") && take_digits(value) > 0 && value.empty();
}

bool has_lost_digits(std::string_view value) {
    constexpr std::size_t kKept = 15;  // what an IEEE 754 double holds of any decimal number
    return value.size() > kKept && value.size() <= 20 && only_digits(value) &&
           value.substr(kKept).find_first_not_of('0') == std::string_view::npos &&
           value.find_first_not_of('0') != std::string_view::npos;
}

bool has_thousands_separators(std::string_view value) {
    constexpr std::string_view kWideComma = "，";
    (void)take_one_of(value, "-");
    const auto first = take_digits(value);
    if (first == 0 || first > 3) {
        return false;
    }
    int groups = 0;
    while (value.starts_with(',') || value.starts_with(kWideComma)) {
        value.remove_prefix(value.front() == ',' ? 1 : kWideComma.size());
        if (take_digits(value) != 3) {
            return false;
        }
        ++groups;
    }
    if (take_one_of(value, ".") && take_digits(value) == 0) {
        return false;
    }
    return groups > 0 && value.empty();
}

std::optional<Day> date_serial(std::string_view value) {
    const auto whole = value.substr(0, 5);
    if (whole.size() != 5 || !only_digits(whole)) {
        return std::nullopt;
    }
    value.remove_prefix(5);
    if (!value.empty() && !(value.front() == '.' && only_digits(value.substr(1)))) {
        return std::nullopt;
    }
    int serial = 0;
    for (const char c : whole) {
        serial = serial * 10 + (c - '0');
    }
    constexpr int kFirst = 20000;  // 1954-10-03
    constexpr int kLast = 73050;   // 2099-12-31
    if (serial < kFirst || serial > kLast) {
        return std::nullopt;
    }
    // Day 1 is 1900-01-01, and the 29th of February 1900, which never was, is counted.
    return Day{std::chrono::year{1899} / 12 / 30} + std::chrono::days{serial};
}

bool is_unclear_date(std::string_view value) {
    const auto first = take_digits(value);
    if (first == 0 || first > 2 || !take_one_of(value, "/-.")) {
        return false;
    }
    constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
    std::string name;
    for (const char c : value.substr(0, 3)) {
        name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (std::ranges::find(kMonths, name) != kMonths.end()) {
        value.remove_prefix(3);
    } else if (const auto second = take_digits(value); second == 0 || second > 2) {
        return false;
    }
    if (!take_one_of(value, "/-.")) {
        return false;
    }
    const auto last = take_digits(value);
    return (last >= 1 && last <= 4) && (value.empty() || value.front() == ' ');
}

std::string_view code_of_forbidden(std::uint32_t c) {
    if ((c >= 0xE000 && c <= 0xF8FF) || (c >= 0xF0000 && c <= 0x10FFFF && (c & 0xFFFE) != 0xFFFE)) {
        return "XF-4073";
    }
    if (c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)) {
        return "XF-4075";
    }
    const bool no_width = c == 0xAD || c == 0x115F || c == 0x1160 || c == 0x180E || (c >= 0x200B && c <= 0x200D) ||
                          (c >= 0x2060 && c <= 0x206F) || c == 0x3164 || c == 0xFEFF || c == 0xFFA0 ||
                          (c >= 0xE0000 && c <= 0xE007F);
    if (no_width) {
        return "XF-4074";
    }
    return c == 0xFFFD ? "XF-4076" : "XF-4005";
}

TextDamage find_text_damage(std::string_view text) {
    constexpr std::string_view kReplacementsAsGbk = "锟斤拷";  // U+FFFD twice in UTF-8, read as GBK
    if (const auto at = text.find(kReplacementsAsGbk); at != std::string_view::npos) {
        return {"XF-4086", text.substr(at, kReplacementsAsGbk.size())};
    }
    for (Cursor cursor{text}; !cursor.ended(); cursor.advance()) {
        const auto c = cursor.here().value;
        if (c == '?' && is_lost_character(cursor)) {
            return {"XF-4086", marks_from(cursor)};
        }
        // Opening brackets and numbers cut one octet late become these, between ideographs.
        const bool beside_han = is_han(cursor.before) || is_han(cursor.after());
        const bool lone_letter = is_cut_letter(c) && (cursor.before == 0x3002 || is_box(cursor.after()));
        if (is_bopomofo(c) || lone_letter || (is_box(c) && beside_han)) {
            return {"XF-4086", marks_from(cursor)};
        }
        if (const auto size = pinyin_size(cursor); size > 0) {
            return {"XF-4087", text.substr(cursor.at, size)};
        }
        if (const auto size = latin_run(cursor); size > 0) {
            return {"XF-4086", text.substr(cursor.at, size)};
        }
    }
    return {};
}

}  // namespace xinfu::policies
