#include "daemon/inspector/workbook_parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "policies/working_days.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kRelationsMax = 4096;
constexpr std::size_t kStylesMax = 65536;  // spreadsheets allow 65 490
// A cell that is told on costs more than its value: the field it is of, at least.
constexpr std::uint64_t kCellOverhead = 24;

constexpr std::string_view kZeros = "0000000000000000";

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

bool is_true(std::string_view text) {
    return text == "1" || text == "true";
}

// "_x000D_" in a text is the character U+000D (ECMA-376 part 1, section 22.9.2.19); those above U+00FF are left.
void unescape(std::string& text) {
    for (auto at = text.find("_x00"); at != std::string::npos; at = text.find("_x00", at + 1)) {
        unsigned character = 0;
        const char* const digits = text.data() + at + 4;
        if (at + 7 <= text.size() && text[at + 6] == '_' &&
            std::from_chars(digits, digits + 2, character, 16).ptr == digits + 2 && character < 0x80) {
            text.replace(at, 7, 1, static_cast<char>(character));
        }
    }
}

std::string padded(int number, std::size_t size) {
    auto text = std::to_string(number);
    return text.size() < size ? std::string{kZeros.substr(0, size - text.size())} + text : text;
}

std::string date_of(double serial, bool from_1904) {
    double whole = 0;
    double fraction = std::modf(serial, &whole);
    auto seconds = static_cast<int>(std::lround(fraction * 86400));
    if (seconds == 86400) {
        seconds = 0;
        whole += 1;
    }
    using namespace std::chrono;
    // In the 1900 system day 60 is the 29th of February that 1900 did not have.
    const auto base = from_1904    ? sys_days{1904y / 1 / 1}
                      : whole < 60 ? sys_days{1899y / 12 / 31}
                                   : sys_days{1899y / 12 / 30};
    const year_month_day day{base + days{static_cast<int>(whole)}};
    auto text = padded(static_cast<int>(day.year()), 4) + "-" +
                padded(static_cast<int>(static_cast<unsigned>(day.month())), 2) + "-" +
                padded(static_cast<int>(static_cast<unsigned>(day.day())), 2);
    if (!from_1904 && whole == 60) {
        text = "1900-02-29";
    }
    if (seconds != 0) {
        text += " " + padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" + padded(seconds % 60, 2);
    }
    return text;
}

}  // namespace

std::string_view attribute(const char* const* attributes, std::string_view name) {
    for (; *attributes != nullptr; attributes += 2) {
        const std::string_view whole{attributes[0]};
        const auto colon = whole.rfind(':');
        if ((colon == std::string_view::npos ? whole : whole.substr(colon + 1)) == name) {
            return attributes[1];
        }
    }
    return {};
}

std::string number_text(std::string_view raw, bool date, bool from_1904) {
    double number = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
    if (error != std::errc{} || end != raw.data() + raw.size() || !std::isfinite(number)) {
        return std::string{raw};
    }
    constexpr double kDateMax = 2958466;  // the day after 9999-12-31
    if (date && number >= 1 && number < kDateMax) {
        return date_of(number, from_1904);
    }
    std::array<char, 64> text{};
    const auto scientific =
        std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::scientific, 14);
    std::string_view shown{text.data(), static_cast<std::size_t>(scientific.ptr - text.data())};
    // "-d.dddddddddddddde±xx" into digits and exponent.
    const bool negative = shown.starts_with('-');
    shown.remove_prefix(negative ? 1 : 0);
    const auto mark = shown.find('e');
    int exponent = 0;
    const auto written = shown.substr(mark + 1);
    std::from_chars(written.data() + (written.starts_with('+') ? 1 : 0), written.data() + written.size(), exponent);
    auto digits = std::string{shown.substr(0, 1)} + std::string{shown.substr(2, mark - 2)};
    digits.erase(std::max<std::size_t>(digits.find_last_not_of('0') + 1, 1));
    std::string out = negative && digits != "0" ? "-" : "";
    if (exponent >= 15 || exponent < -9) {
        out += digits.substr(0, 1) + (digits.size() > 1 ? "." + digits.substr(1) : "") + "E" +
               (exponent < 0 ? "-" : "+") + padded(std::abs(exponent), 2);
    } else if (exponent < 0) {
        out += "0." + std::string{kZeros.substr(0, static_cast<std::size_t>(-exponent - 1))} + digits;
    } else {
        const auto whole = static_cast<std::size_t>(exponent) + 1;
        if (digits.size() <= whole) {
            out += digits + std::string{kZeros.substr(0, whole - digits.size())};
        } else {
            out += digits.substr(0, whole) + "." + digits.substr(whole);
        }
    }
    return out;
}

