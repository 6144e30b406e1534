#include "storage/accounts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "storage/error.hpp"

namespace xinfu::storage {
namespace {

template <class Row>
Result<std::optional<Row>> read_row(const ReadTransaction& transaction, Table table, ByteView key) {
    auto value = transaction.get(table, key);
    if (!value) {
        return value.error();
    }
    if (!*value) {
        return std::optional<Row>{};
    }
    Row row;
    if (!row.ParseFromArray((*value)->data(), static_cast<int>((*value)->size()))) {
        return Errc::corrupt;
    }
    return std::optional<Row>{std::move(row)};
}

template <class Row>
Result<void> write_row(WriteTransaction& transaction, Table table, ByteView key, const Row& row) {
    const std::string bytes = row.SerializeAsString();
    return transaction.put(table, key, as_bytes(bytes));
}

// How long accounts were locked when rows said until when.
constexpr std::int64_t kFormerLockMs = 30 * 60 * 1000;

// Purpose first, so that no digest made under the same key for something else can be mistaken for this one.
crypto::Digest person_key(ByteView index_key, std::string_view number) {
    Bytes message = to_bytes("person");
    message.push_back(0);
    message.insert(message.end(), number.begin(), number.end());
    return crypto::hmac_sha256(index_key, message);
}

}  // namespace

Result<Account> from_row(const rows::Account& row) {
    Account account;
    account.id = row.id();
    switch (row.kind()) {
        case rows::Account::MACHINE: account.kind = AccountKind::machine; break;
        case rows::Account::PERSON: account.kind = AccountKind::person; break;
        case rows::Account::PLATFORM: account.kind = AccountKind::platform; break;
        default: return Errc::corrupt;
    }
    account.disabled = row.state() != rows::Account::ACTIVE;
    account.unit = row.unit();
    account.unit_name = row.unit_name();
    account.roles.assign(row.roles().begin(), row.roles().end());
    for (const auto& digest : row.certificates()) {
        crypto::Digest copy{};
        if (digest.size() != copy.size()) {
            return Errc::corrupt;
        }
        std::copy_n(as_bytes(digest).begin(), copy.size(), copy.begin());
        account.certificates.push_back(copy);
    }
    account.person = row.person();
    account.units.assign(row.units().begin(), row.units().end());
    account.created_ms = row.created_ms();
    account.name = row.name();
    account.post = row.post();
    account.phone = row.phone();
    account.catalogs.assign(row.catalogs().begin(), row.catalogs().end());
    account.sources.assign(row.sources().begin(), row.sources().end());
    if (row.has_valid_until()) {
        account.valid_until = row.valid_until();
    }
    account.approval = to_bytes(row.approval());
    return account;
}

rows::Account to_row(const Account& account) {
    rows::Account row;
    row.set_id(account.id);
    switch (account.kind) {
        case AccountKind::machine: row.set_kind(rows::Account::MACHINE); break;
        case AccountKind::person: row.set_kind(rows::Account::PERSON); break;
        case AccountKind::platform: row.set_kind(rows::Account::PLATFORM); break;
    }
    row.set_state(account.disabled ? rows::Account::DISABLED : rows::Account::ACTIVE);
    row.set_unit(account.unit);
    row.set_unit_name(account.unit_name);
    for (const auto& role : account.roles) {
        row.add_roles(role);
    }
    for (const auto& digest : account.certificates) {
        row.add_certificates(digest.data(), digest.size());
    }
    row.set_person(account.person);
    for (const auto& unit : account.units) {
        row.add_units(unit);
    }
    row.set_created_ms(account.created_ms);
    row.set_name(account.name);
    row.set_post(account.post);
    row.set_phone(account.phone);
    for (const auto& catalog : account.catalogs) {
        row.add_catalogs(catalog);
    }
    for (const auto& source : account.sources) {
        row.add_sources(source);
    }
    if (account.valid_until) {
        row.set_valid_until(*account.valid_until);
    }
    row.set_approval(account.approval.data(), account.approval.size());
    return row;
}

crypto::Digest digest_of(const Account& account) {
    const std::string bytes = to_row(account).SerializeAsString();
    return crypto::sha256(as_bytes(bytes));
}

Result<std::string> next_account_id(const ReadTransaction& transaction, AccountKind kind) {
    const char letter = kind == AccountKind::person ? 'p' : kind == AccountKind::machine ? 'm' : 'n';
    const std::string prefix{letter, '-'};
    std::uint64_t highest = 0;
    const auto visited = transaction.visit(Table::accounts, as_bytes(prefix), {}, [&](ByteView key, ByteView) {
        const std::string_view digits = as_text(key).substr(prefix.size());
        std::uint64_t number = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc{}) {
            highest = std::max(highest, number);
        }
        return true;
    });
    if (!visited) {
        return visited.error();
    }
    std::array<char, 24> id{};
    std::snprintf(id.data(), id.size(), "%c-%04llu", letter, static_cast<unsigned long long>(highest + 1));
    return std::string(id.data());
}

