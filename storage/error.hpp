// Errors of the store. Numbers are stable: logs hold them.
#pragma once

#include <boost/system/error_code.hpp>

namespace xinfu::storage {

enum class Errc {
    store_in_use = 1,      // another process (or engine) holds the lock on the directory
    not_found = 2,         // no such store, row, tile, entry or object
    corrupt = 3,           // a value did not open, a file is cut short, or the tree is not the signed one: never served
    busy = 4,              // a queue or the reader table is full: try again later
    store_full = 5,        // disk, map or reserve exhausted; nothing was written
    commit_failed = 6,     // the state on disk is unknown: stop the process, recover at the next start
    io_failed = 7,         // a file could not be opened, read, written or synced
    stopped = 8,           // the ledger is draining: no new operations
    too_large = 9,         // a key over 511 bytes, an entry over 65 535 bytes
    version_unknown = 10,  // the store was written by a version that this one does not read
    exists = 11,           // an object of this id is there already
    misused = 12,          // a call out of order: put after a failed put, write after finish
    log_full = 13,         // too little disk is left for the log, without which nothing is done; nothing was written
};

const boost::system::error_category& error_category() noexcept;

inline boost::system::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

}  // namespace xinfu::storage

template <>
struct boost::system::is_error_code_enum<xinfu::storage::Errc> : std::true_type {};
