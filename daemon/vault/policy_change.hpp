// PolicyChange: other packs in force, from the form that asks for them to the rows that make it so. Nothing here is in
// force before others approved of it (requests.hpp).
//
// Threads: functions on a transaction; the transaction's rules apply.
// Trust:   packs are an authenticated person's, and are read by an inspector, never here.
// Errors:  storage::Errc; what is wrong with the form is a problem, not an error.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/revocation.hpp"
#include "storage/accounts.hpp"
#include "storage/ledger.hpp"
#include "storage/packs.hpp"

namespace xinfu::vault {

// The change that `asked` describes to these packs, or why there is none (XF-1117).
std::variant<storage::rows::PolicyChange, boundary::Problem> make_policy_change(
    const std::vector<storage::Pack>& active, const boundary::PolicyForm& asked);

// The packs that come of it. Precondition: `active` is what it was made from.
std::vector<storage::Pack> packs_after(const std::vector<storage::Pack>& active,
                                       const storage::rows::PolicyChange& change);

// As it is shown and as its digest is made: canonical JSON, packs by their SHA-256.
std::string policy_change_json(const storage::rows::PolicyChange& change, std::string_view node);
// Line by line what is different from the packs in force, for people.
void describe_policy_differences(const PolicySet& active, const storage::rows::PolicyChange& change,
                                 boundary::RequestView& view);

// Whether accounts fit these rules: nobody holds roles that exclude each other (XF-2010), and two persons can still
// change the rules (XF-2025).
Result<std::optional<boundary::Problem>> check_accounts_fit(const storage::ReadTransaction& transaction,
                                                            const PolicySet& policies);

// Makes `loaded` the packs in force if those it was made from still are; else XF-2021. Nothing is written with a
// problem.
Result<std::optional<boundary::Problem>> apply_policy_change(storage::Batch& batch,
                                                             const storage::rows::PolicyChange& change,
                                                             const PolicySet& loaded);

std::string_view to_text(storage::PackKind kind);  // catalog, access, calendar

}  // namespace xinfu::vault
