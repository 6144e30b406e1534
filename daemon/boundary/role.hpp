// Role: which of the four processes a program is.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "crypto/result.hpp"

namespace xinfu::boundary {

enum class Role { gateway, inspector, vault, courier };

std::string_view role_name(Role role);  // "gateway"
std::string program_name(Role role);    // "xinfu-gateway", also the user it runs as

// The uid of the role's user. Reads the user database: call before the walls. Errors: not_running when there
// is no such user.
Result<uid_t> find_role_uid(Role role);

}  // namespace xinfu::boundary
