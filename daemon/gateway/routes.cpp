#include "daemon/gateway/routes.hpp"

#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace xinfu::gateway {
namespace {

struct Candidate {
    std::string_view method;
    Route route;
};

// What a path can be asked; empty: the path is none. `bad_name` is set when only the name is at fault.
std::vector<Candidate> candidates(std::span<const std::string> path, bool& bad_name) {
    const std::size_t size = path.size();
    if (size < 2 || path[0] != "v1") {
        return {};
    }
    const std::string& family = path[1];
    const auto one = [](std::string_view method, Act act, std::string first = {}, std::string second = {}) {
        return std::vector<Candidate>{
            {method, Route{.act = act, .first = std::move(first), .second = std::move(second), .tile = {}}}};
    };
    if (family == "submissions" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::get_submission, path[2]);
    }
    if (family == "submissions" && size == 4 && is_identifier(path[2])) {
        // The second segment is a catalog for PUT and an id for GET; both are identifiers.
        std::vector<Candidate> found;
        if (is_submission_name(path[3])) {
            found = one("PUT", Act::put_submission, path[2], path[3]);
        } else {
            bad_name = true;
        }
        const std::pair<std::string_view, Act> parts[] = {
            {"receipt", Act::get_receipt}, {"defects", Act::get_defects}, {"original", Act::get_original}};
        for (const auto& [name, act] : parts) {
            if (path[3] == name) {
                found.push_back({"GET", Route{.act = act, .first = path[2], .second = {}, .tile = {}}});
            }
        }
        return found;
    }
    if (family == "checks" && size == 3 && is_identifier(path[2])) {
        return one("POST", Act::check, path[2]);
    }
    if (family == "catalogs" && size == 2) {
        return one("GET", Act::list_catalogs);
    }
    if (family == "catalogs" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::get_catalog, path[2]);
    }
    if (family == "catalogs" && size == 4 && is_identifier(path[2]) && path[3] == "template.csv") {
        return one("GET", Act::get_template, path[2]);
    }
    if (family == "records" && size == 4 && is_identifier(path[2]) && path[3] == "query") {
        return one("POST", Act::query_records, path[2]);
    }
    if (family == "feeds" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::read_feed, path[2]);
    }
    if (family == "routes" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::get_route, path[2]);
    }
    if (family == "session" && size == 2) {
        auto found = one("POST", Act::open_session);
        found.push_back({"DELETE", Route{.act = Act::close_session, .first = {}, .second = {}, .tile = {}}});
        return found;
    }
    if (family == "uploads" && (size == 2 || (size == 3 && is_identifier(path[2])))) {
        auto found = one("OPTIONS", Act::describe_uploads);
        if (size == 2) {
            found.push_back({"POST", Route{.act = Act::open_upload, .first = {}, .second = {}, .tile = {}}});
            return found;
        }
        for (const auto& [method, act] : {std::pair{"HEAD", Act::get_upload}, std::pair{"PATCH", Act::append_upload},
                                          std::pair{"DELETE", Act::drop_upload}}) {
            found.push_back({method, Route{.act = act, .first = path[2], .second = {}, .tile = {}}});
        }
        return found;
    }
    if (family == "requests" && size == 2) {
        auto found = one("GET", Act::list_requests);
        found.push_back({"POST", Route{.act = Act::open_request, .first = {}, .second = {}, .tile = {}}});
        return found;
    }
    if (family == "requests" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::get_request, path[2]);
    }
    if (family == "requests" && size == 4 && is_identifier(path[2]) && path[3] == "approval") {
        return one("GET", Act::get_approval, path[2]);
    }
    if (family == "requests" && size == 4 && is_identifier(path[2]) && path[3] == "decision") {
        return one("POST", Act::decide_request, path[2]);
    }
    if (family == "paths" && size == 2) {
        return one("GET", Act::get_paths);
    }
    if (family == "policies" && size == 2) {
        return one("GET", Act::list_policies);
    }
    if (family == "policies" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::get_policy, path[2]);
    }
    if (family == "accounts" && size == 2) {
        return one("GET", Act::list_accounts);
    }
    if (family == "accounts" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::get_account, path[2]);
    }
    if (family == "accounts" && size == 4 && is_identifier(path[2]) && path[3] == "disable") {
        return one("POST", Act::disable_account, path[2]);
    }
    if (family == "status" && size == 2) {
        return one("GET", Act::get_status);
    }
    if (family == "quality" && (size == 2 || (size == 3 && parse_month(path[2])))) {
        return one("GET", Act::read_quality, size == 3 ? path[2] : std::string{});
    }
    if (family == "certificates" && size == 3 && (path[2] == "envelope" || path[2] == "envelope-rsa")) {
        return one("GET", Act::get_envelope_certificate, path[2]);
    }
    if (family == "log" && size == 3 && path[2] == "checkpoint") {
        return one("GET", Act::read_checkpoint);
    }
    if (family == "log" && size == 4 && path[2] == "witness" && path[3] == "add-checkpoint") {
        return one("POST", Act::add_checkpoint);
    }
    if (family == "log" && size == 3 && path[2] == "search") {
        return one("POST", Act::search_log);
    }
    if (family == "trace" && size == 3 && is_identifier(path[2])) {
        return one("GET", Act::trace_record, path[2]);
    }
    if (family == "log" && size >= 5 && path[2] == "tile") {
        const bool entries = path[3] == "entries";
        const auto level = entries ? std::optional<std::uint32_t>(0) : parse_tile_level(path[3]);
        auto tile = parse_tile(path.subspan(4));
        if (level && tile) {
            tile->level = *level;
            return {
                {"GET",
                 Route{.act = entries ? Act::read_entries : Act::read_tile, .first = {}, .second = {}, .tile = *tile}}};
        }
    }
    return {};
}

}  // namespace

std::variant<Route, NoRoute> find_route(std::string_view method, std::string_view target) {
    auto parsed = parse_target(target);
    if (!parsed) {
        return NoRoute{.code = "XF-1111", .argument = {}, .allow = {}};
    }
    bool bad_name = false;
    auto found = candidates(parsed->segments, bad_name);
    if (found.empty() && bad_name && method == "PUT") {
        return NoRoute{.code = "XF-1110", .argument = {}, .allow = {}};
    }
    if (found.empty()) {
        return NoRoute{.code = "XF-1105", .argument = {}, .allow = {}};
    }
    std::string allow;
    for (auto& candidate : found) {
        if (candidate.method == method) {
            candidate.route.query = std::move(parsed->query);
            return std::move(candidate.route);
        }
        allow += (allow.empty() ? "" : ", ") + std::string(candidate.method);
    }
    return NoRoute{.code = "XF-1104", .argument = std::string(method.substr(0, 32)), .allow = std::move(allow)};
}

}  // namespace xinfu::gateway
