#include <array>
#include <chrono>
#include <cstdio>

#include <boost/json.hpp>

#include "daemon/gateway/json_parts.hpp"
#include "daemon/gateway/render.hpp"
#include "policies/codes.hpp"
#include "policies/values.hpp"

namespace xinfu::gateway {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kRetryAfterSeconds = 5;  // where the vault names no time
constexpr std::size_t kJsonDepthMax = 4;
constexpr std::size_t kTextBytesMax = 4096;  // of one member of a request

std::vector<std::string> arguments_of(const google::protobuf::RepeatedPtrField<std::string>& arguments) {
    return {arguments.begin(), arguments.end()};
}

std::string_view retry_word(policies::Retry retry) {
    switch (retry) {
        case policies::Retry::never: return "never";
        case policies::Retry::same: return "same";
        case policies::Retry::later: return "later";
    }
    return "never";
}

json::object defect_object(const boundary::Defect& defect) {
    json::object object;
    object["line"] = defect.line();
    object["field"] = safe(defect.field());
    object["code"] = safe(defect.code());
    object["severity"] = defect.severity() == boundary::SEVERITY_WARNING ? "warning" : "error";
    const auto* text = policies::find_code(defect.code());
    const auto arguments = arguments_of(defect.arguments());
    object["detail"] = safe(text ? policies::fill_in(text->detail, arguments) : defect.code());
    object["detail_zh"] = safe(text ? policies::fill_in(text->detail_zh, arguments) : defect.code());
    if (!defect.masked_value().empty()) {
        object["value"] = safe(defect.masked_value());
    }
    return object;
}

json::object counts_object(const boundary::Counts& counts) {
    return {{"records", counts.records()},
            {"stored", counts.stored()},
            {"duplicate", counts.duplicate()},
            {"defective", counts.defective()},
            {"warned", counts.warned()}};
}

json::object problem_object(const boundary::Problem& problem) {
    json::object object;
    const auto* text = policies::find_code(problem.code());
    const auto arguments = arguments_of(problem.arguments());
    object["title"] = safe(text ? text->title : "Fault in the node");
    object["title_zh"] = safe(text ? text->title_zh : "节点内部故障");
    object["status"] = text && text->http_status != 0 ? text->http_status : 500;
    object["code"] = safe(problem.code());
    object["detail"] = safe(text ? policies::fill_in(text->detail, arguments) : problem.code());
    object["detail_zh"] = safe(text ? policies::fill_in(text->detail_zh, arguments) : problem.code());
    object["retry"] = safe(text ? retry_word(text->retry) : "same");
    if (text && !text->remedy.empty()) {
        object["remedy"] = safe(policies::fill_in(text->remedy, arguments));
        object["remedy_zh"] = safe(policies::fill_in(text->remedy_zh, arguments));
    }
    return object;
}

Response problem_response(const boundary::Problem& problem, json::object object) {
    const auto status = static_cast<unsigned>(object.at("status").to_number<int>());
    Response response{.status = status,
                      .content_type = "application/problem+json",
                      .body = json::serialize(object) + "\n",
                      .headers = {},
                      .close = status == 401};
    const auto* text = policies::find_code(problem.code());
    if (problem.retry_after_seconds() != 0 || (text && text->retry == policies::Retry::later) || status == 503) {
        const auto seconds = problem.retry_after_seconds() != 0 ? problem.retry_after_seconds() : kRetryAfterSeconds;
        response.headers.emplace_back("Retry-After", std::to_string(seconds));
    }
    return response;
}

void add_defects(json::object& object, const OutcomeDetails& details, const boundary::SubmissionOutcome& outcome) {
    json::array defects;
    for (const auto& defect : details.defects) {
        defects.push_back(defect_object(defect));
    }
    json::array warnings;
    for (const auto& warning : details.warnings) {
        warnings.push_back(defect_object(warning));
    }
    object["defects"] = std::move(defects);
    object["defects_total"] = outcome.defects_total();
    object["warnings"] = std::move(warnings);
    object["warnings_total"] = outcome.warnings_total();
}

json::object catalog_object(const boundary::CatalogDescription& catalog) {
    json::object object{{"name", safe(catalog.name())},
                        {"version", safe(catalog.version())},
                        {"title", safe(catalog.title())},
                        {"title_zh", safe(catalog.title_zh())}};
    const auto date = [](std::int32_t day) { return policies::date_text(policies::Day{std::chrono::days{day}}); };
    if (catalog.has_effective_from()) {
        object["effective_from"] = date(catalog.effective_from());
    }
    if (catalog.has_effective_until()) {
        object["effective_until"] = date(catalog.effective_until());
    }
    return object;
}

json::array texts(const google::protobuf::RepeatedPtrField<std::string>& values) {
    json::array array;
    for (const auto& value : values) {
        array.push_back(safe(value));
    }
    return array;
}

std::string hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

}  // namespace