bool is_date_format(unsigned id, std::string_view code) {
    // ECMA-376 part 1, section 18.8.30, with the Chinese forms 27-36 and 50-58.
    const bool built_in =
        (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58);
    if (code.empty()) {
        return built_in;
    }
    if (code == "General" || code == "Standard") {
        return false;
    }
    bool quoted = false;
    bool bracketed = false;
    for (std::size_t i = 0; i < code.size(); ++i) {
        const char c = code[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '[') {
            bracketed = true;
        } else if (!quoted && c == ']') {
            bracketed = false;
        } else if (!quoted && c == '\\') {
            ++i;
        } else if (!quoted && !bracketed && (c == 'y' || c == 'Y' || c == 'd' || c == 'D')) {
            return true;
        }
    }
    return false;
}

std::size_t column_of(std::string_view reference) {
    std::size_t column = 0;
    std::size_t at = 0;
    for (; at < reference.size() && reference[at] >= 'A' && reference[at] <= 'Z' && at < 4; ++at) {
        column = column * 26 + static_cast<std::size_t>(reference[at] - 'A') + 1;
    }
    const bool named = at > 0 && column <= SheetHandler::kColumnsMax && whole_number(reference.substr(at));
    return named ? column - 1 : std::string_view::npos;
}

bool RelationsHandler::on_start(std::string_view name, const char* const* attributes) {
    if (name == "Relationship" && attribute(attributes, "TargetMode") != "External") {
        const auto type = attribute(attributes, "Type");
        relations.try_emplace(std::string{attribute(attributes, "Id")},
                              Relation{std::string{type.substr(std::min(type.rfind('/') + 1, type.size()))},
                                       std::string{attribute(attributes, "Target")}});
    }
    return relations.size() <= kRelationsMax;
}

std::string RelationsHandler::target_of(std::string_view type) const {
    for (const auto& [id, relation] : relations) {
        if (relation.type == type) {
            return relation.target;
        }
    }
    return {};
}

bool SheetsHandler::on_start(std::string_view name, const char* const* attributes) {
    if (name == "workbookPr") {
        from_1904 = is_true(attribute(attributes, "date1904"));
    } else if (name == "sheet") {
        const auto state = attribute(attributes, "state");
        if (state != "hidden" && state != "veryHidden") {
            for (; *attributes != nullptr; attributes += 2) {
                if (std::string_view{attributes[0]}.ends_with(":id")) {
                    visible.emplace_back(attributes[1]);
                }
            }
        }
    }
    return visible.size() <= kRelationsMax;
}

bool StylesHandler::on_start(std::string_view name, const char* const* attributes) {
    if (name == "numFmt") {
        if (const auto id = whole_number(attribute(attributes, "numFmtId")); id && *id <= kStylesMax) {
            codes_.insert_or_assign(static_cast<unsigned>(*id), std::string{attribute(attributes, "formatCode")});
        }
    } else if (name == "cellXfs") {
        in_cell_styles_ = true;
    } else if (name == "xf" && in_cell_styles_) {
        const auto id = whole_number(attribute(attributes, "numFmtId")).value_or(0);
        const auto code = codes_.find(static_cast<unsigned>(std::min<std::uint64_t>(id, kStylesMax)));
        date_styles.push_back(is_date_format(static_cast<unsigned>(std::min<std::uint64_t>(id, kStylesMax)),
                                             code == codes_.end() ? std::string_view{} : code->second));
    }
    return date_styles.size() <= kStylesMax && codes_.size() <= kStylesMax;
}

bool StylesHandler::on_end(std::string_view name) {
    in_cell_styles_ = in_cell_styles_ && name != "cellXfs";
    return true;
}

bool StringsHandler::on_start(std::string_view name, const char* const*) {
    phonetic_ += name == "rPh" ? 1 : 0;
    in_text_ = name == "t" && phonetic_ == 0;
    return true;
}

bool StringsHandler::on_end(std::string_view name) {
    phonetic_ -= name == "rPh" ? 1 : 0;
    in_text_ = false;
    if (name == "si") {
        parts_.ends.push_back(static_cast<std::uint32_t>(parts_.texts.size()));
    }
    return true;
}

bool StringsHandler::on_text(std::string_view text) {
    if (in_text_) {
        parts_.texts += text;  // no longer than the part, which is bounded
    }
    return true;
}

bool SheetHandler::refuse(const char* code) {
    refusal = Refusal{code, {std::to_string(row_)}};
    return false;
}

bool SheetHandler::begin_row(const char* const* attributes) {
    const auto given = attribute(attributes, "r");
    const auto row = given.empty() ? std::optional{row_ + 1} : whole_number(given);
    if (!row || *row <= row_ || *row > kRowsMax || in_row_) {
        return refuse("XF-3095");
    }
    row_ = *row;
    in_row_ = true;
    columns_ = 0;
    row_size_ = 0;
    marks_.clear();
    return true;
}

