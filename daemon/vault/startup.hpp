// Startup: what the vault opens before it serves: configuration, key-wrapping key, store, keys, certificates. Used by
// main.cpp alone.
//
// Errors:  CannotStart with a sentence for the administrator; nothing is half open afterwards.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "daemon/boundary/arguments.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/keys.hpp"
#include "storage/ledger.hpp"
#include "storage/object_store.hpp"

namespace xinfu::vault {

class CannotStart : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

config::Config read_configuration(const boundary::Arguments& arguments);

// 32 bytes. The descriptor is read to its end and not kept.
std::shared_ptr<const crypto::KeyWrapper> read_key_wrapping_key(boundary::Descriptor descriptor);

struct Store {
    std::unique_ptr<Keys> keys;
    NodeCertificates certificates;
    std::string log_key;  // C2SP verifier key
    std::unique_ptr<storage::ObjectStore> objects;
    std::unique_ptr<storage::Ledger> ledger;
};
// Opens everything in the current directory, the state directory. Units enrolled without a key get one. What was
// never finished is removed. The configuration's paths become the approved ones, if there are any (paths.hpp).
// `after_batch`: as Ledger::Options.
Store open_store(config::Config& config, std::shared_ptr<const crypto::KeyWrapper> key_wrapper,
                 std::shared_ptr<const storage::Clock> clock, std::function<void(std::uint64_t)> after_batch,
                 const storage::OnDamage& on_damage, const storage::OnFailure& on_failure);

// First packets on the vault's connections, encoded.
struct Welcomes {
    std::string requests;
    std::string handshakes;
};
Welcomes gateway_welcomes(const config::Config& config, const NodeCertificates& certificates);
// Reads each route's anchors from the state directory.
Welcomes courier_welcomes(const config::Config& config, const NodeCertificates& certificates);

}  // namespace xinfu::vault
