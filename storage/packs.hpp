// Packs: the policy packs in force. Their bytes are kept by digest; which of them are active is one row. Editing a
// file on disk changes nothing here.
//
// Threads: functions on a transaction; the transaction's rules apply.
// Trust:   bytes are stored as they are and read by nobody but an inspector.
// Errors:  storage::Errc of the engine; `corrupt` when an active pack is missing or not what its digest says.
#pragma once

#include <vector>

#include "crypto/digest.hpp"
#include "storage/engine.hpp"

namespace xinfu::storage {

enum class PackKind { catalog, access, calendar };

struct Pack {
    PackKind kind = PackKind::catalog;
    Bytes bytes;
};

// Stores the packs and makes exactly these active, in this order.
Result<void> put_active_packs(WriteTransaction& transaction, const std::vector<Pack>& packs);
// Empty when no packs were ever made active.
Result<std::vector<Pack>> active_packs(const ReadTransaction& transaction);

// One digest for the whole set: SHA-256 over kind (one byte) and digest of each pack, in order.
crypto::Digest policy_digest(const std::vector<Pack>& packs);
// The same of what is active, without reading the packs: what a commit compares.
Result<crypto::Digest> active_policy_digest(const ReadTransaction& transaction);

}  // namespace xinfu::storage
