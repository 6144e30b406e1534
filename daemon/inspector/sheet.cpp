#include "daemon/inspector/sheet.hpp"

#include <algorithm>

#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kShownSizeBytes = 60;
constexpr std::size_t kMissingShown = 8;

// A header cell as it may stand in a sentence: short, and without anything a terminal would obey.
std::string shown(std::string_view cell) {
    std::string text;
    for (const char c : policies::trim(cell)) {
        const bool continuation = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
        if (text.size() >= kShownSizeBytes && !continuation) {
            return text + "…";
        }
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
    return policies::find_forbidden(text, false) == 0 ? text : std::string{"?"};
}

}  // namespace

std::optional<Refusal> Sheet::take(const Row& row) {
    if (columns_.empty()) {
        return take_header(row);
    }
    take_record(row);
    return std::nullopt;
}

std::optional<Refusal> Sheet::take_header(const Row& row) {
    if (row.cells.size() > kColumnsMax) {
        return Refusal{"XF-3027", {std::to_string(kColumnsMax)}};
    }
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        const auto field = catalog_.find_column(row.cells[i]);
        if (field == policies::kNoField) {
            return Refusal{"XF-3022", {std::to_string(i + 1), shown(row.cells[i])}};
        }
        if (std::ranges::find(columns_, field) != columns_.end()) {
            return Refusal{"XF-3026", {catalog_.fields[field].code + " " + catalog_.fields[field].title_zh}};
        }
        columns_.push_back(field);
    }
    std::string missing;
    std::size_t count = 0;
    for (std::size_t i = 0; i < catalog_.fields.size(); ++i) {
        const auto& field = catalog_.fields[i];
        if (field.required == policies::Required::always && std::ranges::find(columns_, i) == columns_.end() &&
            count++ < kMissingShown) {
            missing += (missing.empty() ? "" : ", ") + field.code + " " + field.title_zh;
        }
    }
    if (count > 0) {
        return Refusal{"XF-3025", {count > kMissingShown ? missing + ", …" : missing}};
    }
    by_field_.resize(catalog_.fields.size());
    return std::nullopt;
}

void Sheet::take_record(const Row& row) {
    ++records_;
    const auto& cells = row.cells;
    // Programs like to end rows with commas; nothing else may be there.
    const bool fits = cells.size() == columns_.size() ||
                      (cells.size() > columns_.size() &&
                       std::all_of(cells.begin() + static_cast<std::ptrdiff_t>(columns_.size()), cells.end(),
                                   [](std::string_view cell) { return policies::trim(cell).empty(); }));
    if (!fits) {
        ++defective_;
        outbox_.add_row_defect(row.line, "XF-4001", {std::to_string(cells.size()), std::to_string(columns_.size())});
        return;
    }
    std::ranges::fill(by_field_, std::string_view{});
    std::size_t size = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        by_field_[columns_[i]] = cells[i];
        size += cells[i].size();
    }
    if (size > kRecordSizeBytesMax) {
        ++defective_;
        outbox_.add_row_defect(row.line, "XF-4072", {std::to_string(kRecordSizeBytesMax)});
        return;
    }
    policies::check_record(catalog_, calendar_, today_, by_field_, checked_);
    if (!checked_.findings.empty()) {
        outbox_.add_findings(catalog_, row.line, checked_);
    }
    if (checked_.defective) {
        ++defective_;
        return;
    }
    warned_ += checked_.warned ? 1 : 0;
    outbox_.add_record(catalog_, row.line, checked_);
}

std::optional<Refusal> Sheet::finish() const {
    if (records_ == 0) {
        return Refusal{"XF-3021", {}};
    }
    return std::nullopt;
}

}  // namespace xinfu::inspector
