// UpperReceipt: whether what a level above answered is its receipt for exactly what was sent. An inspector takes the
// text apart; everything it says is computed again here from the bytes, and members of the leaf are compared as the
// canonical JSON they must be, so that the vault needs no parser for them.
//
// Format:  C2SP tlog-proof@v1; docs/FORMATS.md, "Leaf".
// Threads: pure functions.
// Trust:   the upper level holds its pinned log key; nothing else is believed.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "crypto/note.hpp"
#include "daemon/boundary/common.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "storage/submission_rows.pb.h"

namespace xinfu::vault {

struct ExpectedReceipt {
    storage::rows::Origin origin;        // as it travels with the file
    std::optional<crypto::Digest> body;  // SHA-256 of what was PUT there; absent: another level's parcel
};

struct UpperReceipt {
    std::string submission;  // that level's id of it
};

// The problem is XF-7014 (another file's, or not an acceptance), XF-7015 (not by the pinned log) or XF-7016.
std::variant<UpperReceipt, boundary::Problem> verify_upper_receipt(const boundary::ReceiptRead& receipt,
                                                                   const crypto::NoteVerifier& log,
                                                                   const ExpectedReceipt& expected);

}  // namespace xinfu::vault
