#include "policies/quality.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "policies/identifiers.hpp"
#include "policies/text.hpp"

namespace xinfu::policies {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::uint64_t kPercentMin = 95;               // of records, for admission, completeness and accuracy
constexpr std::uint64_t kRecordsPerCodeError = 10'000;  // at this rate of wrong or repeated codes the alarm begins

struct Share {
    std::uint64_t part = 0;
    std::uint64_t whole = 0;
};

// What is measured of what. Counts of a whole that came from several processes are not trusted to contain their parts.
Share share(const QualityCounts& counts, Measure measure) {
    const auto rest = [](std::uint64_t whole, std::uint64_t part) { return whole - std::min(part, whole); };
    switch (measure) {
        case Measure::admission: return {std::min(counts.stored + counts.duplicate, counts.records), counts.records};
        case Measure::completeness: return {rest(counts.records, counts.incomplete), counts.records};
        case Measure::accuracy: return {rest(counts.records, counts.inaccurate), counts.records};
        case Measure::reasonableness: return {rest(counts.records, counts.unreasonable), counts.records};
        case Measure::timeliness: return {rest(counts.stored, counts.late), counts.stored};
        case Measure::code_errors:
            return {std::min(counts.wrong_code + counts.repeated_code, counts.coded), counts.coded};
    }
    return {};
}

bool is_wrong_code(std::string_view code) {
    constexpr std::array<std::string_view, 4> kCodes{"XF-4020", "XF-4021", "XF-4022", "XF-4023"};
    return std::ranges::find(kCodes, code) != kCodes.end();
}

// One code with two names, or one name with two codes, in the file.
bool repeats_code(const Catalog& catalog, const Finding& finding) {
    return std::ranges::any_of(catalog.checks, [&](const Check& check) {
        return check.kind == Check::Kind::determined_by && check.code == finding.code &&
               (check.other == catalog.subject_code || finding.field == catalog.subject_code);
    });
}

bool names_by_code(const Field& field, std::string_view cell) {
    if (field.type != FieldType::code || trim(cell).empty()) {
        return false;
    }
    if (field.format == CodeFormat::subject) {
        std::string normalised;
        normalise_code(cell, normalised);
        return !is_identity_number(normalised);
    }
    return field.format == CodeFormat::uscc;
}

}  // namespace

QualityCounts& QualityCounts::operator+=(const QualityCounts& other) {
    files_accepted += other.files_accepted;
    files_refused += other.files_refused;
    records += other.records;
    stored += other.stored;
    duplicate += other.duplicate;
    changed += other.changed;
    incomplete += other.incomplete;
    inaccurate += other.inaccurate;
    unreasonable += other.unreasonable;
    late += other.late;
    undecided += other.undecided;
    coded += other.coded;
    wrong_code += other.wrong_code;
    repeated_code += other.repeated_code;
    return *this;
}

std::string_view name(Measure measure) {
    switch (measure) {
        case Measure::admission: return "admission";
        case Measure::completeness: return "completeness";
        case Measure::accuracy: return "accuracy";
        case Measure::reasonableness: return "reasonableness";
        case Measure::timeliness: return "timeliness";
        case Measure::code_errors: return "code_errors";
    }
    return {};
}

std::optional<std::uint32_t> rate_ppm(const QualityCounts& counts, Measure measure) {
    const auto [part, whole] = share(counts, measure);
    if (whole == 0) {
        return std::nullopt;
    }
    // Counts of a month lie far below 2^43, where the product would not fit.
    return static_cast<std::uint32_t>((part * kMillion * 2 + whole) / (whole * 2));
}

bool misses_target(const QualityCounts& counts, Measure measure) {
    const auto [part, whole] = share(counts, measure);
    if (whole == 0) {
        return false;
    }
    switch (measure) {
        case Measure::admission:
        case Measure::completeness:
        case Measure::accuracy: return part * 100 < whole * kPercentMin;
        case Measure::code_errors: return part * kRecordsPerCodeError >= whole;
        default: return false;
    }
}

CheckClass class_of(const Catalog& catalog, std::string_view code) {
    const auto check = std::ranges::find(catalog.checks, code, &Check::code);
    if (check != catalog.checks.end()) {
        return check->check_class;
    }
    const bool presence = code == "XF-4001" || code == "XF-4002" || code == "XF-4003";
    return presence ? CheckClass::completeness : CheckClass::accuracy;
}

void count_quality(const Catalog& catalog, const std::vector<std::string_view>& cells, const CheckedRecord& checked,
                   QualityCounts& counts) {
    bool incomplete = false;
    bool inaccurate = false;
    bool unreasonable = false;
    bool wrong_code = false;
    bool repeated_code = false;
    for (const auto& finding : checked.findings) {
        wrong_code = wrong_code || (finding.field == catalog.subject_code && is_wrong_code(finding.code));
        repeated_code = repeated_code || repeats_code(catalog, finding);
        if (finding.severity != Severity::error) {
            continue;
        }
        switch (class_of(catalog, finding.code)) {
            case CheckClass::completeness: incomplete = true; break;
            case CheckClass::accuracy: inaccurate = true; break;
            case CheckClass::reasonableness: unreasonable = true; break;
        }
    }
    ++counts.records;
    counts.incomplete += incomplete;
    counts.inaccurate += inaccurate;
    counts.unreasonable += unreasonable;
    if (catalog.subject_code != kNoField &&
        names_by_code(catalog.fields[catalog.subject_code], cells[catalog.subject_code])) {
        ++counts.coded;
        counts.wrong_code += wrong_code;
        counts.repeated_code += repeated_code;
    }
}

}  // namespace xinfu::policies
