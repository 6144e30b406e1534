// Unmasking: one subject's records without masks, once, for whoever asked and was approved of (ENC-02, ROL-05).
//
// Threads: pure functions; use_unmasking() inside an operation of the ledger.
// Errors:  storage::Errc; what is wrong with what was asked is a problem, not an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/context.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {

// Or why there can be none: XF-2003, XF-2007.
std::variant<storage::rows::UnmaskChange, boundary::Problem> make_unmask_change(const PolicySet& policies,
                                                                                const boundary::UnmaskForm& asked);
// As it is shown and as its digest is made: canonical JSON.
std::string unmask_change_json(const storage::rows::UnmaskChange& change, std::string_view node);

// Uses up the approval `id`, if it is one for this account, catalog and subject, not over and not used; else XF-2027.
Result<std::optional<boundary::Problem>> use_unmasking(storage::WriteTransaction& transaction, std::string_view id,
                                                       std::string_view account, std::string_view catalog,
                                                       std::string_view subject, storage::Milliseconds now);

}  // namespace xinfu::vault
