#include "daemon/client/enrolment.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "daemon/client/text.hpp"
#include "policies/identifiers.hpp"

namespace xinfu::client {
namespace {

Stop refused(const std::string& en, const std::string& zh, const std::string& code = {}) {
    return {Exit::refused, {en, zh}, code};
}

void require_unit(const std::string& unit, const std::string& whose) {
    if (policies::check_uscc(unit) != policies::UsccDefect::none) {
        throw refused(whose + ": \"" + unit + "\" is not a valid unified social credit code",
                      whose + "：“" + unit + "”不是有效的统一社会信用代码");
    }
}

void require_fit(const crypto::Certificate& certificate, const std::vector<crypto::Certificate>& anchors,
                 crypto::UtcSeconds now) {
    const std::string& name = certificate.subject().common_name;
    if (!certificate.valid_at(now)) {
        throw refused(name + ": the certificate is not valid now", name + "：证书当前不在有效期内");
    }
    if (!anchors.empty()) {
        const auto path = crypto::validate_path(certificate, {}, anchors, now, crypto::CertificateUse::tls_client);
        if (!path) {
            throw refused(name + ": " + path.error().message(), name + "：" + path.error().message());
        }
    }
}

std::string account_id(storage::AccountKind kind, std::size_t number) {
    const char letter = kind == storage::AccountKind::person ? 'p' : kind == storage::AccountKind::machine ? 'm' : 'n';
    char text[24];
    std::snprintf(text, sizeof text, "%c-%04zu", letter, number);
    return text;
}

// Four eyes from the first act: two people must be there who can decide for each other.
void require_two_persons(const std::vector<storage::Account>& accounts) {
    const auto holders = [&](std::string_view role) {
        std::set<std::string> persons;
        for (const storage::Account& account : accounts) {
            if (std::ranges::find(account.roles, role) != account.roles.end()) {
                persons.insert(account.person);
            }
        }
        return persons;
    };
    const auto security = holders("security_administrator");
    const auto approvers = holders("approver");
    for (const std::string& one : security) {
        for (const std::string& other : approvers) {
            if (one != other) {
                return;
            }
        }
    }
    throw refused("a security administrator and an approver are needed, two different natural persons",
                  "必须登记安全管理员和审批人各一名，且为不同的自然人");
}

}  // namespace

Enrolled enrol(const std::vector<Enrolment>& enrolments, const policies::AccessPolicy& policy,
               const std::vector<crypto::Certificate>& anchors, crypto::UtcSeconds now) {
    Enrolled enrolled;
    std::map<std::string, std::size_t> person_accounts;  // by number
    std::map<storage::AccountKind, std::size_t> counts;
    std::map<crypto::Digest, std::size_t> owners;
    std::set<std::string> units;
    const std::int64_t now_ms = now.time_since_epoch().count() * 1000;

    for (const Enrolment& enrolment : enrolments) {
        const crypto::Certificate& first = enrolment.certificates.front();
        const std::string& name = first.subject().common_name;
        const policies::Role* role = policy.find(enrolment.role);
        if (role == nullptr || role->kind != storage::to_text(enrolment.kind)) {
            throw refused(enrolment.role + " is no role of a " + std::string(storage::to_text(enrolment.kind)),
                          enrolment.role + " 不是此类账户的角色");
        }
        std::string person;
        std::string unit = first.unit_code();
        if (enrolment.kind == storage::AccountKind::person) {
            person = first.subject().serial_number;
            unit = first.subject().organization_identifier;  // their serial number is a person's
            if (person.empty()) {
                throw refused(name + ": a person's certificate needs a serialNumber in its subject",
                              name + "：个人证书的主体须包含 serialNumber");
            }
        }
        require_unit(unit, name);
        for (const std::string& other : enrolment.units) {
            require_unit(other, name);
        }

        std::size_t place = enrolled.accounts.size();
        if (const auto known = person_accounts.find(person); !person.empty() && known != person_accounts.end()) {
            place = known->second;
            if (enrolled.accounts[place].unit != unit) {
                throw refused(name + ": the same person with two units", name + "：同一自然人对应了两个单位");
            }
        } else {
            storage::Account account;
            account.id = account_id(enrolment.kind, ++counts[enrolment.kind]);
            account.kind = enrolment.kind;
            account.unit = unit;
            account.unit_name = first.subject().organization;
            account.person = person;
            account.units = enrolment.units;
            account.created_ms = now_ms;
            enrolled.accounts.push_back(std::move(account));
            if (!person.empty()) {
                person_accounts[person] = place;
                storage::Person& row = enrolled.persons.emplace_back();
                row.number = person;
                row.account = enrolled.accounts[place].id;
            }
        }
        storage::Account& account = enrolled.accounts[place];
        if (std::ranges::find(account.roles, enrolment.role) == account.roles.end()) {
            account.roles.push_back(enrolment.role);
        }
        if (const auto conflict = policies::find_conflict(policy, account.roles);
            !person.empty() && !conflict.first.empty()) {
            Stop stop = stop_with_code(Exit::refused, "XF-2010", {conflict.first, conflict.second});
            stop.text = {name + ": " + stop.text.en, name + "：" + stop.text.zh};
            throw stop;
        }
        for (const crypto::Certificate& certificate : enrolment.certificates) {
            // What a chain brings along, an authority's, is nobody's to sign in with.
            if (enrolment.kind != storage::AccountKind::person && certificate.unit_code() != unit) {
                throw refused(certificate.subject().common_name + ": the certificate does not name the unit " + unit,
                              certificate.subject().common_name + "：证书未载明单位 " + unit);
            }
            const auto [owner, added] = owners.emplace(certificate.digest(), place);
            if (owner->second != place) {
                throw refused(name + ": this certificate is another account's already",
                              name + "：该证书已属于另一账户");
            }
            if (added) {
                require_fit(certificate, anchors, now);
                account.certificates.push_back(certificate.digest());
                enrolled.certificates.push_back(
                    {.account = account.id, .der = certificate.der(), .enrolled_ms = now_ms});
            }
        }
        units.insert(unit);
        units.insert(enrolment.units.begin(), enrolment.units.end());
    }
    require_two_persons(enrolled.accounts);
    enrolled.units.assign(units.begin(), units.end());
    return enrolled;
}

}  // namespace xinfu::client
