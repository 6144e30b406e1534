#include "daemon/boundary/role.hpp"

#include <pwd.h>

#include <vector>

#include "daemon/boundary/error.hpp"

namespace xinfu::boundary {

std::string_view role_name(Role role) {
    switch (role) {
        case Role::gateway: return "gateway";
        case Role::inspector: return "inspector";
        case Role::vault: return "vault";
        case Role::courier: return "courier";
    }
    return "";
}

std::string program_name(Role role) {
    return "xinfu-" + std::string(role_name(role));
}

Result<uid_t> find_role_uid(Role role) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);  // sysconf(_SC_GETPW_R_SIZE_MAX) only suggests; this holds any sane entry
    const auto name = program_name(role);
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return Errc::not_running;
    }
    return entry.pw_uid;
}

}  // namespace xinfu::boundary
