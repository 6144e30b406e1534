// Accounts: who is enrolled at a node, with which certificates, for which unit and in which roles.
//
// A certificate belongs to one account and is found by the SHA-256 of its whole DER. A natural person has one
// account; the key of the persons' table is a keyed digest of the number, since keys are not sealed.
//
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "storage/account_rows.pb.h"
#include "storage/engine.hpp"

namespace xinfu::storage {

enum class AccountKind { machine, person, platform };

struct Account {
    std::string id;  // opaque: "m-0001", "p-0001", "n-0001"
    AccountKind kind = AccountKind::machine;
    bool disabled = false;
    std::string unit;  // unified social credit code
    std::string unit_name;
    std::vector<std::string> roles;
    std::vector<crypto::Digest> certificates;  // SHA-256 of the DER
    std::string person;                        // natural person's number; persons only
    std::vector<std::string> units;            // platforms: the units it may speak for
    std::int64_t created_ms = 0;               // UTC

    // As the approved form says (policies/account_form.hpp); empty for accounts of the bootstrap.
    std::string name;
    std::string post;
    std::string phone;
    std::vector<std::string> catalogs;        // none: all that its roles' grants cover
    std::vector<std::string> sources;         // addresses and networks it may come from; none: any
    std::optional<std::int32_t> valid_until;  // last day, since 1970-01-01 in Asia/Shanghai
    Bytes approval;                           // id of the request that opened or last changed it
};

struct EnrolledCertificate {
    std::string account;
    Bytes der;
    std::int64_t enrolled_ms = 0;  // UTC
};

struct Person {
    std::string number;
    std::string account;
    std::string password_hash;  // PHC string; empty until the first login
    std::uint32_t failures = 0;
    std::int64_t locked_ms = 0;              // UTC, when it was locked; 0: not
    std::int64_t password_set_ms = 0;        // UTC, by the log's time
    std::vector<std::string> former_hashes;  // PHC strings of the passwords before, the newest first
    std::int64_t last_login_ms = 0;          // UTC, by the log's time; 0: never
    std::string last_source;                 // address of the last login
};

Result<std::optional<Account>> find_account(const ReadTransaction& transaction, std::string_view id);
Result<std::vector<Account>> all_accounts(const ReadTransaction& transaction);  // ascending by id
Result<void> put_account(WriteTransaction& transaction, const Account& account);
// SHA-256 of what put_account() writes: whether an account is still what it was.
crypto::Digest digest_of(const Account& account);
// As rows of requests hold it.
rows::Account to_row(const Account& account);
Result<Account> from_row(const rows::Account& row);  // Errors: corrupt
// The id of the next new account of that kind.
Result<std::string> next_account_id(const ReadTransaction& transaction, AccountKind kind);

Result<std::optional<EnrolledCertificate>> find_certificate(const ReadTransaction& transaction,
                                                            const crypto::Digest& digest);
// Stores the certificate under SHA-256(der). Adding its digest to the account is the caller's.
Result<void> put_certificate(WriteTransaction& transaction, const EnrolledCertificate& certificate);

// `index_key` is the node's key of that name (node_keys.hpp).
Result<std::optional<Person>> find_person(const ReadTransaction& transaction, ByteView index_key,
                                          std::string_view number);
Result<void> put_person(WriteTransaction& transaction, ByteView index_key, const Person& person);

// "machine", "person", "platform": as the access pack writes kinds.
std::string_view to_text(AccountKind kind);
std::optional<AccountKind> account_kind_from_text(std::string_view text);

}  // namespace xinfu::storage
