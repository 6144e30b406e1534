// Arguments: the command line that xinfud or a unit file gives a role's program.
//
//   --config FILE | --config-fd N    the configuration
//   --control-fd N                   socket to the supervisor (gateway, courier, vault)
//   --peer-uid N                     whom the other side runs as (with --control-fd or --peer-fd)
//   --peer-fd N                      the inspector's one connection
//   --listen-fd N (repeatable)       gateway: listening TCP sockets; --metrics-fd N: the loopback listener
//   --key-fd N                       vault: the key-wrapping key, 32 bytes
//   --help, --version
//
// Without descriptors on the command line those that systemd passed are taken (sd_listen_fds: `https`,
// `metrics`, `vault`; an inspector's connection is standard input).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/boundary/endpoints.hpp"

namespace xinfu::boundary {

std::string_view version();  // "0.1.0"

struct Arguments {
    std::string config_path;  // empty when the configuration is a descriptor
    Descriptor config;
    Descriptor control;                 // set: supervisor mode
    Descriptor peer;                    // inspector
    std::vector<Descriptor> listeners;  // gateway
    Descriptor metrics;                 // gateway; may be absent
    Descriptor vault_listener;          // gateway and courier under systemd
    Descriptor key;                     // vault: from --key-fd or $CREDENTIALS_DIRECTORY/key-wrapping-key
    uid_t peer_uid = 0;                 // gateway, courier, inspector: the vault's uid
    RoleUids uids;                      // vault under systemd
    std::optional<int> exit_code;       // set: say nothing more and exit with it (--help 0, wrong usage 2)
};

// Prints help, version or what is wrong itself. Reads the user database under systemd: call before the walls.
// Every descriptor it takes over is set close-on-exec.
Arguments parse_arguments(Role role, int argc, char** argv);

}  // namespace xinfu::boundary
