// Routes: which act a method and a path ask for.
//
// Threads: a function without state.
// Trust:   method and path are hostile; what comes out is checked for its form.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "daemon/gateway/target.hpp"

namespace xinfu::gateway {

enum class Act {
    put_submission,  // first: catalog, second: name
    check,           // first: catalog
    get_submission,  // first: id, as in the next three
    get_receipt,
    get_defects,
    get_original,
    list_catalogs,
    get_catalog,    // first: catalog
    get_template,   // first: catalog
    query_records,  // first: catalog
    get_route,      // first: route
    read_checkpoint,
    read_tile,
    read_entries,
    search_log,
    trace_record,  // first: the record's name
    open_session,
    close_session,
    get_status,
    read_quality,              // first: "YYYY-MM", empty: the current month
    get_envelope_certificate,  // first: envelope, envelope-rsa
    describe_uploads,
    open_upload,
    get_upload,  // first: id, as in the next two
    append_upload,
    drop_upload,
    list_requests,
    open_request,
    get_request,  // first: id, as in the next two
    get_approval,
    decide_request,
    list_accounts,
    get_account,  // first: id, as in the next
    disable_account,
    list_policies,
    get_policy,  // first: digest
    get_paths,
    add_checkpoint,
    read_feed,  // first: catalog
};

struct Route {
    Act act;
    std::string first;
    std::string second;
    TileAddress tile;
    std::string query{};  // as it came, for acts that have parameters
};

// Why there is no act: a code of policies/codes.hpp with its argument, and what Allow says for 405.
struct NoRoute {
    std::string_view code;
    std::string argument;
    std::string allow;
};

std::variant<Route, NoRoute> find_route(std::string_view method, std::string_view target);

}  // namespace xinfu::gateway
