// Access: what each role may do, which roles no natural person may hold together, and which acts need a second
// person. What no grant covers is denied; there is nothing else to decide.
//
// Threads: immutable once loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/pack.hpp"
#include "policies/password_policy.hpp"

namespace xinfu::policies {

// Acts that a grant may name. The pack's words are these.
namespace verb {
inline constexpr std::string_view submit = "submit";                    // PUT of a signed file
inline constexpr std::string_view check = "check";                      // POST /v1/checks
inline constexpr std::string_view relay = "relay";                      // PUT of a parcel, for one of the node's units
inline constexpr std::string_view query = "query";                      // records by subject
inline constexpr std::string_view extract = "extract";                  // all records of a catalog, by its feed
inline constexpr std::string_view read_submission = "read_submission";  // state, counts, acknowledgements
inline constexpr std::string_view read_receipt = "read_receipt";
inline constexpr std::string_view read_defects = "read_defects";
inline constexpr std::string_view read_original = "read_original";
inline constexpr std::string_view read_catalogs = "read_catalogs";
inline constexpr std::string_view read_checkpoint = "read_checkpoint";  // checkpoint and hash tiles
inline constexpr std::string_view read_entries = "read_entries";        // what the log's leaves say
inline constexpr std::string_view search_log = "search_log";            // the same by what they say, with their texts
inline constexpr std::string_view trace_record = "trace_record";        // all that is known of how a record came to be
inline constexpr std::string_view read_route = "read_route";
inline constexpr std::string_view read_status = "read_status";
inline constexpr std::string_view read_quality = "read_quality";  // figures of what units hand in
inline constexpr std::string_view open_session = "open_session";
inline constexpr std::string_view read_accounts = "read_accounts";
inline constexpr std::string_view request_account = "request_account";  // to open or change one
inline constexpr std::string_view decide_account = "decide_account";    // on such a request
inline constexpr std::string_view disable_account = "disable_account";
inline constexpr std::string_view read_requests = "read_requests";
inline constexpr std::string_view read_policies = "read_policies";    // the packs in force, and paths
inline constexpr std::string_view request_policy = "request_policy";  // to put others in force
inline constexpr std::string_view decide_policy = "decide_policy";
inline constexpr std::string_view decide_submission = "decide_submission";  // on a file that waits
inline constexpr std::string_view request_unmasking = "request_unmasking";  // of one subject's records
inline constexpr std::string_view decide_unmasking = "decide_unmasking";
inline constexpr std::string_view request_recovery = "request_recovery";  // when nobody can ask or decide any more
inline constexpr std::string_view decide_recovery = "decide_recovery";
inline constexpr std::string_view witness = "witness";  // to have a log's checkpoint co-signed
inline constexpr std::string_view all[] = {submit,
                                           check,
                                           relay,
                                           query,
                                           extract,
                                           read_submission,
                                           read_receipt,
                                           read_defects,
                                           read_original,
                                           read_catalogs,
                                           read_checkpoint,
                                           read_entries,
                                           search_log,
                                           trace_record,
                                           read_route,
                                           read_status,
                                           read_quality,
                                           open_session,
                                           read_accounts,
                                           request_account,
                                           decide_account,
                                           disable_account,
                                           read_requests,
                                           read_policies,
                                           request_policy,
                                           decide_policy,
                                           decide_submission,
                                           request_unmasking,
                                           decide_unmasking,
                                           request_recovery,
                                           decide_recovery,
                                           witness};
}  // namespace verb

enum class Scope { own_unit, node_units, all };           // whose affairs a grant covers
enum class Relation { own_unit, node_unit, other_unit };  // whose affair the object is, seen from the account

struct Grant {
    std::string verb;
    std::string catalog;  // "*": every catalog, and acts that concern none
    Scope scope = Scope::own_unit;
    std::vector<std::string> fields{};  // of extract: the classes of fields shown, of field_class::all
};

// Whom fields are for (catalog packs' `visibility`). There is a fourth class, secret, which no grant can name.
namespace field_class {
inline constexpr std::string_view everyone = "public";        // 社会公开
inline constexpr std::string_view government = "government";  // 政务共享
inline constexpr std::string_view authorised = "authorised";  // 授权查询
inline constexpr std::string_view all[] = {everyone, government, authorised};
}  // namespace field_class

struct Role {
    std::string name;
    std::string title;
    std::string title_zh;
    std::string kind;  // machine, person, platform
    std::vector<Grant> grants;
    bool administrator = false;  // under the stricter rule of passwords
};

// How an approval is given: by a password typed again for one digest, or by a signature over it, which not even an
// owned gateway can make.
enum class Strength { session, signature };

// An act that happens only when others than its applicant approve of it.
struct ApprovalRule {
    std::string act;  // of act::all
    Strength strength = Strength::signature;
    std::uint32_t approvers = 1;  // different natural persons
    std::chrono::hours valid{};   // from the request on
};
inline constexpr std::uint32_t kApproversMax = 9;
inline constexpr std::chrono::hours kApprovalValidMax{24 * 366};

namespace act {
inline constexpr std::string_view account = "account";  // opening or changing one
inline constexpr std::string_view recover = "recover";  // the same, when nobody could ask for it or decide on it
inline constexpr std::string_view policy = "policy";    // which packs are in force
inline constexpr std::string_view paths = "paths";      // listeners and routes
inline constexpr std::string_view submit = "submit";    // of a file that a catalog lets wait
inline constexpr std::string_view correct = "correct";  // the same of one that changes records
inline constexpr std::string_view unmask = "unmask";    // personal fields of one subject's records, once
inline constexpr std::string_view all[] = {account, recover, policy, paths, submit, correct, unmask};
}  // namespace act

struct AccessPolicy {
    std::vector<Role> roles;
    std::vector<std::vector<std::string>> exclusions;  // no natural person may hold two of one set
    std::vector<ApprovalRule> approvals;               // an act without a rule cannot be requested
    PasswordRules passwords;

    const Role* find(std::string_view role) const;
    const ApprovalRule* approval_of(std::string_view act) const;
};

Loaded<AccessPolicy> load_access(std::string_view yaml);

struct Decision {
    bool permit = false;
    std::string rule;  // the grant that permits, as "role: verb catalog scope"; "no grant" when denied
};

// Total: unknown roles, verbs and catalogs are simply granted nothing. `catalog` is empty for acts that
// concern none; only grants for "*" cover those.
Decision decide(const AccessPolicy& policy, std::span<const std::string> roles, std::string_view verb,
                std::string_view catalog, Relation relation);

// The classes of fields that these roles may extract of such records: those of all grants that cover it, each once, in
// the order of field_class::all. Empty: denied.
std::vector<std::string_view> extractable(const AccessPolicy& policy, std::span<const std::string> roles,
                                          std::string_view catalog, Relation relation);

// The first two of a natural person's roles that exclude each other; both empty when none do. Every pair of
// different roles inside an exclusion set is exclusive.
struct Conflict {
    std::string first;
    std::string second;
};
Conflict find_conflict(const AccessPolicy& policy, std::span<const std::string> roles);

// The rule of passwords for whoever holds these roles: the stricter one for an administrator, and for whoever may ask
// for personal fields as they are. A role that the pack does not have counts as an administrator's.
const PasswordPolicy& password_policy_of(const AccessPolicy& policy, std::span<const std::string> roles);

std::string_view name(Scope scope);
bool parse_scope(std::string_view text, Scope& scope);
std::string_view name(Strength strength);
bool parse_strength(std::string_view text, Strength& strength);

}  // namespace xinfu::policies
