// Authorisation: may this principal do this? Denied unless a grant of the active access pack covers the act.
//
// Three answers are kept apart: not entitled at all (XF-2001, 403); entitled, but not to this unit's affairs, which
// is told like an object that does not exist (XF-2005, 404); and the node not yet complete (XF-2004, 503).
//
// Threads: the vault's `io`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/boundary/common.pb.h"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/principal.hpp"

namespace xinfu::vault {

// How the affairs of `unit` stand to this principal.
policies::Relation relation_to(const Principal& principal, std::string_view unit);

// The role whose grant permits the act on an object of `unit`; absent: denied.
std::optional<std::string> permitting_role(const policies::AccessPolicy& access, const Principal& principal,
                                           std::string_view verb, std::string_view catalog, std::string_view unit);

// The classes of fields that the principal may extract of records of `unit`; empty: none of them.
std::vector<std::string_view> extractable_fields(const policies::AccessPolicy& access, const Principal& principal,
                                                 std::string_view catalog, std::string_view unit);

// The role that permits the act on some object: on the principal's own unit's, its node's units', or all. For acts
// whose object is not known yet; `catalog` empty: of some catalog. Absent: denied whatever the object is.
std::optional<std::string> possibly_permitting_role(const policies::AccessPolicy& access, const Principal& principal,
                                                    std::string_view verb, std::string_view catalog);

// Before any act: set when the principal's roles exclude each other, which no assignment should have let pass.
std::optional<boundary::Problem> check_exclusions(const policies::AccessPolicy& access, const Principal& principal);

// Whether submissions may begin: an active system administrator and an active auditor exist (XF-2004 else).
Result<bool> node_is_complete(const storage::ReadTransaction& transaction);

// The same for every request: the accounts are read again only when one of them was written.
// Threads: one strand.
class NodeCompleteness {
public:
    Result<bool> check(const storage::Engine& engine);

private:
    std::optional<std::pair<std::uint64_t, bool>> known_;  // the accounts' version
};

}  // namespace xinfu::vault
