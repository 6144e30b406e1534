// The engine's transactions: values are sealed and opened here, at the place where they lie.
//
// Threads: as storage/engine.hpp says.
// Errors:  storage::Errc.
#pragma once

#include <memory>

#include "crypto/result.hpp"
#include "storage/lmdb_environment.hpp"

namespace xinfu::storage::lmdb {

Result<std::unique_ptr<ReadTransaction>> begin_reading(std::shared_ptr<Environment> environment);
// commit_failed after a commit whose outcome is unknown.
Result<std::unique_ptr<WriteTransaction>> begin_writing(std::shared_ptr<Environment> environment);

}  // namespace xinfu::storage::lmdb
