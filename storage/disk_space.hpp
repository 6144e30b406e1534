// How much of a disk is left.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace xinfu::storage {

// For unprivileged writers, of the file system that this file or directory lies on; 0 when it cannot be told.
std::uint64_t disk_free_bytes(int descriptor);

}  // namespace xinfu::storage
