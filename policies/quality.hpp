// Quality: how complete, correct and timely what a unit hands in is, as counts and as the rates made of them.
//
// Sources: CHK-03, CHK-04, OPS-03; definitions and targets: docs/QUALITY.md.
// Threads: values and functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "policies/catalog.hpp"

namespace xinfu::policies {

// Of one unit, one catalog and one month, or sums of such. Records that change others count only as `changed`.
struct QualityCounts {
    std::uint64_t files_accepted = 0;
    std::uint64_t files_refused = 0;
    std::uint64_t records = 0;     // handed in, in files whose package and header were in order
    std::uint64_t stored = 0;      // new ones in accepted files
    std::uint64_t duplicate = 0;   // in accepted files
    std::uint64_t changed = 0;     // corrections and withdrawals carried out
    std::uint64_t incomplete = 0;  // records with an error of the class completeness, and so on
    std::uint64_t inaccurate = 0;
    std::uint64_t unreasonable = 0;
    std::uint64_t late = 0;        // of those stored: reported after their term
    std::uint64_t undecided = 0;   // of those stored: it depends on a calendar that is not published yet
    std::uint64_t coded = 0;       // records that name their subject by a unified social credit code
    std::uint64_t wrong_code = 0;  // of those: the code is none
    std::uint64_t repeated_code =
        0;  // of those: an earlier record gives the code another name, or the name another code

    QualityCounts& operator+=(const QualityCounts& other);
    bool operator==(const QualityCounts&) const = default;
};

enum class Measure { admission, completeness, accuracy, reasonableness, timeliness, code_errors };
inline constexpr Measure kMeasures[] = {Measure::admission,      Measure::completeness, Measure::accuracy,
                                        Measure::reasonableness, Measure::timeliness,   Measure::code_errors};
std::string_view name(Measure measure);

// In millionths, rounded half up. Absent: there was nothing to measure it on.
std::optional<std::uint32_t> rate_ppm(const QualityCounts& counts, Measure measure);

// Whether the target is missed, by the counts and not by a rounded rate. False where there is no target or nothing to
// measure.
bool misses_target(const QualityCounts& counts, Measure measure);

// The class of a finding's code: that of the catalog's check, or of what every field is checked for.
CheckClass class_of(const Catalog& catalog, std::string_view code);

// Counts one record's findings. `cells` as for check_record.
void count_quality(const Catalog& catalog, const std::vector<std::string_view>& cells, const CheckedRecord& checked,
                   QualityCounts& counts);

}  // namespace xinfu::policies
