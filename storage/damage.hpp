// What whoever looks after the node should know of the disk: what is stored and is not what was written, which is never
// given out; and what the system refused to do.
#pragma once

#include <functional>
#include <string>

namespace xinfu::storage {

// Told, by whichever thread reads, before it gets Errc::corrupt: "accounts, key 6d2d30303031", "object 01a204b1...".
// Keys are ids, digests and names of accounts and catalogs, never what a record says. Internally locked.
using OnDamage = std::function<void(const std::string& what)>;

// Told, by whichever thread it happens to, before it gets Errc::io_failed or commit_failed, in the system's words:
// "object 01a204b1...: Input/output error". Internally locked.
using OnFailure = std::function<void(const std::string& what)>;

}  // namespace xinfu::storage
