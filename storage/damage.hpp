// What is stored and is not what was written: it is never given out, and somebody should know which piece it is.
#pragma once

#include <functional>
#include <string>

namespace xinfu::storage {

// Told, by whichever thread reads, before it gets Errc::corrupt: "accounts, key 6d2d30303031", "object 01a204b1...".
// Keys are ids, digests and names of accounts and catalogs, never what a record says. Internally locked.
using OnDamage = std::function<void(const std::string& what)>;

}  // namespace xinfu::storage
