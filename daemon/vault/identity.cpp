#include "daemon/vault/identity.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/exchange.hpp"
#include "policies/values.hpp"
#include "storage/accounts.hpp"
#include "storage/leaf.hpp"

namespace xinfu::vault {
namespace {

std::string time_text(crypto::UtcSeconds time) {
    return storage::format_time(storage::Milliseconds(time));
}

// A unit's account stands for the unit its certificate names. A person's certificate may leave the unit out; what
// it does say must be true.
bool names_its_account(const crypto::Certificate& certificate, const storage::Account& account) {
    if (account.kind != storage::AccountKind::person) {
        return certificate.unit_code() == account.unit;
    }
    const auto& subject = certificate.subject();
    return (subject.organization_identifier.empty() || subject.organization_identifier == account.unit) &&
           (subject.serial_number.empty() || account.person.empty() || subject.serial_number == account.person);
}

constexpr std::uint32_t kRevocationRetrySeconds = 300;

}  // namespace

Result<Standing> standing_of(const storage::ReadTransaction& transaction, const crypto::Certificate& enrolled,
                             std::string_view account_id, const Revocations& revocations, storage::Milliseconds now) {
    const auto found = storage::find_account(transaction, account_id);
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return Standing{problem("XF-1001")};
    }
    const storage::Account& account = **found;
    if (std::ranges::find(account.certificates, enrolled.digest()) == account.certificates.end()) {
        return Standing{problem("XF-1001")};  // taken from the account since
    }
    if (account.disabled) {
        return Standing{problem("XF-1004")};
    }
    if (account.valid_until && day_in_shanghai(now) > static_cast<std::uint32_t>(*account.valid_until)) {
        return Standing{
            problem("XF-1019", {policies::date_text(policies::Day{std::chrono::days{*account.valid_until}})})};
    }
    const auto now_s = std::chrono::floor<std::chrono::seconds>(now);
    if (now_s < enrolled.not_before()) {
        return Standing{problem("XF-1011", {time_text(enrolled.not_before())})};
    }
    if (now_s > enrolled.not_after()) {
        return Standing{problem("XF-1002", {time_text(enrolled.not_after())})};
    }
    if (revocations.is_revoked(enrolled)) {
        return Standing{problem("XF-1003")};
    }
    if (revocations.is_unknown(enrolled, now)) {
        return Standing{problem("XF-1026", {}, kRevocationRetrySeconds)};
    }
    if (!names_its_account(enrolled, account)) {
        return Standing{problem("XF-1013")};
    }
    return Standing{Principal{account.id, account.kind, account.unit, account.unit_name, account.roles,
                              enrolled.digest(), account.person, account.units, account.catalogs, account.sources}};
}

}  // namespace xinfu::vault
