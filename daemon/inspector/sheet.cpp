#include "daemon/inspector/sheet.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "daemon/inspector/operation.hpp"
#include "policies/text.hpp"
#include "policies/values.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kShownSizeBytes = 60;
constexpr std::size_t kMissingShown = 8;

// How many cells name a field of the catalog.
std::size_t fields_named(const policies::Catalog& catalog, const Row& row, std::size_t count) {
    return static_cast<std::size_t>(
        std::ranges::count_if(row.cells.begin(), row.cells.begin() + static_cast<std::ptrdiff_t>(count),
                              [&](std::string_view cell) { return catalog.find_column(cell) != policies::kNoField; }));
}

std::string hexadecimal(std::uint32_t character) {
    std::array<char, 12> text{};
    const auto size = std::snprintf(text.data(), text.size(), "%04X", character);
    return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace

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

std::optional<Refusal> Sheet::take(const Row& row) {
    if (columns_.empty()) {
        return take_header(row);
    }
    if (is_header_again(row)) {
        return Refusal{"XF-3077", {std::to_string(row.line)}};
    }
    take_record(row);
    return std::nullopt;
}

std::optional<Refusal> Sheet::take_named(const NamedRow& row) {
    if (!named_ || !std::ranges::equal(names_, row.names)) {
        named_ = true;
        names_.assign(row.names.begin(), row.names.end());
        const bool operations = changes_records();
        auto refusal = records_ == 0 ? read_headers(Row{row.line, row.names}, row.names.size())
                                     : read_header(Row{row.line, row.names}, row.names.size());
        if (!refusal && records_ > 0 && operations != changes_records()) {
            refusal = Refusal{"XF-5026", {}};  // new records and changes do not go into one file
        }
        if (refusal) {
            const auto line = std::to_string(row.line);
            if (refusal->code == "XF-3022") {
                return Refusal{"XF-3087", {line, refusal->arguments.back()}};
            }
            return refusal->code == "XF-3026" ? Refusal{"XF-3082", {line, refusal->arguments.back()}} : refusal;
        }
    }
    take_record(Row{row.line, row.cells});
    return std::nullopt;
}

void Sheet::forget_header() {
    columns_.clear();
    operation_columns_.fill(policies::kNoField);
}

// A header line within the table: by codes where the first was by codes, by titles, or the other way round.
bool Sheet::is_header_again(const Row& row) const {
    if (row.cells.size() < 2) {
        return false;
    }
    const auto cell = row.cells.front();
    if (columns_.front() == policies::kNoField) {
        if (!operation_column(cell)) {
            return false;
        }
    } else {
        const auto& first = catalog().fields[columns_.front()];
        if (cell != header_cell_ && cell != first.code && !cell.starts_with(first.title_zh)) {
            return false;  // nearly every row
        }
    }
    return row.cells.size() >= columns_.size() &&
           std::equal(columns_.begin(), columns_.end(), row.cells.begin(),
                      [&](std::size_t column, std::string_view text) {
                          return column == (operation_column(text) ? policies::kNoField : catalog().find_column(text));
                      });
}

// A header that is better at home elsewhere, or in a version that is not in force. Most titles of two catalogs differ;
// those of remarks and units do not.
std::optional<Refusal> Sheet::other_catalog(const Row& row, std::size_t count) const {
    if (!catalogs_) {
        return std::nullopt;
    }
    const policies::Catalog* best = nullptr;
    std::size_t named = fields_named(catalog(), row, count);
    for (const auto& [name, versions] : catalogs_()) {
        for (const auto& other : versions) {
            const auto here = fields_named(other, row, count);
            const bool offered = std::ranges::find(versions_, &other) != versions_.end();
            if (!offered && here > named && 5 * here >= 4 * count) {
                named = here;
                best = &other;
            }
        }
    }
    if (best == nullptr) {
        return std::nullopt;
    }
    if (best->name == catalog().name) {
        const auto day = [](const auto& date) { return date ? policies::date_text(*date) : std::string{"…"}; };
        return Refusal{"XF-3078", {best->version, day(best->effective_from), day(best->effective_until)}};
    }
    return Refusal{"XF-3076", {best->name, best->title_zh, catalog().name}};
}

std::optional<Refusal> Sheet::take_header(const Row& row) {
    std::size_t count = row.cells.size();
    while (count > 0 && policies::trim(row.cells[count - 1]).empty()) {
        --count;  // columns without title at the end are no columns
    }
    if (count == 0) {
        return std::nullopt;  // not the header yet
    }
    header_cell_ = row.cells.front();
    auto refusal = read_headers(row, count);
    if (refusal && (refusal->code == "XF-3022" || refusal->code == "XF-3025")) {
        if (auto elsewhere = other_catalog(row, count)) {
            return elsewhere;
        }
    }
    return refusal;
}

// The first version whose header this is. Else its sender is told what the one says that knows most of the columns.
std::optional<Refusal> Sheet::read_headers(const Row& row, std::size_t count) {
    std::optional<Refusal> nearest;
    std::size_t named_most = 0;
    std::size_t nearest_version = 0;
    for (chosen_ = 0; chosen_ < versions_.size(); ++chosen_) {
        auto refusal = read_header(row, count);
        if (!refusal) {
            return std::nullopt;
        }
        const auto named = fields_named(catalog(), row, count);
        if (!nearest || named > named_most) {
            nearest = std::move(refusal);
            named_most = named;
            nearest_version = chosen_;
        }
    }
    chosen_ = nearest_version;
    forget_header();
    return nearest;
}

std::optional<Refusal> Sheet::read_header(const Row& row, std::size_t count) {
    forget_header();
    if (count > kColumnsMax) {
        return Refusal{"XF-3027", {std::to_string(kColumnsMax)}};
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (const auto operation = operation_column(row.cells[i])) {
            if (operation_columns_[*operation] != policies::kNoField) {
                return Refusal{"XF-3026", {std::string{kOperationColumns[*operation]}}};
            }
            operation_columns_[*operation] = i;
            columns_.push_back(policies::kNoField);
            continue;
        }
        const auto field = catalog().find_column(row.cells[i]);
        if (field == policies::kNoField) {
            if (const auto character = policies::find_forbidden(policies::trim(row.cells[i]), true); character != 0) {
                return Refusal{"XF-3074", {std::to_string(i + 1), hexadecimal(character)}};
            }
            return Refusal{"XF-3022", {std::to_string(i + 1), shown(row.cells[i])}};
        }
        if (std::ranges::find(columns_, field) != columns_.end()) {
            return Refusal{"XF-3026", {catalog().fields[field].code + " " + catalog().fields[field].title_zh}};
        }
        columns_.push_back(field);
    }
    const auto told = std::ranges::count(operation_columns_, policies::kNoField);
    if (told != 0 && told != static_cast<std::ptrdiff_t>(operation_columns_.size())) {
        return Refusal{"XF-5026", {}};
    }
    // A file of withdrawals has no use for fields; corrections miss theirs row by row.
    std::string missing;
    std::size_t absent = 0;
    for (std::size_t i = 0; !named_ && !changes_records() && i < catalog().fields.size(); ++i) {
        const auto& field = catalog().fields[i];
        if (field.required == policies::Required::always && std::ranges::find(columns_, i) == columns_.end() &&
            absent++ < kMissingShown) {
            missing += (missing.empty() ? "" : ", ") + field.code + " " + field.title_zh;
        }
    }
    if (absent > 0) {
        return Refusal{"XF-3025", {absent > kMissingShown ? missing + ", …" : missing}};
    }
    by_field_.resize(catalog().fields.size());
    return std::nullopt;
}

void Sheet::mark_formulas(const Row& row) {
    for (std::size_t i = 0; i < std::min(row.marks.size(), columns_.size()); ++i) {
        if (row.marks[i] == kNoMark || columns_[i] == policies::kNoField) {
            continue;
        }
        const bool valued = row.marks[i] == kFormula;
        policies::Finding finding;
        finding.field = columns_[i];
        finding.code = valued ? "XF-4089" : "XF-4088";
        finding.severity = valued ? policies::Severity::warning : policies::Severity::error;
        finding.raw = row.cells[i];
        checked_.findings.push_back(std::move(finding));
        (valued ? checked_.warned : checked_.defective) = true;
    }
}

void Sheet::take_record(const Row& row) {
    const auto& cells = row.cells;
    if (row.marks.empty() && !cells.empty() && !named_ &&
        std::ranges::all_of(cells, [](std::string_view cell) { return policies::trim(cell).empty(); })) {
        return;  // wide spaces and the like: a row that only looks like one
    }
    ++records_;
    // Programs like to end rows with commas; nothing else may be there.
    const bool fits = cells.size() == columns_.size() ||
                      (cells.size() > columns_.size() &&
                       std::all_of(cells.begin() + static_cast<std::ptrdiff_t>(columns_.size()), cells.end(),
                                   [](std::string_view cell) { return policies::trim(cell).empty(); }));
    if (!fits) {
        ++defective_;
        ++quality_.incomplete;
        outbox_.add_row_defect(row.line, "XF-4001", {std::to_string(cells.size()), std::to_string(columns_.size())});
        return;
    }
    std::ranges::fill(by_field_, std::string_view{});
    std::size_t size = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        size += cells[i].size();
        if (columns_[i] != policies::kNoField) {
            by_field_[columns_[i]] = cells[i];
        }
    }
    if (size > kRecordSizeBytesMax) {
        ++defective_;
        ++quality_.inaccurate;
        outbox_.add_row_defect(row.line, "XF-4072", {std::to_string(kRecordSizeBytesMax)});
        return;
    }
    policies::check_record(catalog(), calendar_, today_, by_field_, checked_);
    mark_formulas(row);
    if (changes_records()) {
        take_operation(row);
        return;
    }
    file_checks_.compare(catalog(), row.line, checked_);
    if (relayed_ && checked_.due) {
        forget_lateness();
    }
    policies::count_quality(catalog(), by_field_, checked_, quality_);
    if (!checked_.findings.empty()) {
        outbox_.add_findings(catalog(), row.line, checked_);
    }
    if (checked_.defective) {
        ++defective_;
        return;
    }
    warned_ += checked_.warned ? 1 : 0;
    outbox_.add_record(catalog(), row.line, checked_);
}

