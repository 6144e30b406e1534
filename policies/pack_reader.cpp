#include "policies/pack_reader.hpp"

#include <algorithm>
#include <charconv>

#include "policies/text.hpp"

namespace xinfu::policies {
namespace {

std::size_t one_based(int mark) {
    return mark < 0 ? 0 : static_cast<std::size_t>(mark) + 1;
}

}  // namespace

std::string describe(const std::vector<Mistake>& mistakes, std::size_t size_max) {
    std::string described;
    for (const auto& mistake : mistakes) {
        std::string one = described.empty() ? "" : "; ";
        if (mistake.line != 0) {
            one += std::to_string(mistake.line) + ":" + std::to_string(mistake.column) + " ";
        }
        one += mistake.text;
        if (described.size() + one.size() > size_max) {
            break;
        }
        described += one;
    }
    return described;
}

YAML::Node PackReader::parse(std::string_view yaml) try {
    if (yaml.size() > kPackSizeBytesMax) {
        mistakes_.push_back({0, 0, "larger than " + std::to_string(kPackSizeBytesMax) + " bytes"});
        return YAML::Node{YAML::NodeType::Undefined};
    }
    if (const auto at = find_malformed_utf8(yaml); at != std::string_view::npos) {
        const auto before = yaml.substr(0, at);
        mistakes_.push_back({static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1, 1, "not UTF-8"});
        return YAML::Node{YAML::NodeType::Undefined};
    }
    return YAML::Load(std::string{yaml});
} catch (const YAML::Exception& refused) {
    mistakes_.push_back({one_based(refused.mark.line), one_based(refused.mark.column), refused.msg});
    return YAML::Node{YAML::NodeType::Undefined};
}

void PackReader::mistake(const YAML::Node& at, std::string text) {
    if (mistakes_.size() >= kPackMistakesMax) {
        return;
    }
    const auto mark = at.IsDefined() ? at.Mark() : YAML::Mark::null_mark();
    mistakes_.push_back({one_based(mark.line), one_based(mark.column), std::move(text)});
}

bool PackReader::text(const YAML::Node& node, std::string_view what, std::string& out, std::size_t size_max) {
    if (!node.IsDefined() || !node.IsScalar()) {
        mistake(node, std::string{what} + " must be a text");
        return false;
    }
    out = node.Scalar();
    if (out.empty() || out.size() > size_max) {
        mistake(node, std::string{what} + " must have 1 to " + std::to_string(size_max) + " bytes");
        return false;
    }
    if (find_forbidden(out, false) != 0) {
        mistake(node, std::string{what} + " contains a control or invisible character");
        return false;
    }
    return true;
}

bool PackReader::number(const YAML::Node& node, std::string_view what, std::int64_t least, std::int64_t most,
                        std::int64_t& out) {
    const std::string digits = node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string{};
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || value < least ||
        value > most) {
        mistake(node,
                std::string{what} + " must be a number from " + std::to_string(least) + " to " + std::to_string(most));
        return false;
    }
    out = value;
    return true;
}

bool PackReader::boolean(const YAML::Node& node, std::string_view what, bool& out) {
    const std::string word = node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string{};
    if (word != "true" && word != "false") {
        mistake(node, std::string{what} + " must be true or false");
        return false;
    }
    out = word == "true";
    return true;
}

bool PackReader::date(const YAML::Node& node, std::string_view what, Day& out) {
    const std::string digits = node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string{};
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    const char* const text = digits.data();
    const bool shaped = digits.size() == 10 && digits[4] == '-' && digits[7] == '-' &&
                        std::from_chars(text, text + 4, year).ptr == text + 4 &&
                        std::from_chars(text + 5, text + 7, month).ptr == text + 7 &&
                        std::from_chars(text + 8, text + 10, day).ptr == text + 10;
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
    if (!shaped || !date.ok()) {
        mistake(node, std::string{what} + " must be a date in the form YYYY-MM-DD");
        return false;
    }
    out = Day{date};
    return true;
}

bool PackReader::sequence(const YAML::Node& node, std::string_view what, std::size_t count_max) {
    if (!node.IsDefined() || !node.IsSequence() || node.size() > count_max) {
        mistake(node, std::string{what} + " must be a list of at most " + std::to_string(count_max));
        return false;
    }
    return true;
}

bool PackReader::texts(const YAML::Node& node, std::string_view what, std::vector<std::string>& out,
                       std::size_t count_max) {
    out.clear();
    if (!sequence(node, what, count_max)) {
        return false;
    }
    bool good = true;
    for (const auto& item : node) {
        std::string value;
        if (!text(item, what, value)) {
            good = false;
        } else if (std::ranges::find(out, value) != out.end()) {
            mistake(item, "repeated: " + value);
            good = false;
        } else {
            out.push_back(std::move(value));
        }
    }
    return good;
}

MapReader::MapReader(PackReader& reader, const YAML::Node& node, std::string_view what) : reader_(reader), what_(what) {
    if (node.IsDefined() && node.IsMap()) {
        node_.reset(node);
    } else {
        reader_.mistake(node, what_ + " must be a mapping");
        node_.reset(YAML::Node{YAML::NodeType::Map});
    }
}

MapReader::~MapReader() {
    std::vector<std::string> seen;
    for (const auto& pair : node_) {
        if (!pair.first.IsScalar()) {
            reader_.mistake(pair.first, "a key of " + what_ + " must be a text");
            continue;
        }
        const auto& key = pair.first.Scalar();
        if (std::ranges::find(asked_, key) == asked_.end()) {
            reader_.mistake(pair.first, "unknown key \"" + key + "\" in " + what_);
        } else if (std::ranges::find(seen, key) != seen.end()) {
            reader_.mistake(pair.first, "repeated key \"" + key + "\" in " + what_);
        }
        seen.push_back(key);
    }
}

bool MapReader::has(std::string_view key) const {
    for (const auto& pair : node_) {
        if (pair.first.IsScalar() && pair.first.Scalar() == key) {
            return true;
        }
    }
    return false;
}

YAML::Node MapReader::optional(std::string_view key) {
    asked_.emplace_back(key);
    for (const auto& pair : node_) {
        if (pair.first.IsScalar() && pair.first.Scalar() == key) {
            return pair.second;
        }
    }
    return YAML::Node{YAML::NodeType::Undefined};
}

YAML::Node MapReader::required(std::string_view key) {
    auto found = optional(key);
    if (!found.IsDefined()) {
        reader_.mistake(node_, what_ + " lacks \"" + std::string{key} + "\"");
    }
    return found;
}

void MapReader::text(std::string_view key, std::string& out) {
    if (auto found = required(key); found.IsDefined()) {
        reader_.text(found, key, out);
    }
}

void MapReader::optional_text(std::string_view key, std::string& out) {
    if (auto found = optional(key); found.IsDefined()) {
        reader_.text(found, key, out);
    }
}

}  // namespace xinfu::policies
