// Management: accounts and approval requests as JSON, both ways.
//
// Format:  docs/formats/requests.md.
// Threads: functions without state.
// Trust:   bodies are hostile; what comes out has the right members and types, and no more is known of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/gateway/response.hpp"

namespace xinfu::gateway {

// A request for an act. Empty: `fault` names what is wrong, for XF-1109.
std::optional<boundary::OpenRequest> parse_request(std::string_view body, std::string& fault);

// A search of the log. Empty: as above.
std::optional<boundary::SearchLog> parse_search(std::string_view body, std::string& fault);

Response render_request(const boundary::RequestView& view, unsigned status);
Response render_requests(const std::vector<boundary::RequestView>& views);
Response render_account(const boundary::AccountView& view);
Response render_accounts(const std::vector<boundary::AccountView>& views);
Response render_policies(const boundary::PolicyView& view);
Response render_clearance(const boundary::ClearanceSlip& slip);

}  // namespace xinfu::gateway