// What this day says about the report: whether the vault will call it late is another matter.
void Sheet::forget_lateness() {
    std::erase_if(checked_.findings, [](const policies::Finding& finding) {
        return finding.code == "XF-4044" || finding.code == "XF-4047";
    });
    checked_.warned = std::ranges::any_of(checked_.findings, [](const policies::Finding& finding) {
        return finding.severity == policies::Severity::warning;
    });
}

// A withdrawal needs no fields; those that are filled help the vault to see that it is the record that was meant. A
// correction is no late report.
void Sheet::take_operation(const Row& row) {
    std::array<std::string_view, 4> cells;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        cells[i] = row.cells[operation_columns_[i]];
    }
    checked_.due.reset();
    std::vector<OperationDefect> defects;
    const auto operation = read_operation(cells, defects);
    if (operation.kind() == boundary::RecordOperation::WITHDRAW) {
        const bool named = !checked_.subject.empty() && !checked_.number.empty() && !checked_.deciding_unit.empty();
        const auto keep = [&](std::size_t field) { return checked_.wrong[field] == 0; };
        for (std::size_t i = 0; i < checked_.values.size(); ++i) {
            const bool names = i == catalog().deciding_unit || i == catalog().source_unit || i == catalog().number ||
                               i == catalog().subject_code || i == catalog().subject_person;
            if (!names || !keep(i)) {
                checked_.values[i] = {};
            }
        }
        if (!named) {
            checked_.subject = {};
        }
        checked_.findings.clear();
        checked_.defective = checked_.warned = false;
    } else {
        forget_lateness();
        file_checks_.compare(catalog(), row.line, checked_);
        outbox_.add_findings(catalog(), row.line, checked_);
    }
    for (auto& defect : defects) {
        outbox_.add_row_defect(row.line, defect.code, std::move(defect.arguments), defect.column);
    }
    if (checked_.defective || !defects.empty()) {
        ++defective_;
        return;
    }
    warned_ += checked_.warned ? 1 : 0;
    outbox_.add_record(catalog(), row.line, checked_, &operation);
}

std::optional<Refusal> Sheet::finish() const {
    if (records_ == 0) {
        return Refusal{"XF-3021", {}};
    }
    return std::nullopt;
}

void Sheet::tell_counts(boundary::Verdict& verdict) const {
    verdict.set_catalog_version(catalog().version);
    verdict.set_records(records_);
    verdict.set_defective(defective_);
    verdict.set_warned(warned_);
    verdict.set_defects_total(outbox_.errors());
    verdict.set_warnings_total(outbox_.warnings());
    if (!changes_records()) {
        auto& quality = *verdict.mutable_quality();
        quality.set_incomplete(quality_.incomplete);
        quality.set_inaccurate(quality_.inaccurate);
        quality.set_unreasonable(quality_.unreasonable);
        quality.set_coded(quality_.coded);
        quality.set_wrong_code(quality_.wrong_code);
        quality.set_repeated_code(quality_.repeated_code);
    }
}

}  // namespace xinfu::inspector