bool SheetHandler::begin_cell(const char* const* attributes) {
    const auto given = attribute(attributes, "r");
    column_ = given.empty() ? columns_ : column_of(given);
    if (!in_row_ || in_cell_ || column_ == std::string_view::npos || column_ < columns_ || column_ >= kColumnsMax) {
        return refuse("XF-3095");
    }
    type_ = attribute(attributes, "t");
    style_ = static_cast<std::size_t>(whole_number(attribute(attributes, "s")).value_or(0));
    in_cell_ = true;
    formula_ = false;
    value_.clear();
    return true;
}

bool SheetHandler::end_cell() {
    in_cell_ = false;
    if (type_ == "s") {
        const auto index = whole_number(value_);
        if (!value_.empty()) {
            if (!index || *index >= parts_.ends.size()) {
                refusal = Refusal{"XF-3090", {"a shared string of row " + std::to_string(row_)}};
                return false;
            }
            const auto begin = *index == 0 ? 0 : parts_.ends[*index - 1];
            value_ = parts_.texts.substr(begin, parts_.ends[*index] - begin);
        }
        unescape(value_);
    } else if (type_ == "inlineStr" || type_ == "str") {
        unescape(value_);
    } else if (type_ == "b") {
        value_ = value_ == "1" ? "TRUE" : "FALSE";
    } else if (type_ == "d") {
        for (const std::string_view midnight : {"T00:00:00Z", "T00:00:00.000", "T00:00:00"}) {
            if (value_.ends_with(midnight)) {
                value_.erase(value_.size() - midnight.size());
                break;
            }
        }
    } else if (type_ != "e" && !value_.empty()) {
        value_ =
            number_text(value_, style_ < parts_.date_styles.size() && parts_.date_styles[style_], parts_.from_1904);
    }
    row_size_ += value_.size();
    if (row_size_ > RowReader::kRowSizeBytesMax) {
        refusal = Refusal{"XF-3024", {std::to_string(row_), std::to_string(RowReader::kRowSizeBytesMax)}};
        return false;
    }
    values_size_ += value_.size() + (value_.empty() ? 0 : kCellOverhead);
    if (values_size_ > values_size_max_) {
        refusal = Refusal{"XF-3092", {"cell values", std::to_string(values_size_max_ >> 20)}};
        return false;
    }
    // Empty cells far to the right are nothing; full ones are counted together as one more than there may be.
    const auto at = std::min(column_, RowReader::kCellsMax);
    if (value_.empty() && !formula_) {
        columns_ = column_ + 1;
        return true;
    }
    if (texts_.size() <= at) {
        texts_.resize(at + 1);
    }
    for (auto i = marks_.size(); i < at; ++i) {
        texts_[i].clear();
    }
    marks_.resize(at + 1, kNoMark);
    marks_[at] = !formula_ ? kNoMark : value_.empty() ? kFormulaWithoutValue : kFormula;
    texts_[at] = value_;
    columns_ = column_ + 1;
    return true;
}

bool SheetHandler::end_row() {
    in_row_ = false;
    cells_.clear();
    bool marked = false;
    bool blank = true;
    for (std::size_t i = 0; i < marks_.size(); ++i) {
        cells_.push_back(texts_[i]);
        marked = marked || marks_[i] != kNoMark;
        blank = blank && texts_[i].empty();
    }
    if (blank && !marked) {
        return true;
    }
    // Empty cells at the end of a row are not written down; the first row tells how many there are.
    width_ = width_ == 0 ? cells_.size() : width_;
    cells_.resize(std::max(cells_.size(), width_));
    const Row row{row_, cells_, marked ? std::span<const std::uint8_t>{marks_} : std::span<const std::uint8_t>{}};
    refusal = sink_(row);
    return !refusal;
}

bool SheetHandler::on_start(std::string_view name, const char* const* attributes) {
    if (name == "row") {
        return begin_row(attributes);
    }
    if (name == "c") {
        return begin_cell(attributes);
    }
    if (in_cell_) {
        phonetic_ += name == "rPh" ? 1 : 0;
        formula_ = formula_ || name == "f";
        in_value_ = phonetic_ == 0 && (name == "v" || (name == "t" && type_ == "inlineStr"));
    }
    return true;
}

bool SheetHandler::on_end(std::string_view name) {
    in_value_ = false;
    if (name == "rPh" && phonetic_ > 0) {
        --phonetic_;
    }
    if (name == "c" && in_cell_) {
        return end_cell();
    }
    return name != "row" || !in_row_ || end_row();
}

bool SheetHandler::on_text(std::string_view text) {
    if (in_value_) {
        value_ += text;
        if (value_.size() > RowReader::kRowSizeBytesMax) {
            refusal = Refusal{"XF-3024", {std::to_string(row_), std::to_string(RowReader::kRowSizeBytesMax)}};
            return false;
        }
    }
    return true;
}

}  // namespace xinfu::inspector
