#include "policies/values.hpp"

#include <algorithm>
#include <array>

namespace xinfu::policies {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Takes `least` to `most` digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t least, std::size_t most) {
    int number = 0;
    std::size_t size = 0;
    while (size < most && size < text.size() && is_digit(text[size])) {
        number = number * 10 + (text[size] - '0');
        ++size;
    }
    if (size < least) {
        return std::nullopt;
    }
    text.remove_prefix(size);
    return number;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

// "08:30", "08:30:00", "08:30:00.0"
bool is_time(std::string_view text) {
    const auto hour = take_number(text, 1, 2);
    if (!hour || *hour > 24 || !take(text, ':')) {
        return false;
    }
    const auto minute = take_number(text, 2, 2);
    if (!minute || *minute > 59) {
        return false;
    }
    if (text.empty()) {
        return true;
    }
    const auto second = take(text, ':') ? take_number(text, 2, 2) : std::nullopt;
    if (!second || *second > 60) {
        return false;
    }
    return text.empty() || (take(text, '.') && take_number(text, 1, 9) && text.empty());
}

}  // namespace

std::optional<DateText> read_date(std::string_view text) {
    DateText read;
    const std::string_view whole = text;
    const auto year = take_number(text, 4, 4);
    if (!year || text.empty()) {
        return std::nullopt;
    }
    const char separator = text.front() == '/' || text.front() == '-' ? text.front() : '\0';
    const std::size_t digits = separator == '\0' ? 2 : 1;
    if (separator != '\0') {
        text.remove_prefix(1);
    }
    const auto month = take_number(text, digits, 2);
    if (!month || (separator != '\0' && !take(text, separator))) {
        return std::nullopt;
    }
    const auto day = take_number(text, digits, 2);
    if (!day) {
        return std::nullopt;
    }
    if (!text.empty()) {
        if ((text.front() != ' ' && text.front() != 'T') || !is_time(text.substr(1))) {
            return std::nullopt;
        }
        read.has_time = true;
    }
    const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok() || *year == 0) {
        return std::nullopt;
    }
    read.day = Day{date};
    read.canonical = separator == '-' && whole.size() == 10;
    return read;
}

std::string date_text(Day day) {
    const std::chrono::year_month_day date{day};
    const int year = static_cast<int>(date.year());
    const unsigned month = static_cast<unsigned>(date.month());
    const unsigned dom = static_cast<unsigned>(date.day());
    std::array<char, 10> text{};
    const auto put = [&](std::size_t at, std::size_t size, unsigned number) {
        for (std::size_t i = size; i > 0; --i) {
            text[at + i - 1] = static_cast<char>('0' + number % 10);
            number /= 10;
        }
    };
    put(0, 4, static_cast<unsigned>(std::clamp(year, 0, 9999)));
    text[4] = '-';
    put(5, 2, month);
    text[7] = '-';
    put(8, 2, dom);
    return {text.data(), text.size()};
}

Day day_of(std::string_view canonical) {
    const auto number = [&](std::size_t at, std::size_t size) {
        int value = 0;
        for (std::size_t i = at; i < at + size; ++i) {
            value = value * 10 + (canonical[i] - '0');
        }
        return value;
    };
    return Day{std::chrono::year{number(0, 4)} / static_cast<int>(number(5, 2)) / static_cast<int>(number(8, 2))};
}

std::optional<DecimalText> read_decimal(std::string_view text, std::string& canonical) {
    const bool negative = take(text, '-');
    const auto point = text.find('.');
    auto whole = text.substr(0, point);
    auto fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    const bool shaped = !whole.empty() && (point == std::string_view::npos || !fraction.empty()) &&
                        std::ranges::all_of(whole, is_digit) && std::ranges::all_of(fraction, is_digit);
    if (!shaped) {
        return std::nullopt;
    }
    while (whole.size() > 1 && whole.front() == '0') {
        whole.remove_prefix(1);
    }
    while (!fraction.empty() && fraction.back() == '0') {
        fraction.remove_suffix(1);
    }
    const bool zero = whole == "0" && fraction.empty();
    canonical.clear();
    if (negative && !zero) {
        canonical += '-';
    }
    canonical += whole;
    if (!fraction.empty()) {
        canonical += '.';
        canonical += fraction;
    }
    return DecimalText{whole == "0" ? 0 : whole.size(), fraction.size()};
}

int compare_decimals(std::string_view a, std::string_view b) {
    const bool negative_a = a.starts_with('-');
    const bool negative_b = b.starts_with('-');
    if (negative_a != negative_b) {
        return negative_a ? -1 : 1;
    }
    if (negative_a) {
        return compare_decimals(b.substr(1), a.substr(1));
    }
    const auto whole_size = [](std::string_view text) { return std::min(text.find('.'), text.size()); };
    if (whole_size(a) != whole_size(b)) {
        return whole_size(a) < whole_size(b) ? -1 : 1;
    }
    // Same number of whole digits: the order of the texts is the order of the numbers.
    return a.compare(b);
}

}  // namespace xinfu::policies