boundary::Problem make_problem(std::string_view code, std::vector<std::string> arguments,
                               std::uint32_t retry_after_seconds) {
    boundary::Problem problem;
    problem.set_code(std::string(code));
    for (auto& argument : arguments) {
        problem.add_arguments(std::move(argument));
    }
    problem.set_retry_after_seconds(retry_after_seconds);
    return problem;
}

std::string render_time(std::int64_t milliseconds) {
    using namespace std::chrono;
    const sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(milliseconds)};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    std::array<char, 64> text{};
    const int length =
        std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string quote_json(std::string_view text) {
    return json::serialize(safe(text));
}

std::string render_defect(const boundary::Defect& defect) {
    return json::serialize(defect_object(defect));
}

Response render_problem(const boundary::Problem& problem) {
    return problem_response(problem, problem_object(problem));
}

Response render_outcome(const boundary::SubmissionOutcome& outcome, const OutcomeDetails& details) {
    using Outcome = boundary::SubmissionOutcome;
    const std::string location = outcome.id().empty() ? std::string{} : "/v1/submissions/" + outcome.id();
    Response response;
    if (outcome.kind() == Outcome::REFUSED) {
        auto object = problem_object(outcome.problem());
        object["receipt"] = safe(outcome.receipt());
        if (!outcome.id().empty()) {
            object["id"] = safe(outcome.id());
        }
        object["counts"] = counts_object(outcome.counts());
        add_defects(object, details, outcome);
        response = problem_response(outcome.problem(), std::move(object));
    } else if (outcome.kind() == Outcome::CHECKED) {
        json::object object;
        object["accepted"] = outcome.defects_total() == 0 && outcome.problem().code().empty();
        if (!outcome.problem().code().empty()) {
            object["problem"] = problem_object(outcome.problem());
        }
        object["counts"] = counts_object(outcome.counts());
        add_defects(object, details, outcome);
        if (!outcome.receipt().empty()) {
            object["receipt"] = safe(outcome.receipt());
        }
        return json_response(object);
    } else {
        response.status = outcome.kind() == Outcome::CREATED ? 201 : outcome.kind() == Outcome::PENDING ? 202 : 200;
        response.content_type = "text/plain; charset=utf-8";
        response.body = outcome.receipt();
    }
    if (!location.empty()) {
        response.headers.emplace_back("Location", location);
    }
    return response;
}

