// Evidence from outside: receipts and onward states of the level above, revocation lists of authorities, signatures of
// approvers. Read here, verified in the vault.
//
// Trust:   hostile bytes.
// Errors:  a Refusal.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/inspector/refusal.hpp"

namespace xinfu::inspector {

// What a witness answered: signature lines, or the size it has (C2SP tlog-witness); neither for a problem that says
// that the checkpoint is no continuation (XF-7035). Refusal XF-7021.
std::optional<Refusal> read_cosignatures(std::string_view text, boundary::CosignaturesRead& read);
std::optional<Refusal> read_receipt(std::string_view text, boundary::ReceiptRead& receipt);
std::optional<Refusal> read_onward(std::string_view json, boundary::OnwardRead& onward);
// One reply, or several with further serials, all but the last with `more`.
std::optional<Refusal> read_revocation_list(ByteView document, std::vector<boundary::RevocationListRead>& parts);
// A CMS SignedData, content attached, over exactly `statement`.
std::optional<Refusal> read_signature(ByteView cms, ByteView statement, boundary::SignerFound& signer);

}  // namespace xinfu::inspector
