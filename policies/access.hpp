// Access: what each role may do, and which roles no natural person may hold together. What no grant covers is
// denied; there is nothing else to decide.
//
// Threads: immutable once loaded.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/pack.hpp"

namespace xinfu::policies {

// Acts that a grant may name. The pack's words are these.
namespace verb {
inline constexpr std::string_view submit = "submit";                    // PUT of a signed file
inline constexpr std::string_view check = "check";                      // POST /v1/checks
inline constexpr std::string_view relay = "relay";                      // PUT of a parcel, for one of the node's units
inline constexpr std::string_view query = "query";                      // records by subject
inline constexpr std::string_view read_submission = "read_submission";  // state, counts, acknowledgements
inline constexpr std::string_view read_receipt = "read_receipt";
inline constexpr std::string_view read_defects = "read_defects";
inline constexpr std::string_view read_original = "read_original";
inline constexpr std::string_view read_catalogs = "read_catalogs";
inline constexpr std::string_view read_checkpoint = "read_checkpoint";  // checkpoint and hash tiles
inline constexpr std::string_view read_entries = "read_entries";        // what the log's leaves say
inline constexpr std::string_view read_route = "read_route";
inline constexpr std::string_view read_status = "read_status";
inline constexpr std::string_view read_quality = "read_quality";  // figures of what units hand in
inline constexpr std::string_view open_session = "open_session";
inline constexpr std::string_view all[] = {submit,       check,        relay,         query,         read_submission,
                                           read_receipt, read_defects, read_original, read_catalogs, read_checkpoint,
                                           read_entries, read_route,   read_status,   read_quality,  open_session};
}  // namespace verb

enum class Scope { own_unit, node_units, all };           // whose affairs a grant covers
enum class Relation { own_unit, node_unit, other_unit };  // whose affair the object is, seen from the account

struct Grant {
    std::string verb;
    std::string catalog;  // "*": every catalog, and acts that concern none
    Scope scope = Scope::own_unit;
};

struct Role {
    std::string name;
    std::string title;
    std::string title_zh;
    std::string kind;  // machine, person, platform
    std::vector<Grant> grants;
    bool unmasked = false;  // sees personal fields as they are
};

struct AccessPolicy {
    std::vector<Role> roles;
    std::vector<std::vector<std::string>> exclusions;  // no natural person may hold two of one set

    const Role* find(std::string_view role) const;
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

// The first two of a natural person's roles that exclude each other; both empty when none do. Every pair of
// different roles inside an exclusion set is exclusive.
struct Conflict {
    std::string first;
    std::string second;
};
Conflict find_conflict(const AccessPolicy& policy, std::span<const std::string> roles);

// Does any of the roles see personal fields as they are?
bool sees_unmasked(const AccessPolicy& policy, std::span<const std::string> roles);

std::string_view name(Scope scope);
bool parse_scope(std::string_view text, Scope& scope);

}  // namespace xinfu::policies
