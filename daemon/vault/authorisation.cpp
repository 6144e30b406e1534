#include "daemon/vault/authorisation.hpp"

#include <algorithm>

#include "daemon/vault/exchange.hpp"
#include "storage/accounts.hpp"

namespace xinfu::vault {
namespace {

// A role is only worth something on an account of the kind it was made for.
std::vector<std::string> roles_of_kind(const policies::AccessPolicy& access, const Principal& principal) {
    std::vector<std::string> roles;
    for (const auto& name : principal.roles) {
        const policies::Role* role = access.find(name);
        if (role != nullptr && (role->kind.empty() || role->kind == storage::to_text(principal.kind))) {
            roles.push_back(name);
        }
    }
    return roles;
}

// The account's own list narrows what its roles are granted. Acts that concern no catalog are not narrowed.
bool is_for_catalog(const Principal& principal, std::string_view catalog) {
    return principal.catalogs.empty() || catalog.empty() ||
           std::ranges::find(principal.catalogs, catalog) != principal.catalogs.end();
}

// decide() names the rule as "role: verb catalog scope".
std::string role_of(const policies::Decision& decision) {
    return decision.rule.substr(0, decision.rule.find(':'));
}

}  // namespace

policies::Relation relation_to(const Principal& principal, std::string_view unit) {
    if (!unit.empty() && principal.unit == unit) {
        return policies::Relation::own_unit;
    }
    return std::ranges::find(principal.units, unit) != principal.units.end() ? policies::Relation::node_unit
                                                                             : policies::Relation::other_unit;
}

std::optional<std::string> permitting_role(const policies::AccessPolicy& access, const Principal& principal,
                                           std::string_view verb, std::string_view catalog, std::string_view unit) {
    if (!is_for_catalog(principal, catalog)) {
        return std::nullopt;
    }
    const auto roles = roles_of_kind(access, principal);
    const auto decision = policies::decide(access, roles, verb, catalog, relation_to(principal, unit));
    if (!decision.permit) {
        return std::nullopt;
    }
    return role_of(decision);
}

std::vector<std::string_view> extractable_fields(const policies::AccessPolicy& access, const Principal& principal,
                                                 std::string_view catalog, std::string_view unit) {
    if (!is_for_catalog(principal, catalog)) {
        return {};
    }
    return policies::extractable(access, roles_of_kind(access, principal), catalog, relation_to(principal, unit));
}

std::optional<std::string> possibly_permitting_role(const policies::AccessPolicy& access, const Principal& principal,
                                                    std::string_view verb, std::string_view catalog) {
    if (!is_for_catalog(principal, catalog)) {
        return std::nullopt;
    }
    for (const auto& name : roles_of_kind(access, principal)) {
        const policies::Role* role = access.find(name);
        for (const auto& grant : role->grants) {
            if (grant.verb == verb && (catalog.empty() || grant.catalog == "*" || grant.catalog == catalog)) {
                return name;
            }
        }
    }
    return std::nullopt;
}

std::optional<boundary::Problem> check_exclusions(const policies::AccessPolicy& access, const Principal& principal) {
    const auto conflict = policies::find_conflict(access, principal.roles);
    if (conflict.first.empty()) {
        return std::nullopt;
    }
    return problem("XF-2010", {conflict.first, conflict.second});
}

Result<bool> node_is_complete(const storage::ReadTransaction& transaction) {
    const auto accounts = storage::all_accounts(transaction);
    if (!accounts) {
        return {boost::system::in_place_error, accounts.error()};
    }
    const auto exists = [&](std::string_view role) {
        return std::ranges::any_of(*accounts, [role](const storage::Account& account) {
            return !account.disabled && account.kind == storage::AccountKind::person &&
                   std::ranges::find(account.roles, role) != account.roles.end();
        });
    };
    return exists("system_administrator") && exists("auditor");
}

Result<bool> NodeCompleteness::check(const storage::Engine& engine) {
    // Before the snapshot: what is committed in between is then read and read again, never missed.
    const std::uint64_t version = engine.version(storage::Table::accounts);
    if (known_ && known_->first == version) {
        return known_->second;
    }
    const auto snapshot = engine.snapshot();
    const auto complete =
        snapshot ? node_is_complete(**snapshot) : Result<bool>(boost::system::in_place_error, snapshot.error());
    if (complete) {
        known_.emplace(version, *complete);
    }
    return complete;
}

}  // namespace xinfu::vault
