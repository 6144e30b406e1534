// Report terms: until when a record had to be reported, and whether it was.
//
// Sources: DL-01 (seven working days); the inspector computes the term by the calendar of working days.
// Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "daemon/vault/record_reader.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {

// When a record was reported, and until when that would have been in time.
struct ReportTerm {
    std::optional<std::int32_t> due;
    std::optional<std::int32_t> due_earliest;  // on a calendar that is not published yet
    std::uint32_t reported_day = 0;
};
ReportTerm report_term(const storage::rows::RecordBlock::Record& record, const storage::rows::Submission& submission);

enum class Lateness { in_time, undecided, late };
Lateness lateness(const ReportTerm& term);

// How many records of a file have which term: whether they are late is known with the day on which the first node took
// the file, which a parcel says last.
class TermCounts {
public:
    // Terms of honest files are at most as many as the days since 1949; beyond this they are not told apart.
    static constexpr std::size_t kTermsMax = 65536;

    void add(const PreparedRecord& record) { add({record.due, record.due_earliest}); }
    void remove(const storage::rows::RecordBlock::Record& record);

    struct Late {
        std::uint64_t late = 0;
        std::uint64_t undecided = 0;
    };
    Late reported_on(std::uint32_t day) const;

private:
    using Term = std::pair<std::optional<std::int32_t>, std::optional<std::int32_t>>;
    void add(const Term& term);

    std::map<Term, std::uint64_t> counts_;
};

}  // namespace xinfu::vault
