// Recovery: the log's tree from what the engine holds, compared with what was stated about it. A log that
// continued from a tree other than the signed one would be forked for ever, so any difference stops the
// start.
#pragma once

#include <memory>
#include <string>

#include "storage/log_rows.hpp"
#include "storage/log_tree.hpp"

namespace xinfu::storage {

struct RecoveredLog {
    std::shared_ptr<const RightEdge> edge;
    LogState state;
    std::uint64_t checkpoint_size = 0;  // of the one stored checkpoint; 0 when there is none yet
};

// The entries after the last full tile are hashed again; higher tiles are read. The root must be the one of
// the last commit, and the stored checkpoint must be signed by `signer` over a prefix of this tree.
// Errors: corrupt; those of the engine.
Result<RecoveredLog> recover_log(const Engine& engine, const std::string& origin, const crypto::NoteSigner& signer);

}  // namespace xinfu::storage
