// AccountForm: the registration form of an account (系统注册申请表), and whether it may be: complete, of one kind, with
// roles that exist and that one person may hold together. What depends on certificates and on what is stored is the
// vault's.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/access.hpp"
#include "policies/values.hpp"

namespace xinfu::policies {

struct AccountForm {
    std::string kind;  // machine, person, platform
    std::string unit;  // unified social credit code
    std::string unit_name;
    std::string name;   // of the person, or what the machine is called
    std::string post;   // persons
    std::string phone;  // persons
    std::vector<std::string> roles;
    std::vector<std::string> catalogs;        // empty: all that the roles' grants cover
    std::vector<std::string> units;           // platforms: the units it may speak for
    std::vector<std::string> sources;         // addresses or networks it may come from; empty: any
    std::optional<std::int32_t> valid_until;  // last day, since 1970-01-01 in Asia/Shanghai
};

inline constexpr std::size_t kFormTextBytesMax = 200;
inline constexpr std::size_t kFormListMax = 64;  // roles, catalogs, sources
inline constexpr std::size_t kFormUnitsMax = 1000;
inline constexpr std::int32_t kAccountDaysMax = 5 * 366;

struct FormDefect {
    std::string_view code;  // of codes.hpp
    std::vector<std::string> arguments;
};

// Empty: it may be. `catalogs` are those of the node; `today` in days since 1970-01-01.
std::optional<FormDefect> check_account_form(const AccountForm& form, const AccessPolicy& policy,
                                             const std::vector<std::string>& catalogs, std::int32_t today);

// Does the address lie in one of the networks? Forms: "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; no networks: any.
bool is_address_or_network(std::string_view text);
bool lies_in(std::string_view address, const std::vector<std::string>& networks);

}  // namespace xinfu::policies
