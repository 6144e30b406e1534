// The data file as it lies on disk, read without LMDB, which trusts it: a page beyond the end of a mapped file kills
// the process, and a damaged page can send a lookup to the wrong place, where nothing is found that is there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/result.hpp"

namespace xinfu::storage {

// `directory` is an open directory with data.mdb in it. Compares the two heads of the file with each other and with its
// length, and walks the tree of all tables (not the tables). A file may end before its page count says, when the last
// pages were allocated and given up in one transaction; then every page in use is looked for.
//
// Errors: not_found, corrupt, version_unknown, io_failed. An empty file is a new store.
Result<void> check_lmdb_file(int directory);

struct PageFindings {
    std::uint64_t pages = 0;           // in use by tables, and looked at
    std::vector<std::string> damaged;  // "data.mdb, page 17 of subject_index: keys out of order"; at most kFindingsMax
};
inline constexpr std::size_t kFindingsMax = 100;

// Walks every tree of the state that `transaction` (LMDB's number) committed, from its roots to its leaves: each page
// is of its kind, inside the file and used once; keys ascend and lie between their parents'; numbers of pages, rows and
// levels are the stored ones. Values are not opened. Bad pages end no walk: what is beside them is looked at. Not
// found: a page in an older form with the same keys, which is whole by itself. The caller keeps a reading transaction
// of that state, so that no page of it is written meanwhile. Errors: busy when the state is older than both heads of
// the file; io_failed; corrupt when the heads cannot be read.
Result<PageFindings> walk_lmdb_pages(int directory, std::uint64_t transaction);

}  // namespace xinfu::storage
