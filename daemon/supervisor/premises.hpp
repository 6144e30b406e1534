// Premises: what must be there before the first process starts: listening sockets, the state directory in the
// vault's hands, and the key-wrapping key.
//
// Errors:  CannotStart, thrown to main, which prints it and leaves.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/boundary/descriptor.hpp"
#include "daemon/config/config.hpp"
#include "daemon/supervisor/launch.hpp"

namespace xinfu::supervisor {

class CannotStart : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Premises {
    // Kept open here as well: while a gateway is replaced, connections wait in the kernel's queue.
    std::vector<boundary::Descriptor> listeners;
    boundary::Descriptor metrics;  // empty: none configured
    boundary::Descriptor state;    // the state directory
};

// Binds every configured address; as root also ports below 1024, before anything else is dropped.
boundary::Descriptor listen_on(const std::string& endpoint);

// Opens the state directory; as root gives it and what is in it to the vault's user. Only files with one name
// are given away: a second name could be a file from elsewhere.
boundary::Descriptor take_state_directory(const std::string& path, const Account& vault);

// Opens the key-wrapping key: 32 bytes, nobody but its owner may read it.
boundary::Descriptor open_key(const std::string& path);

Premises prepare(const config::Config& config, const Account& vault);

}  // namespace xinfu::supervisor
