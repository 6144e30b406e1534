#include "policies/mask.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "policies/identifiers.hpp"

namespace xinfu::policies {
namespace {

constexpr std::size_t kStarsMax = 16;
constexpr std::size_t kKeptMax = 64;

// Where each character begins. Octets that are not UTF-8 count as characters of their own.
std::vector<std::size_t> boundaries(std::string_view value) {
    std::vector<std::size_t> starts;
    for (std::size_t at = 0; at < value.size();) {
        starts.push_back(at);
        const auto lead = static_cast<unsigned char>(value[at]);
        const std::size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        std::size_t taken = 1;
        while (taken < size && at + taken < value.size() &&
               (static_cast<unsigned char>(value[at + taken]) & 0xC0) == 0x80) {
            ++taken;
        }
        at += taken == size ? size : 1;
    }
    return starts;
}

bool parse_number(std::string_view text, std::size_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number <= kKeptMax;
}

// What is not known to be an organisation's code may be a person's number.
constexpr std::string_view kPerson = "person";
bool is_organisation(std::string_view code) {
    return check_uscc(code) == UsccDefect::none || is_organisation_code(code);
}

}  // namespace

std::optional<MaskRule> parse_mask(std::string_view rule) {
    MaskRule parsed;
    constexpr std::string_view kWhen = " when ";
    if (const auto when = rule.find(kWhen); when != std::string_view::npos) {
        const auto condition = rule.substr(when + kWhen.size());
        const auto equals = condition.find('=');
        if (equals == std::string_view::npos || equals == 0 || equals + 1 == condition.size()) {
            return std::nullopt;
        }
        parsed.when_field = condition.substr(0, equals);
        parsed.when_value = condition.substr(equals + 1);
        rule = rule.substr(0, when);
    }
    const auto comma = rule.find(',');
    if (comma == std::string_view::npos || !parse_number(rule.substr(0, comma), parsed.first) ||
        !parse_number(rule.substr(comma + 1), parsed.last)) {
        return std::nullopt;
    }
    return parsed;
}

std::string mask(const MaskRule& rule, std::string_view value) {
    const auto starts = boundaries(value);
    const std::size_t characters = starts.size();
    std::size_t first = rule.first;
    std::size_t last = rule.last;
    // A third of it stays hidden: an end that keeps too much gives way, the last one first.
    const std::size_t kept_max = characters * 2 / 3;
    first = std::min(first, kept_max);
    last = std::min(last, kept_max - first);
    std::string masked{value.substr(0, first < characters ? starts[first] : value.size())};
    masked.append(std::min(characters - first - last, kStarsMax), '*');
    if (last > 0) {
        masked += value.substr(starts[characters - last]);
    }
    return masked;
}

std::string mask_by(std::string_view rule, std::string_view value,
                    const std::function<std::string_view(std::string_view field)>& value_of) {
    if (rule.empty()) {
        return std::string{value};
    }
    const auto parsed = parse_mask(rule);
    if (!parsed) {
        return mask(MaskRule{}, value);
    }
    if (!parsed->when_field.empty()) {
        const auto other = value_of(parsed->when_field);
        const bool holds = parsed->when_value == kPerson ? !is_organisation(other) : other == parsed->when_value;
        if (!holds) {
            return std::string{value};
        }
    }
    return mask(*parsed, value);
}

}  // namespace xinfu::policies
