// The data file as it lies on disk, looked at before LMDB maps it: reading a page beyond the end of a mapped
// file kills the process, and LMDB itself does not compare the file's length with its own page count.
#pragma once

#include "crypto/result.hpp"

namespace xinfu::storage {

// `directory` is an open directory with data.mdb in it. A file may end before its page count says, when the
// last pages were allocated and given up in one transaction; then every page in use is looked for.
// Errors: not_found, corrupt, version_unknown, io_failed. An empty file is a new store.
Result<void> check_lmdb_file(int directory);

}  // namespace xinfu::storage
