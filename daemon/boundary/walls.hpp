// Walls: what a process takes from itself before it reads a hostile byte, so that whoever owns it later gets
// the role's one sentence (docs/ARCHITECTURE.md) and nothing more.
//
// Sources: landlock(7), seccomp(2), prctl(2).
// Threads: call on the main thread before any other thread exists; later threads inherit everything.
// Errors:  walls_failed: the process must not go on. A kernel without Landlock is reported, not an error,
//          since seccomp stands on its own; a kernel without seccomp is an error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/result.hpp"
#include "daemon/boundary/role.hpp"

namespace xinfu::boundary {

struct WallOptions {
    // Vault: the state directory; the only place it can open, create, rename or remove files in.
    int state_directory_fd = -1;
    // Vault: may connect to the paths in /run/xinfu (there is no supervisor).
    bool dials_paths = false;
    // Courier: TCP ports it may call. Empty: any port.
    std::vector<std::uint16_t> connect_ports;
    // Inspector: private memory, bytes; 0: unlimited. An allocation beyond fails, which ends the instance.
    std::uint64_t memory_size_bytes_max = 0;
};

struct Walls {
    int landlock_abi = 0;   // 0: this kernel has none, or it is switched off
    bool seccomp = false;   // false only in sanitizer builds
    bool trapping = false;  // XINFU_SECCOMP=trap: a forbidden call is named on stderr before the process ends
};

// no_new_privs, no core dumps, not traceable, Landlock, seccomp. Everything opened before stays open; see
// walls.cpp for each role's list of system calls. Gateway and inspector can open no file at all afterwards.
Result<Walls> raise_walls(Role role, const WallOptions& options = {});

}  // namespace xinfu::boundary
