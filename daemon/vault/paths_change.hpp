// PathsChange: other paths, from the form that asks for them to the row that makes them count. Nothing here is in force
// before others approved of it (requests.hpp).
//
// Threads: functions on a transaction; the transaction's rules apply.
// Trust:   the form is an authenticated person's; it is held to the rules of files (daemon/config/paths.hpp).
// Errors:  storage::Errc; what is wrong with what was asked is a problem, not an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "crypto/digest.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/config/paths.hpp"
#include "storage/leaf.hpp"
#include "storage/paths.hpp"

namespace xinfu::vault {

storage::rows::Paths to_row(const config::Paths& paths);
config::Paths from_row(const storage::rows::Paths& row);

// Or why there is none: XF-2028 with what is wrong, XF-2021 when nothing would change. Looks for the certificates that
// routes name beneath the current directory.
Result<std::variant<storage::rows::PathsChange, boundary::Problem>> make_paths_change(
    const storage::ReadTransaction& transaction, const boundary::PathsForm& asked, const std::string& node);
// XF-2028: a node could not start with them as its files are now.
std::optional<boundary::Problem> why_not_usable(const storage::rows::Paths& paths);
// Makes them the approved ones if those it was made from still are; else XF-2021.
Result<std::optional<boundary::Problem>> apply_paths_change(storage::WriteTransaction& transaction,
                                                            const storage::rows::PathsChange& change, ByteView request,
                                                            storage::Milliseconds now);
// As it is shown and as its digest is made: canonical JSON.
std::string paths_change_json(const storage::rows::PathsChange& change, std::string_view node);
crypto::Digest digest_of(const storage::rows::PathsChange& change);  // of the paths alone
// Line by line what is different from the approved ones.
Result<void> describe_paths_differences(const storage::ReadTransaction& transaction,
                                        const storage::rows::PathsChange& change, boundary::RequestView& view);

}  // namespace xinfu::vault
