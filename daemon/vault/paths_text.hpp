// PathsText: paths as they are digested and as they are compared.
//
// Threads: pure functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "crypto/digest.hpp"
#include "daemon/config/paths.hpp"

namespace xinfu::vault {

crypto::JsonObject json_of(const config::Paths& paths);
crypto::Digest digest_of(const config::Paths& paths);  // SHA-256 of that JSON

// For people: one line for each thing that can differ. Endpoints are written as the system writes them.
using PathLines = std::set<std::string>;
void add_listeners(PathLines& lines, const std::vector<std::string>& listen, const std::string& metrics);
void add_routes(PathLines& lines, const config::Paths& paths);  // and the protocol
PathLines lines_of(const config::Paths& paths);

}  // namespace xinfu::vault
