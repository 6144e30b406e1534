#include "daemon/vault/report_term.hpp"

namespace xinfu::vault {

ReportTerm report_term(const storage::rows::RecordBlock::Record& record, const storage::rows::Submission& submission) {
    ReportTerm term;
    term.due = record.has_due() ? std::optional(record.due()) : std::nullopt;
    term.due_earliest = record.has_due_earliest() ? std::optional(record.due_earliest()) : std::nullopt;
    term.reported_day = record.version() > 0 ? record.reported_day() : submission.received_day();
    return term;
}

Lateness lateness(const ReportTerm& term) {
    const std::int64_t reported = term.reported_day;
    if (term.due_earliest && reported > *term.due_earliest) {
        return Lateness::undecided;
    }
    return term.due && reported > *term.due ? Lateness::late : Lateness::in_time;
}

void TermCounts::add(const Term& term) {
    if (!term.first && !term.second) {
        return;  // no term, or it was not over: nearly every record
    }
    const auto found = counts_.find(term);
    if (found != counts_.end()) {
        ++found->second;
    } else if (counts_.size() < kTermsMax) {
        counts_.emplace(term, 1);
    }
}

void TermCounts::remove(const storage::rows::RecordBlock::Record& record) {
    const Term term{record.has_due() ? std::optional(record.due()) : std::nullopt,
                    record.has_due_earliest() ? std::optional(record.due_earliest()) : std::nullopt};
    const auto found = counts_.find(term);
    if (found != counts_.end() && --found->second == 0) {
        counts_.erase(found);
    }
}

TermCounts::Late TermCounts::reported_on(std::uint32_t day) const {
    Late sum;
    for (const auto& [term, count] : counts_) {
        switch (lateness({term.first, term.second, day})) {
            case Lateness::late: sum.late += count; break;
            case Lateness::undecided: sum.undecided += count; break;
            case Lateness::in_time: break;
        }
    }
    return sum;
}

}  // namespace xinfu::vault
