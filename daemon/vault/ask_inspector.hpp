// One question to an inspector that needs no packs: what a receipt, an answer of a level above or an approver's CMS
// says.
//
// Threads: the vault's `io`.
// Trust:   the answer is a claim about hostile bytes.
// Errors:  those of Inspectors::take; timed_out, connection_lost and unexpected of an instance that does not behave,
//          which ends it.
#pragma once

#include <string>
#include <vector>

#include "daemon/boundary/inspector.pb.h"
#include "daemon/vault/context.hpp"

namespace xinfu::vault {

// `key`: as for Inspectors::take. `parts`: of one question; there is one answer.
asio::awaitable<Result<boundary::InspectorReply>> ask_inspector(Context& context, std::string key,
                                                                std::vector<boundary::InspectorRequest> parts);

}  // namespace xinfu::vault
