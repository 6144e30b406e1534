// Identity: who a proven certificate is, now. Looked at when possession is proven and again at every request, so that
// a revoked certificate or a disabled account stops working on connections that are open already.
//
// Threads: standing_of() on any thread, with a snapshot of its own.
#pragma once

#include <string_view>
#include <variant>

#include "crypto/certificate.hpp"
#include "daemon/boundary/common.pb.h"
#include "daemon/vault/principal.hpp"
#include "daemon/vault/revocation.hpp"
#include "storage/ledger.hpp"

namespace xinfu::vault {

// The principal, or the problem every request of this certificate meets: XF-1001 unknown, XF-1002 expired, XF-1003
// revoked, XF-1004 disabled, XF-1011 not valid yet, XF-1019 the account's own time is over, XF-1013 the certificate
// names another unit than its account, XF-1026 nobody knows whether it was revoked.
using Standing = std::variant<Principal, boundary::Problem>;

// `enrolled` is the certificate as stored at enrolment, `account` whose it was then. Errors: storage::Errc.
Result<Standing> standing_of(const storage::ReadTransaction& transaction, const crypto::Certificate& enrolled,
                             std::string_view account, const Revocations& revocations, storage::Milliseconds now);

}  // namespace xinfu::vault
