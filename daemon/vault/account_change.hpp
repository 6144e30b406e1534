// AccountChange: what an account shall be, from the form that asks for it to the rows that make it so. Nothing here is
// in force before others approved of it (requests.hpp).
//
// Threads: functions on a transaction; the transaction's rules apply.
// Trust:   the form is an authenticated person's; its certificates are parsed here, bounded, and must lead to the
// node's
//          anchors.
// Errors:  storage::Errc; what is wrong with the form is a problem, not an error.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crypto/certificate.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/revocation.hpp"
#include "storage/accounts.hpp"
#include "storage/ledger.hpp"

namespace xinfu::vault {

struct ChangeRules {
    const PolicySet& policies;
    const std::vector<crypto::Certificate>& anchors;
    const Revocations& revocations;
    ByteView index_key;
    storage::Milliseconds now;
};

// The change that `asked` describes, from the state of `transaction`, or why there is none: XF-2005, XF-2010, XF-2018,
// XF-2019, XF-2020.
using AskedChange = std::variant<storage::rows::AccountChange, boundary::Problem>;
Result<AskedChange> make_account_change(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                                        const boundary::OpenRequest& asked);

// As it is shown and as its digest is made: canonical JSON. Everything that will be stored is in it; certificates are
// named by their SHA-256.
std::string account_change_json(const storage::rows::AccountChange& change, std::string_view act,
                                std::string_view node);
// Field by field what is different, for people.
void describe_differences(const std::optional<storage::Account>& before, const storage::rows::AccountChange& change,
                          boundary::RequestView& view);

// Whether the change gives somebody a power over accounts or packs that no person who could act now has at this
// node: only then may it be asked for and decided on by those who otherwise could not.
Result<bool> is_recovery(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                         const storage::rows::AccountChange& change);

struct ChangedAccount {
    std::string id;
    bool opened = false;             // it did not exist before
    std::vector<std::string> units;  // which need keys
};
// Checks all of it once more against what is committed by now, and writes the rows. Nothing is written with a problem:
// XF-2021, or as make_account_change. `request`: the id that the account names as its approval.
using AppliedChange = std::variant<ChangedAccount, boundary::Problem>;
Result<AppliedChange> apply_account_change(storage::Batch& batch, const ChangeRules& rules,
                                           const storage::rows::AccountChange& change, ByteView request);

}  // namespace xinfu::vault
