// The system calls each role may make. Internal to raise_walls.
#pragma once

#include "crypto/result.hpp"
#include "daemon/boundary/walls.hpp"

namespace xinfu::boundary {

// Loads the role's allow-list; everything else kills the process, or, where the list says so, fails with an
// error. Answers whether XINFU_SECCOMP=trap is in force. Errors: walls_failed.
Result<bool> load_seccomp_filter(Role role, const WallOptions& options);

}  // namespace xinfu::boundary
