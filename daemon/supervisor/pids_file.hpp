// PidsFile: which processes there are, for tools that watch or disturb them: lines "role pid", replaced whole
// by rename, so that a reader never sees half of it. The supervisor itself is not in it.
//
// Threads: one.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "crypto/result.hpp"

namespace xinfu::supervisor {

class PidsFile {
public:
    // Empty path: nothing is ever written.
    explicit PidsFile(std::string path) : path_(std::move(path)) {}

    // Not synced: after a power cut no pid in it would be true. Errors: system errors; the old file stays.
    Result<void> write(const std::vector<std::pair<std::string, pid_t>>& processes) const;
    void remove() const;

private:
    std::string path_;
};

}  // namespace xinfu::supervisor