Result<std::optional<Account>> find_account(const ReadTransaction& transaction, std::string_view id) {
    auto row = read_row<rows::Account>(transaction, Table::accounts, as_bytes(id));
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return std::optional<Account>{};
    }
    auto account = from_row(**row);
    if (!account) {
        return account.error();
    }
    return std::optional<Account>{std::move(*account)};
}

Result<std::vector<Account>> all_accounts(const ReadTransaction& transaction) {
    std::vector<Account> accounts;
    bool corrupt = false;
    const auto visited = transaction.visit(Table::accounts, {}, {}, [&](ByteView, ByteView value) {
        rows::Account row;
        if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
            corrupt = true;
            return false;
        }
        auto account = from_row(row);
        if (!account) {
            corrupt = true;
            return false;
        }
        accounts.push_back(std::move(*account));
        return true;
    });
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    return accounts;
}

Result<void> put_account(WriteTransaction& transaction, const Account& account) {
    return write_row(transaction, Table::accounts, as_bytes(account.id), to_row(account));
}

Result<std::optional<EnrolledCertificate>> find_certificate(const ReadTransaction& transaction,
                                                            const crypto::Digest& digest) {
    auto row = read_row<rows::Certificate>(transaction, Table::certificates, digest);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return std::optional<EnrolledCertificate>{};
    }
    return std::optional<EnrolledCertificate>{
        EnrolledCertificate{(*row)->account(), to_bytes((*row)->der()), (*row)->enrolled_ms()}};
}

Result<void> put_certificate(WriteTransaction& transaction, const EnrolledCertificate& certificate) {
    rows::Certificate row;
    row.set_account(certificate.account);
    row.set_der(certificate.der.data(), certificate.der.size());
    row.set_enrolled_ms(certificate.enrolled_ms);
    return write_row(transaction, Table::certificates, crypto::sha256(certificate.der), row);
}

Result<std::optional<Person>> find_person(const ReadTransaction& transaction, ByteView index_key,
                                          std::string_view number) {
    auto row = read_row<rows::Person>(transaction, Table::persons, person_key(index_key, number));
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return std::optional<Person>{};
    }
    const rows::Person& found = **row;
    Person person;
    person.number = found.number();
    person.account = found.account();
    person.password_hash = found.password_hash();
    person.failures = found.failures();
    person.locked_ms = found.locked_ms();
    if (found.locked_ms() == 0 && found.locked_until_ms() != 0) {
        person.locked_ms = found.locked_until_ms() - kFormerLockMs;
    }
    person.password_set_ms = found.password_set_ms();
    person.former_hashes.assign(found.former_hashes().begin(), found.former_hashes().end());
    person.last_login_ms = found.last_login_ms();
    person.last_source = found.last_source();
    return std::optional<Person>{std::move(person)};
}

Result<void> put_person(WriteTransaction& transaction, ByteView index_key, const Person& person) {
    rows::Person row;
    row.set_number(person.number);
    row.set_account(person.account);
    row.set_password_hash(person.password_hash);
    row.set_failures(person.failures);
    row.set_locked_ms(person.locked_ms);
    row.set_password_set_ms(person.password_set_ms);
    for (const auto& hash : person.former_hashes) {
        row.add_former_hashes(hash);
    }
    row.set_last_login_ms(person.last_login_ms);
    row.set_last_source(person.last_source);
    return write_row(transaction, Table::persons, person_key(index_key, person.number), row);
}

std::string_view to_text(AccountKind kind) {
    switch (kind) {
        case AccountKind::machine: return "machine";
        case AccountKind::person: return "person";
        case AccountKind::platform: return "platform";
    }
    return {};
}

std::optional<AccountKind> account_kind_from_text(std::string_view text) {
    for (const auto kind : {AccountKind::machine, AccountKind::person, AccountKind::platform}) {
        if (text == to_text(kind)) {
            return kind;
        }
    }
    return std::nullopt;
}

}  // namespace xinfu::storage