Response render_submission(const boundary::SubmissionView& view) {
    json::object object;
    object["id"] = safe(view.id());
    object["catalog"] = safe(view.catalog());
    object["name"] = safe(view.name());
    object["state"] = safe(view.state());
    object["counts"] = counts_object(view.counts());
    object["signer"] = safe(view.signer());
    object["unit"] = safe(view.unit());
    if (!view.request().empty()) {
        object["request"] = safe(view.request());
    }
    object["digest"] = safe(view.digest());
    object["leaf"] = view.leaf();
    object["time"] = time_or_null(view.time_ms());
    json::array acknowledgements;
    for (const auto& acknowledgement : view.acknowledgements()) {
        json::object level;
        level["level"] = safe(acknowledgement.level());
        level["node"] = safe(acknowledgement.node());
        level["state"] = safe(acknowledgement.state());
        level["time"] = time_or_null(acknowledgement.time_ms());
        level["receipt"] = acknowledgement.receipt().empty() ? json::value(nullptr) : safe(acknowledgement.receipt());
        acknowledgements.push_back(std::move(level));
    }
    object["acknowledgements"] = std::move(acknowledgements);
    if (!view.problem().code().empty()) {
        object["problem"] = problem_object(view.problem());
    }
    return json_response(object);
}

Response render_catalogs(const std::vector<boundary::CatalogDescription>& catalogs) {
    json::array array;
    for (const auto& catalog : catalogs) {
        array.push_back(catalog_object(catalog));
    }
    return json_response({{"catalogs", std::move(array)}});
}

Response render_catalog(const boundary::CatalogDescription& catalog) {
    auto object = catalog_object(catalog);
    object["pack_digest"] = safe(hex(catalog.pack_digest()));
    json::array fields;
    for (const auto& field : catalog.fields()) {
        json::object description;
        description["code"] = safe(field.code());
        description["title"] = safe(field.title());
        description["title_zh"] = safe(field.title_zh());
        description["type"] = safe(field.type());
        if (field.length_max() != 0) {
            description["length_max"] = field.length_max();
        }
        description["required"] = safe(field.required());
        if (field.values_size() != 0) {
            description["values"] = texts(field.values());
        }
        if (!field.rule().empty()) {
            description["rule"] = safe(field.rule());
        }
        if (!field.rule_zh().empty()) {
            description["rule_zh"] = safe(field.rule_zh());
        }
        description["visibility"] = safe(field.visibility());
        if (!field.mask().empty()) {
            description["mask"] = safe(field.mask());
        }
        fields.push_back(std::move(description));
    }
    object["fields"] = std::move(fields);
    object["identity_fields"] = texts(catalog.identity_fields());
    object["subject_field"] = safe(catalog.subject_field());
    object["deciding_unit_field"] = safe(catalog.deciding_unit_field());
    object["source_unit_field"] = safe(catalog.source_unit_field());
    object["defective_records"] = catalog.accept_valid() ? "accept_valid" : "refuse_file";
    object["approvals"] = texts(catalog.approvals());
    return json_response(object);
}

Response render_route(const boundary::RouteView& view) {
    json::array missing;
    for (const auto& range : view.missing()) {
        missing.push_back(json::object{{"first", range.first()}, {"last", range.last()}});
    }
    return json_response(
        {{"route", safe(view.route())}, {"next_sequence", view.next_sequence()}, {"missing", std::move(missing)}});
}

Response render_status(const boundary::StatusView& view) {
    json::object object;
    object["node"] = safe(view.node());
    object["version"] = safe(view.version());
    object["suite"] = safe(view.suite());
    object["state"] = safe(view.state());
    object["log_size"] = view.log_size();
    object["log_key"] = safe(view.log_key());
    object["witness_key"] = safe(view.witness_key());
    if (view.has_cosigned_size()) {
        object["cosigned_size"] = view.cosigned_size();
    }
    object["backlog"] = view.backlog();
    object["started"] = time_or_null(view.started_ms());
    json::array links;
    for (const auto& link : view.links()) {
        json::object entry;
        entry["route"] = safe(link.route());
        entry["node"] = safe(link.node());
        entry["url"] = safe(link.url());
        entry["state"] = safe(link.state());
        entry["backlog"] = link.backlog();
        entry["backlog_limit"] = link.backlog_limit();
        entry["next_sequence"] = link.next_sequence();
        entry["delivered"] = link.delivered();
        entry["oldest"] = time_or_null(link.oldest_ms());
        entry["last_success"] = time_or_null(link.last_success_ms());
        if (!link.last_problem().code().empty()) {
            entry["last_problem"] = problem_object(link.last_problem());
        }
        links.push_back(std::move(entry));
    }
    object["links"] = std::move(links);
    json::array warnings;
    for (const auto& warning : view.warnings()) {
        warnings.push_back(problem_object(warning));
    }
    object["warnings"] = std::move(warnings);
    return json_response(object);
}

