// Principal: who asks. Made by Identity for each request from a handle that the vault gave out itself, after
// account state, validity and revocation were looked at again; never from anything a peer says.
//
// Threads: a value; copy it freely.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "storage/accounts.hpp"

namespace xinfu::vault {

struct Principal {
    std::string account;  // account id
    storage::AccountKind kind = storage::AccountKind::machine;
    std::string unit;  // unified social credit code
    std::string unit_name;
    std::vector<std::string> roles;
    crypto::Digest certificate{};         // SHA-256 of the enrolled certificate this connection proved
    std::string person;                   // natural person's number; persons only, never in leaves or logs
    std::vector<std::string> units;       // platforms: the units it may speak for
    std::vector<std::string> catalogs{};  // none: all that the roles' grants cover
    std::vector<std::string> sources{};   // addresses and networks it may come from; none: any

    bool has_role(std::string_view role) const { return std::find(roles.begin(), roles.end(), role) != roles.end(); }
    // Whether this principal may speak for the unit: its own, or one of a platform's enrolled units.
    bool speaks_for(std::string_view code) const {
        return kind == storage::AccountKind::platform ? std::find(units.begin(), units.end(), code) != units.end()
                                                      : unit == code;
    }
};

}  // namespace xinfu::vault
