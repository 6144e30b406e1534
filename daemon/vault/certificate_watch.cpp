#include "daemon/vault/certificate_watch.hpp"

#include <chrono>

#include "daemon/vault/exchange.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {

void CertificateWatch::count(const std::string& whose, const crypto::Certificate& certificate) {
    const auto left = certificate.not_after() - std::chrono::floor<std::chrono::seconds>(context_.clock.now());
    if (left < std::chrono::seconds{0} || left > kSoon) {
        return;
    }
    const bool very = left <= kVerySoon;
    ++soon_;
    very_soon_ += very;
    const auto [known, first] = told_.try_emplace(certificate.digest(), false);
    if (first || (very && !known->second)) {
        known->second = very;
        tell_("the certificate " + to_hex(certificate.digest()).substr(0, 16) + " of " + whose + " ends in " +
              std::to_string(std::chrono::floor<std::chrono::days>(left).count()) + " days");
    }
}

Result<void> CertificateWatch::look() {
    soon_ = very_soon_ = 0;
    for (const auto* chain : {&node_.tls, &node_.parcel, &node_.anchors, &node_.envelope}) {
        for (const auto& certificate : *chain) {
            count("this node", certificate);
        }
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto accounts = storage::all_accounts(**snapshot);
    if (!accounts) {
        return accounts.error();
    }
    for (const auto& account : *accounts) {
        for (const auto& digest : account.disabled ? std::vector<crypto::Digest>() : account.certificates) {
            const auto enrolled = storage::find_certificate(**snapshot, digest);
            if (!enrolled) {
                return enrolled.error();
            }
            const auto certificate = *enrolled ? crypto::Certificate::parse_known((*enrolled)->der)
                                               : Result<crypto::Certificate>(storage::Errc::corrupt);
            if (certificate) {
                count(account.id, *certificate);
            }
        }
    }
    return {};
}

std::optional<boundary::Problem> CertificateWatch::warning() const {
    if (soon_ == 0) {
        return std::nullopt;
    }
    return problem("XF-1027", {std::to_string(soon_), std::to_string(very_soon_)});
}

}  // namespace xinfu::vault
