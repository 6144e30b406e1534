// Rendering: the vault's typed answers as what leaves the node: problem+json, JSON, CSV.
//
// Format:  RFC 9457 problems with `code`, `title`, `detail`, `detail_zh`, `retry`; see docs/FORMATS.md.
// Threads: functions without state.
// Trust:   the vault's words are trusted; they may quote senders, hence everything is escaped.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/common.pb.h"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/gateway/response.hpp"

namespace xinfu::gateway {

inline constexpr std::size_t kDefectsShownMax = 1000;  // of each kind, in an answer to PUT

boundary::Problem make_problem(std::string_view code, std::vector<std::string> arguments = {},
                               std::uint32_t retry_after_seconds = 0);

// An answer for a problem. Unknown codes become 500. Codes whose retry is `later` have Retry-After; 401 closes.
Response render_problem(const boundary::Problem& problem);

// What a submission or check came to, with the defects that arrived behind it.
struct OutcomeDetails {
    std::vector<boundary::Defect> defects;   // at most kDefectsShownMax
    std::vector<boundary::Defect> warnings;  // the same
};
Response render_outcome(const boundary::SubmissionOutcome& outcome, const OutcomeDetails& details);

Response render_submission(const boundary::SubmissionView& view);
Response render_catalogs(const std::vector<boundary::CatalogDescription>& catalogs);
Response render_catalog(const boundary::CatalogDescription& catalog);
Response render_route(const boundary::RouteView& view);
Response render_status(const boundary::StatusView& view);
Response render_session(const boundary::SessionOpened& session);

// One defect as a JSON object, without a newline.
std::string render_defect(const boundary::Defect& defect);
std::string quote_json(std::string_view text);  // with its quotation marks

// `{"records":[` ... the canonical records, already JSON ... `],"count":n,"receipt":"..."}`
Response render_records(const boundary::RecordsResult& result, const std::vector<std::string>& records);

// `{"report":` ... the canonical report, already JSON ... `,"receipt":"..."}`
Response render_quality(const boundary::QualityReport& quality, const std::string& report);
// `entries` and `story`: the vault's JSON.
Response render_log_page(const boundary::LogPage& page, const std::string& entries);
Response render_trace(const boundary::TraceView& trace, const std::string& story);

// CSV for Excel: UTF-8 with BOM, CRLF. Cells that a spreadsheet would take for a formula get a leading apostrophe.
std::string csv_row(const std::vector<std::string>& cells);
std::string defects_csv_head();
std::string defect_csv_row(const boundary::Defect& defect, const std::map<std::string, std::string>& titles);
Response render_template(const boundary::CatalogDescription& catalog);

// Requests' JSON. Empty: not an object with exactly the wanted text members (optional ones may be missing), or a
// member too long. Errors name the first fault in `fault`, for XF-1109.
std::optional<std::map<std::string, std::string>> parse_texts(std::string_view body,
                                                              const std::vector<std::string>& wanted,
                                                              const std::vector<std::string>& optional,
                                                              std::string& fault);

// "2026-07-01T08:30:00.000Z"
std::string render_time(std::int64_t milliseconds);

}  // namespace xinfu::gateway
