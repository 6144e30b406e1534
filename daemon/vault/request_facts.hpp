// What the rows of requests mean: for policies/approvals.hpp, for leaves, for people.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/vault/principal.hpp"
#include "policies/approvals.hpp"
#include "storage/leaf.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {

// 1 to 2000 bytes of UTF-8 without control characters: it is shown in terminals.
bool is_reason(const std::string& text);

// The verbs that let somebody ask for an act and decide on requests for it; empty: nobody may.
std::string_view requesting_verb(std::string_view act);
std::string_view deciding_verb(std::string_view act);
// The catalog whose affair it is; empty: none's.
std::string catalog_of(const storage::rows::ApprovalRequest& row);

policies::Party party_of(const Principal& principal);
policies::RequestFacts facts_of(const storage::rows::ApprovalRequest& row,
                                const std::vector<storage::rows::RequestDecision>& approvals);
// open, expired, executed, rejected
std::string_view state_of(const storage::rows::ApprovalRequest& row, storage::Milliseconds now);
storage::LeafObject object_of(const storage::RequestId& id, const storage::rows::ApprovalRequest& row);

// The change as it is shown and as its digest is made: canonical JSON.
std::string change_json(const storage::rows::ApprovalRequest& row, std::string_view node);
// What an approver signs: canonical JSON of this node, this request and its digest.
std::string approval_statement(std::string_view node, const storage::RequestId& id,
                               const storage::rows::ApprovalRequest& row);

}  // namespace xinfu::vault