Response render_session(const boundary::SessionOpened& session) {
    json::object object{{"token", safe(session.token())},
                        {"expires", time_or_null(session.expires_ms())},
                        {"password_change_needed", session.password_change_needed()}};
    if (session.has_password_days_left()) {
        object["password_days_left"] = session.password_days_left();
    }
    auto response = json_response(object, 201);
    // "__Host-": only ever sent back to this very host, over TLS.
    response.headers.emplace_back("Set-Cookie",
                                  "__Host-xinfu=" + session.token() + "; Path=/; Secure; HttpOnly; SameSite=Strict");
    return response;
}

Response render_records(const boundary::RecordsResult& result, const std::vector<std::string>& records) {
    std::string body = "{\"records\":[";
    for (std::size_t n = 0; n < records.size(); ++n) {
        body += n == 0 ? "" : ",";
        body += records[n];
    }
    body += "],\"count\":" + std::to_string(result.count()) + ",\"receipt\":" + quote_json(result.receipt()) + "}\n";
    return {.status = 200, .content_type = "application/json", .body = std::move(body), .headers = {}, .close = false};
}

Response render_quality(const boundary::QualityReport& quality, const std::string& report) {
    return {.status = 200,
            .content_type = "application/json",
            .body = "{\"report\":" + report + ",\"receipt\":" + quote_json(quality.receipt()) + "}\n",
            .headers = {},
            .close = false};
}

Response render_log_page(const boundary::LogPage& page, const std::string& entries) {
    const std::string next = page.has_next() ? std::to_string(page.next()) : "null";
    return {
        .status = 200,
        .content_type = "application/json",
        .body = "{\"entries\":" + entries + ",\"next\":" + next + ",\"receipt\":" + quote_json(page.receipt()) + "}\n",
        .headers = {},
        .close = false};
}

Response render_trace(const boundary::TraceView& trace, const std::string& story) {
    return {.status = 200,
            .content_type = "application/json",
            .body = "{\"trace\":" + story + ",\"receipt\":" + quote_json(trace.receipt()) + "}\n",
            .headers = {},
            .close = false};
}

std::optional<std::map<std::string, std::string>> parse_texts(std::string_view body,
                                                              const std::vector<std::string>& wanted,
                                                              const std::vector<std::string>& optional,
                                                              std::string& fault) {
    json::parse_options options;
    options.max_depth = kJsonDepthMax;
    boost::system::error_code error;
    const auto value = json::parse(body, error, {}, options);
    if (error || !value.is_object()) {
        fault = "an object is expected";
        return std::nullopt;
    }
    std::map<std::string, std::string> found;
    const auto take = [&](const std::string& name) {
        const auto* member = value.as_object().if_contains(name);
        if (!member) {
            return false;
        }
        if (!member->is_string() || member->as_string().size() > kTextBytesMax) {
            fault = name;
            return false;
        }
        found[name] = std::string(member->as_string());
        return true;
    };
    for (const auto& name : wanted) {
        if (!take(name)) {
            fault = name;
            return std::nullopt;
        }
    }
    for (const auto& name : optional) {
        if (!take(name) && !fault.empty()) {
            return std::nullopt;
        }
    }
    if (found.size() != value.as_object().size()) {
        fault = "a member that is not known";
        return std::nullopt;
    }
    return found;
}

}  // namespace xinfu::gateway
