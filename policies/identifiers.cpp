#include "policies/identifiers.hpp"

#include <array>
#include <chrono>
#include <cstdint>

namespace xinfu::policies {
namespace {

constexpr std::string_view kUsccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
constexpr std::size_t kUsccSize = 18;

constexpr std::array<std::int8_t, 256> value_table(std::string_view alphabet) {
    std::array<std::int8_t, 256> table{};
    for (auto& value : table) {
        value = -1;
    }
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}
constexpr auto kUsccValues = value_table(kUsccAlphabet);
constexpr auto kOrganisationValues = value_table("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

// 3^(i-1) mod 31, GB 32100 section 5.
constexpr std::array<int, 17> kUsccWeights = {1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28};
constexpr std::array<int, 8> kOrganisationWeights = {3, 7, 9, 10, 5, 8, 4, 2};  // GB 11714
constexpr std::array<int, 17> kIdentityWeights = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
constexpr std::string_view kIdentityChecks = "10X98765432";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool all_digits(std::string_view text) {
    for (const char c : text) {
        if (!is_digit(c)) {
            return false;
        }
    }
    return !text.empty();
}

// Registering authority (first character) and kind of organisation (second), GB 32100 table 1 as amended
// 2016.
bool authority_exists(char authority, char kind) {
    std::string_view kinds;
    switch (authority) {
        case '1': kinds = "1239"; break;
        case '3': kinds = "123459"; break;
        case '5':
        case 'N': kinds = "1239"; break;
        case '9': kinds = "123"; break;
        case '6':
        case '7': kinds = "129"; break;
        case '2':
        case '4':
        case '8':
        case 'A': kinds = "19"; break;
        case 'Y': kinds = "1"; break;
        default: return false;
    }
    return kinds.find(kind) != std::string_view::npos;
}

int number_at(std::string_view digits, std::size_t at, std::size_t size) {
    int number = 0;
    for (std::size_t i = at; i < at + size; ++i) {
        number = number * 10 + (digits[i] - '0');
    }
    return number;
}

bool date_exists(std::string_view yyyymmdd) {
    const std::chrono::year_month_day date{std::chrono::year{number_at(yyyymmdd, 0, 4)},
                                           std::chrono::month{static_cast<unsigned>(number_at(yyyymmdd, 4, 2))},
                                           std::chrono::day{static_cast<unsigned>(number_at(yyyymmdd, 6, 2))}};
    return date.ok() && date.year() >= std::chrono::year{1850} && date.year() <= std::chrono::year{2100};
}

char identity_check(std::string_view digits17) {
    int sum = 0;
    for (std::size_t i = 0; i < kIdentityWeights.size(); ++i) {
        sum += (digits17[i] - '0') * kIdentityWeights[i];
    }
    return kIdentityChecks[static_cast<std::size_t>(sum % 11)];
}

}  // namespace

UsccDefect check_uscc(std::string_view code) {
    if (code.size() != kUsccSize) {
        return UsccDefect::form;
    }
    int sum = 0;
    for (std::size_t i = 0; i < kUsccSize; ++i) {
        const int value = kUsccValues[static_cast<unsigned char>(code[i])];
        if (value < 0) {
            return UsccDefect::form;
        }
        if (i < kUsccWeights.size()) {
            sum += value * kUsccWeights[i];
        }
    }
    if (!authority_exists(code[0], code[1]) || !all_digits(code.substr(2, 6))) {
        return UsccDefect::authority;
    }
    if (kUsccAlphabet[static_cast<std::size_t>((31 - sum % 31) % 31)] != code[17]) {
        return UsccDefect::check_character;
    }
    return is_organisation_code(code.substr(8, 9)) ? UsccDefect::none : UsccDefect::organisation_part;
}

bool is_organisation_code(std::string_view code) {
    if (code.size() != 9) {
        return false;
    }
    int sum = 0;
    for (std::size_t i = 0; i < kOrganisationWeights.size(); ++i) {
        const int value = kOrganisationValues[static_cast<unsigned char>(code[i])];
        if (value < 0) {
            return false;
        }
        sum += value * kOrganisationWeights[i];
    }
    const int check = 11 - sum % 11;
    const char expected = check == 10 ? 'X' : check == 11 ? '0' : static_cast<char>('0' + check);
    return code[8] == expected;
}

bool is_registration_number(std::string_view digits) {
    if (!all_digits(digits)) {
        return false;
    }
    if (digits.size() == 13) {
        return true;  // before 2007: no check digit
    }
    if (digits.size() != 15) {
        return false;
    }
    int product = 10;
    for (std::size_t i = 0; i < 14; ++i) {
        const int sum = (product + (digits[i] - '0')) % 10;
        product = (sum == 0 ? 10 : sum) * 2 % 11;
    }
    return digits[14] - '0' == (11 - product) % 10;
}

bool is_tax_number(std::string_view code) {
    if (code.size() != 15 && code.size() != 17 && code.size() != 18 && code.size() != 20) {
        return false;
    }
    for (const char c : code) {
        if (!is_digit(c) && !(c >= 'A' && c <= 'Z')) {
            return false;
        }
    }
    return true;
}

bool is_identity_number(std::string_view number) {
    return number.size() == 18 && all_digits(number.substr(0, 17)) && date_exists(number.substr(6, 8)) &&
           identity_check(number) == number[17];
}

std::string upgrade_identity_number(std::string_view number) {
    if (number.size() != 15 || !all_digits(number)) {
        return {};
    }
    std::string upgraded{number.substr(0, 6)};
    upgraded += "19";
    upgraded += number.substr(6);
    if (!date_exists(std::string_view{upgraded}.substr(6, 8))) {
        return {};
    }
    upgraded += identity_check(upgraded);
    return upgraded;
}

bool normalise_code(std::string_view raw, std::string& normalised) {
    normalised.clear();
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const auto octet = static_cast<unsigned char>(raw[i]);
        char c = raw[i];
        // U+FF01 to U+FF5E, the full-width forms of '!' to '~': EF BC 81 to EF BD 9E.
        if (octet == 0xEF && i + 2 < raw.size()) {
            const auto second = static_cast<unsigned char>(raw[i + 1]);
            const auto third = static_cast<unsigned char>(raw[i + 2]);
            const int offset = second == 0xBC ? third - 0x80 : second == 0xBD ? third - 0x80 + 0x40 : 0;
            if (third >= 0x80 && third <= 0xBF && offset >= 1 && offset <= 0x5E) {
                c = static_cast<char>(0x20 + offset);
                i += 2;
            }
        } else if (octet == 0xE3 && raw.substr(i, 3) == "\u3000") {
            c = ' ';
            i += 2;
        } else if (octet == 0xC2 && raw.substr(i, 2) == "\u00a0") {
            c = ' ';
            i += 1;
        }
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '-') {
            continue;
        }
        normalised += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return normalised != raw;
}

std::string_view find_identity_number(std::string_view text) {
    // Every eighteenth character at least belongs to such a number: look there first and widen only around
    // digits.
    for (std::size_t probe = 16; probe < text.size(); probe += 17) {
        if (!is_digit(text[probe])) {
            continue;
        }
        std::size_t first = probe;
        while (first > 0 && is_digit(text[first - 1])) {
            --first;
        }
        std::size_t last = probe + 1;
        while (last < text.size() && is_digit(text[last])) {
            ++last;
        }
        const bool with_x = last < text.size() && (text[last] == 'X' || text[last] == 'x');
        const std::size_t size = last - first + (with_x ? 1 : 0);
        if (size == 18) {
            std::string number{text.substr(first, size)};
            if (with_x) {
                number.back() = 'X';
            }
            if (is_identity_number(number)) {
                return text.substr(first, size);
            }
        }
        if (last > probe + 17) {
            probe = last - 17;  // the whole run is judged; the loop adds 17 again
        }
    }
    return {};
}

}  // namespace xinfu::policies
