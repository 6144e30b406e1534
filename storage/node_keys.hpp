// Node keys: every key of a node, made once and kept wrapped under the node's key-wrapping key.
//
// The store key opens the engine, so it cannot lie in it: it is the file keys/store.wrapped of the state directory.
// The others are rows of Table::keys: `log` and `witness` (Ed25519 seeds), `tls` and `parcel` (P-256, PKCS #8),
// `envelope` (P-256) and `envelope-rsa` (RSA-3072, both PKCS #8; absent in nodes that open no envelopes), the same with
// `-former` behind it (the pair before, once it was renewed),
// `index` (HMAC), `unit/<code>` (wraps the data keys of that unit's submissions).
//
// Format:  docs/FORMATS.md, section on keys; crypto/key_wrap.hpp binds each key to its name.
// Threads: functions; call them before the ledger has its thread, or inside one of its operations.
// Errors:  storage::Errc not_found, exists, io_failed; crypto::Errc key_not_unwrapped: the key-wrapping key is
//          not the one this node was made with.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/key_wrap.hpp"
#include "crypto/random.hpp"
#include "crypto/secret.hpp"
#include "crypto/signing_key.hpp"
#include "storage/engine.hpp"

namespace xinfu::storage {

inline constexpr std::string_view kStoreKeyPath = "keys/store.wrapped";  // beneath the state directory

// Makes the folder `keys` (0700) and the file (0600) in `directory`; both are synced. Errors: exists.
Result<crypto::Secret> create_store_key(const std::string& directory, const crypto::KeyWrapper& wrapper,
                                        crypto::RandomSource& random);
// Errors: not_found, key_not_unwrapped.
Result<crypto::Secret> load_store_key(const std::string& directory, const crypto::KeyWrapper& wrapper);

struct NodeKeys {
    crypto::Secret log_seed;
    crypto::Secret witness_seed;
    crypto::SigningKey tls;
    crypto::SigningKey parcel;
    crypto::Secret index;
    std::vector<crypto::SigningKey> envelopes;  // P-256 and RSA; they open, and sign nothing
    std::vector<crypto::SigningKey> former_envelopes{};
};

// Errors: exists when the store has a log key already.
Result<NodeKeys> create_node_keys(WriteTransaction& transaction, const crypto::KeyWrapper& wrapper,
                                  crypto::RandomSource& random);
Result<NodeKeys> load_node_keys(const ReadTransaction& transaction, const crypto::KeyWrapper& wrapper);

// What opens envelopes: a P-256 key, which every current tool can use, and an RSA key for those that know nothing else.
// Errors: exists.
Result<std::vector<crypto::SigningKey>> create_envelope_keys(WriteTransaction& transaction,
                                                             const crypto::KeyWrapper& wrapper);

// A new pair; the one there was becomes the former one, and the former one before that is gone. Errors: not_found when
// there is no pair.
Result<std::vector<crypto::SigningKey>> renew_envelope_keys(WriteTransaction& transaction,
                                                            const crypto::KeyWrapper& wrapper);

// Errors: exists.
Result<crypto::Secret> create_unit_key(WriteTransaction& transaction, const crypto::KeyWrapper& wrapper,
                                       std::string_view unit, crypto::RandomSource& random);
using UnitKeys = std::map<std::string, crypto::Secret, std::less<>>;  // by unit code
Result<UnitKeys> load_unit_keys(const ReadTransaction& transaction, const crypto::KeyWrapper& wrapper);

}  // namespace xinfu::storage
