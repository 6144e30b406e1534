#include "daemon/vault/request_facts.hpp"

#include <algorithm>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/account_change.hpp"
#include "daemon/vault/approved_file.hpp"
#include "daemon/vault/paths_change.hpp"
#include "daemon/vault/policy_change.hpp"
#include "daemon/vault/unmasking.hpp"

namespace xinfu::vault {
namespace {

using storage::rows::ApprovalRequest;
using storage::rows::RequestDecision;
namespace verb = policies::verb;

constexpr std::size_t kReasonBytesMax = 2000;

policies::Instant instant(std::int64_t ms) {
    return policies::Instant{std::chrono::milliseconds{ms}};
}

}  // namespace

bool is_reason(const std::string& text) {
    return !text.empty() && text.size() <= kReasonBytesMax && crypto::is_utf8(text) &&
           std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// The verb that lets somebody decide on requests for this act.
std::string_view deciding_verb(std::string_view act) {
    return act == policies::act::account                                   ? verb::decide_account
           : act == policies::act::recover                                 ? verb::decide_recovery
           : act == policies::act::policy || act == policies::act::paths   ? verb::decide_policy
           : act == policies::act::submit || act == policies::act::correct ? verb::decide_submission
           : act == policies::act::unmask                                  ? verb::decide_unmasking
                                                                           : std::string_view{};
}

// And that lets somebody ask for it.
std::string_view requesting_verb(std::string_view act) {
    return act == policies::act::account   ? verb::request_account
           : act == policies::act::recover ? verb::request_recovery
           : act == policies::act::policy  ? verb::request_policy
           : act == policies::act::paths   ? verb::request_policy
           : act == policies::act::unmask  ? verb::request_unmasking
                                           : std::string_view{};
}

std::string catalog_of(const ApprovalRequest& row) {
    return row.has_submission() ? row.submission().catalog()
           : row.has_unmask()   ? row.unmask().catalog()
                                : std::string();
}

policies::Party party_of(const Principal& principal) {
    return {principal.account, principal.person};
}

policies::RequestFacts facts_of(const ApprovalRequest& row, const std::vector<RequestDecision>& approvals) {
    policies::RequestFacts facts;
    facts.open = row.state() == ApprovalRequest::OPEN;
    facts.applicant = {row.applicant(), row.applicant_person()};
    for (const auto& decision : approvals) {
        facts.approved_by.push_back({decision.account(), decision.person()});
    }
    facts.created = instant(row.created_ms());
    facts.expires = instant(row.expires_ms());
    return facts;
}

std::string_view state_of(const ApprovalRequest& row, storage::Milliseconds now) {
    switch (row.state()) {
        case ApprovalRequest::EXECUTED: return "executed";
        case ApprovalRequest::REJECTED: return "rejected";
        case ApprovalRequest::EXPIRED: return "expired";
        default: return now.time_since_epoch().count() >= row.expires_ms() ? "expired" : "open";
    }
}

storage::LeafObject object_of(const storage::RequestId& id, const ApprovalRequest& row) {
    storage::LeafObject object;
    object.type = "request";
    object.id = storage::to_text(id);
    crypto::Digest digest{};
    if (row.digest().size() == digest.size()) {
        std::ranges::copy(as_bytes(row.digest()), digest.begin());
        object.digest = digest;
    }
    return object;
}

std::string change_json(const ApprovalRequest& row, std::string_view node) {
    return row.has_account()      ? account_change_json(row.account(), row.act(), node)
           : row.has_policy()     ? policy_change_json(row.policy(), node)
           : row.has_submission() ? submission_change_json(row.submission(), row.act(), node)
           : row.has_unmask()     ? unmask_change_json(row.unmask(), node)
           : row.has_paths()      ? paths_change_json(row.paths(), node)
                                  : std::string();
}

std::string approval_statement(std::string_view node, const storage::RequestId& id, const ApprovalRequest& row) {
    crypto::JsonObject statement;
    statement.text("act", row.act())
        .text("decision", "approve")
        .text("digest", to_hex(as_bytes(row.digest())))
        .text("node", node)
        .text("request", storage::to_text(id));
    return statement.encode();
}

}  // namespace xinfu::vault
