// Receipts: a leaf, its way to the root, and the signed checkpoint, as one text that needs nothing of ours to check.
//
// Format:  C2SP tlog-proof@v1, `extra` the leaf's bytes.
// Threads: any.
#pragma once

#include <cstdint>
#include <string>

#include "storage/ledger.hpp"

namespace xinfu::vault {

// For the leaf at `index` with these bytes, against a committed checkpoint that covers it. Errors: storage::Errc.
Result<std::string> make_receipt(const storage::Ledger& ledger, std::uint64_t index, ByteView entry,
                                 const storage::Committed& committed);

// The same, the leaf read from the log: against the newest checkpoint that a witness co-signed if it covers the leaf,
// else against the newest. Errors: also not_found.
Result<std::string> newest_receipt(storage::Ledger& ledger, std::uint64_t index);

}  // namespace xinfu::vault
