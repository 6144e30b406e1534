// Launch: a role's program as a process of its own user, with only the descriptors it is given.
//
// Threads: call while the supervisor has one thread: between fork and exec any call is then allowed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/result.hpp"
#include "daemon/boundary/role.hpp"

namespace xinfu::supervisor {

struct Account {
    uid_t uid = 0;
    gid_t gid = 0;
};

// The role's user and group. As root: user xinfu-<role> where it exists, else a fixed number of its own.
// Otherwise everybody runs as the supervisor does.
Account account_of(boundary::Role role);

// The folder of this program, and where the package puts the others.
std::vector<std::string> program_folders();

struct LaunchPlan {
    boundary::Role role;
    Account account;
    std::vector<std::string> folders;                    // where to look for the program, in this order
    std::vector<std::string> arguments;                  // without the program's name
    std::vector<std::pair<std::string, int>> inherited;  // option and descriptor: "--control-fd", 7
    int working_directory = -1;                          // descriptor; -1: /
};

// The child dies with the supervisor (PR_SET_PDEATHSIG), is in its own process group, so that a terminal's
// interrupt reaches the supervisor alone, and gets a short environment without sockets of the service
// manager. Errors: no_such_file_or_directory when the program is in none of the folders; system errors of
// fork(2).
Result<pid_t> launch(const LaunchPlan& plan);

}  // namespace xinfu::supervisor
