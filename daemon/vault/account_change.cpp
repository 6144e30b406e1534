#include "daemon/vault/account_change.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/identity.hpp"
#include "policies/account_form.hpp"
#include "policies/values.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using boundary::Problem;
using storage::rows::AccountChange;

constexpr std::size_t kShownBytesMax = 1000;
constexpr std::size_t kCertificatesMax = 4;  // two in use, each with its successor

std::vector<std::string> texts(const google::protobuf::RepeatedPtrField<std::string>& list) {
    return {list.begin(), list.end()};
}

std::string date_of(const std::optional<std::int32_t>& day) {
    return day ? policies::date_text(policies::Day{std::chrono::days{*day}}) : std::string();
}

std::string hex_list(const std::vector<crypto::Digest>& digests, std::string_view separator) {
    std::string list;
    for (const auto& digest : digests) {
        list += (list.empty() ? "" : std::string(separator)) + to_hex(digest);
    }
    return list;
}

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const auto& one : list) {
        text += (text.empty() ? "" : ", ") + one;
    }
    return text;
}

// Long lists are in the change itself, whole.
std::string shortened(const std::string& text) {
    if (text.size() <= kShownBytesMax) {
        return text;
    }
    std::size_t end = kShownBytesMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
        --end;
    }
    return text.substr(0, end) + " ...";
}

policies::AccountForm form_of(const storage::Account& account) {
    return {std::string(storage::to_text(account.kind)),
            account.unit,
            account.unit_name,
            account.name,
            account.post,
            account.phone,
            account.roles,
            account.catalogs,
            account.units,
            account.sources,
            account.valid_until};
}

std::optional<Problem> check_form(const ChangeRules& rules, const storage::Account& account) {
    std::vector<std::string> catalogs;
    for (const auto& [name, catalog] : rules.policies.catalogs) {
        catalogs.push_back(name);
    }
    const auto today = static_cast<std::int32_t>(day_in_shanghai(rules.now));
    const auto defect = policies::check_account_form(form_of(account), rules.policies.access, catalogs, today);
    return defect ? std::optional(problem(defect->code, defect->arguments)) : std::nullopt;
}

// One that this account may come with: a path to the anchors, valid and unrevoked, of its person or unit, nobody
// else's.
Result<std::optional<Problem>> check_certificate(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                                                 const storage::Account& account,
                                                 const crypto::Certificate& certificate) {
    const auto refused = [](std::string why) {
        return Result<std::optional<Problem>>(problem("XF-2020", {std::move(why)}));
    };
    const auto now = std::chrono::floor<std::chrono::seconds>(rules.now);
    if (!certificate.valid_at(now)) {
        return refused("not valid now");
    }
    const auto path = crypto::validate_path(certificate, {}, rules.anchors, now, crypto::CertificateUse::tls_client);
    if (!path) {
        return refused(path.error().message());
    }
    if (rules.revocations.is_revoked(certificate)) {
        return refused("revoked");
    }
    if (account.kind == storage::AccountKind::person) {
        if (certificate.subject().serial_number.empty() || certificate.subject().serial_number != account.person) {
            return refused("it names no person, or another one");
        }
        if (!certificate.subject().organization_identifier.empty() &&
            certificate.subject().organization_identifier != account.unit) {
            return refused("it names another unit");
        }
    } else if (certificate.unit_code() != account.unit) {
        return refused("it names another unit");
    }
    const auto owner = storage::find_certificate(transaction, certificate.digest());
    if (!owner) {
        return owner.error();
    }
    if (*owner && (*owner)->account != account.id) {
        return std::optional(problem("XF-2019", {(*owner)->account}));
    }
    return std::optional<Problem>{};
}

// One natural person has one account, so that roles that exclude each other meet in it.
Result<std::optional<Problem>> check_person(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                                            const storage::Account& account) {
    if (account.kind != storage::AccountKind::person) {
        return std::optional<Problem>{};
    }
    const auto person = storage::find_person(transaction, rules.index_key, account.person);
    if (!person) {
        return person.error();
    }
    if (*person && (*person)->account != account.id) {
        return std::optional(problem("XF-2019", {(*person)->account}));
    }
    return std::optional<Problem>{};
}

Result<std::optional<Problem>> check_all(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                                         const storage::Account& account, const AccountChange& change) {
    if (auto defect = check_form(rules, account)) {
        return std::optional(std::move(*defect));
    }
    for (const auto& der : change.certificates()) {
        const auto certificate = crypto::Certificate::parse(as_bytes(der));
        if (!certificate) {
            return std::optional(problem("XF-2020", {"it cannot be read"}));
        }
        auto defect = check_certificate(transaction, rules, account, *certificate);
        if (!defect || *defect) {
            return defect;
        }
    }
    return check_person(transaction, rules, account);
}

// The form's words, as far as they have a form themselves.
std::optional<Problem> take_form(const boundary::AccountForm& form, storage::Account& account) {
    const auto wrong = [](std::string member) { return std::optional(problem("XF-2018", {std::move(member)})); };
    const auto is_text = [](const std::string& text) { return crypto::is_utf8(text); };
    for (const auto* text : {&form.unit(), &form.unit_name(), &form.name(), &form.post(), &form.phone()}) {
        if (!is_text(*text)) {
            return wrong("name");
        }
    }
    for (const auto* list : {&form.roles(), &form.catalogs(), &form.units(), &form.sources()}) {
        if (!std::ranges::all_of(*list, is_text)) {
            return wrong("roles");
        }
    }
    const auto kind = storage::account_kind_from_text(form.kind());
    if (!kind || (!account.id.empty() && *kind != account.kind)) {
        return wrong("kind");
    }
    account.kind = *kind;
    account.unit = form.unit();
    account.unit_name = form.unit_name();
    account.name = form.name();
    account.post = form.post();
    account.phone = form.phone();
    account.roles = texts(form.roles());
    account.catalogs = texts(form.catalogs());
    account.units = texts(form.units());
    account.sources = texts(form.sources());
    account.valid_until.reset();
    if (!form.valid_until().empty()) {
        const auto date = policies::read_date(form.valid_until());
        if (!date || !date->canonical || date->has_time) {
            return wrong("valid_until");
        }
        account.valid_until = static_cast<std::int32_t>(date->day.time_since_epoch().count());
    }
    return std::nullopt;
}

std::optional<Problem> take_certificates(const boundary::AccountForm& form, storage::Account& account,
                                         AccountChange& change) {
    if (form.certificates().empty() && !account.id.empty()) {
        return std::nullopt;  // it keeps those it has
    }
    if (form.certificates().empty() || static_cast<std::size_t>(form.certificates_size()) > kCertificatesMax) {
        return problem("XF-2018", {"certificates"});
    }
    account.certificates.clear();
    for (const auto& der : form.certificates()) {
        const auto certificate = crypto::Certificate::parse(as_bytes(der));
        if (!certificate) {
            return problem("XF-2020", {"it cannot be read"});
        }
        if (std::ranges::find(account.certificates, certificate->digest()) != account.certificates.end()) {
            return problem("XF-2018", {"certificates"});
        }
        account.certificates.push_back(certificate->digest());
        change.add_certificates(der);
        if (account.kind == storage::AccountKind::person && account.person.empty()) {
            account.person = certificate->subject().serial_number;
        }
    }
    return std::nullopt;
}

}  // namespace

Result<AskedChange> make_account_change(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                                        const boundary::OpenRequest& asked) {
    storage::Account account;
    AccountChange change;
    if (!asked.account().empty()) {
        auto found = storage::find_account(transaction, asked.account());
        if (!found) {
            return found.error();
        }
        if (!*found) {
            return AskedChange(problem("XF-2005"));
        }
        account = std::move(**found);
        const auto before = storage::digest_of(account);
        change.set_before(before.data(), before.size());
        account.disabled = false;
    }
    account.approval.clear();
    if (auto defect = take_form(asked.form(), account)) {
        return AskedChange(std::move(*defect));
    }
    if (asked.form().reset_password() && (account.id.empty() || account.kind != storage::AccountKind::person)) {
        return AskedChange(problem("XF-2018", {"reset_password"}));
    }
    change.set_reset_password(asked.form().reset_password());
    if (auto defect = take_certificates(asked.form(), account, change)) {
        return AskedChange(std::move(*defect));
    }
    auto defect = check_all(transaction, rules, account, change);
    if (!defect) {
        return defect.error();
    }
    if (*defect) {
        return AskedChange(std::move(**defect));
    }
    *change.mutable_account() = storage::to_row(account);
    return AskedChange(std::move(change));
}

std::string account_change_json(const AccountChange& change, std::string_view act, std::string_view node) {
    const auto parsed = storage::from_row(change.account());
    const storage::Account account = parsed ? *parsed : storage::Account{};
    std::vector<std::string> certificates;
    for (const auto& digest : account.certificates) {
        certificates.push_back(to_hex(digest));
    }
    crypto::JsonObject form;
    form.text("kind", storage::to_text(account.kind))
        .text("unit", account.unit)
        .text("unit_name", account.unit_name)
        .text_if("name", account.name)
        .text_if("post", account.post)
        .text_if("phone", account.phone)
        .text_if("person", account.person)
        .texts("roles", account.roles)
        .texts("catalogs", account.catalogs)
        .texts("units", account.units)
        .texts("sources", account.sources)
        .texts("certificates", certificates)
        .text_if("valid_until", date_of(account.valid_until));
    crypto::JsonObject json;
    json.text("act", act)
        .text_if("account", account.id)
        .text_if("before", to_hex(as_bytes(change.before())))
        .object("form", form)
        .text("node", node);
    if (change.reset_password()) {
        json.boolean("reset_password", true);
    }
    return json.encode();
}

void describe_differences(const std::optional<storage::Account>& before, const AccountChange& change,
                          boundary::RequestView& view) {
    const auto parsed = storage::from_row(change.account());
    const storage::Account after = parsed ? *parsed : storage::Account{};
    const storage::Account old = before ? *before : storage::Account{};
    const auto tell = [&](const char* field, const std::string& was, const std::string& becomes) {
        if (was != becomes) {
            auto& difference = *view.add_differences();
            difference.set_field(field);
            difference.set_before(shortened(was));
            difference.set_after(shortened(becomes));
        }
    };
    tell("kind", before ? std::string(storage::to_text(old.kind)) : "", std::string(storage::to_text(after.kind)));
    tell("state", before ? (old.disabled ? "disabled" : "active") : "", "active");
    tell("unit", old.unit, after.unit);
    tell("unit_name", old.unit_name, after.unit_name);
    tell("name", old.name, after.name);
    tell("post", old.post, after.post);
    tell("phone", old.phone, after.phone);
    tell("roles", joined(old.roles), joined(after.roles));
    tell("catalogs", joined(old.catalogs), joined(after.catalogs));
    tell("units", joined(old.units), joined(after.units));
    tell("sources", joined(old.sources), joined(after.sources));
    tell("valid_until", date_of(old.valid_until), date_of(after.valid_until));
    tell("password", "", change.reset_password() ? "reset" : "");
    tell("certificates", hex_list(old.certificates, ", "), hex_list(after.certificates, ", "));
}

Result<bool> is_recovery(const storage::ReadTransaction& transaction, const ChangeRules& rules,
                         const AccountChange& change) {
    const auto& access = rules.policies.access;
    const auto accounts = storage::all_accounts(transaction);
    if (!accounts) {
        return Result<bool>(boost::system::in_place_error, accounts.error());
    }
    std::vector<Principal> persons;  // who can act now
    for (const auto& account : *accounts) {
        if (account.kind != storage::AccountKind::person) {
            continue;
        }
        for (const auto& digest : account.certificates) {
            const auto enrolled = storage::find_certificate(transaction, digest);
            if (!enrolled) {
                return Result<bool>(boost::system::in_place_error, enrolled.error());
            }
            const auto certificate = *enrolled ? crypto::Certificate::parse_known((*enrolled)->der)
                                               : Result<crypto::Certificate>(storage::Errc::corrupt);
            if (!certificate) {
                continue;
            }
            auto standing = standing_of(transaction, *certificate, account.id, rules.revocations, rules.now);
            if (!standing) {
                return Result<bool>(boost::system::in_place_error, standing.error());
            }
            if (auto* principal = std::get_if<Principal>(&*standing)) {
                persons.push_back(std::move(*principal));
                break;
            }
        }
    }
    const std::vector<std::string> roles(change.account().roles().begin(), change.account().roles().end());
    constexpr auto kElsewhere = policies::Relation::other_unit;
    for (const auto verb : {policies::verb::request_account, policies::verb::decide_account,
                            policies::verb::request_policy, policies::verb::decide_policy}) {
        const bool somebody = std::ranges::any_of(persons, [&](const Principal& principal) {
            return policies::decide(access, principal.roles, verb, {}, kElsewhere).permit;
        });
        if (!somebody && policies::decide(access, roles, verb, {}, kElsewhere).permit) {
            return true;
        }
    }
    return false;
}

Result<AppliedChange> apply_account_change(storage::Batch& batch, const ChangeRules& rules, const AccountChange& change,
                                           ByteView request) {
    auto& transaction = batch.transaction();
    auto parsed = storage::from_row(change.account());
    if (!parsed) {
        return parsed.error();
    }
    storage::Account account = std::move(*parsed);
    const bool opened = account.id.empty();
    if (!opened) {
        const auto found = storage::find_account(transaction, account.id);
        if (!found) {
            return found.error();
        }
        if (!*found || !std::ranges::equal(storage::digest_of(**found), as_bytes(change.before()))) {
            return AppliedChange(problem("XF-2021"));
        }
    }
    auto defect = check_all(transaction, rules, account, change);
    if (!defect) {
        return defect.error();
    }
    if (*defect) {
        return AppliedChange(std::move(**defect));
    }
    const std::int64_t now_ms = batch.time().time_since_epoch().count();
    if (opened) {
        auto id = storage::next_account_id(transaction, account.kind);
        if (!id) {
            return id.error();
        }
        account.id = std::move(*id);
        account.created_ms = now_ms;
        if (account.kind == storage::AccountKind::person) {
            storage::Person person;
            person.number = account.person;
            person.account = account.id;
            if (const auto put = storage::put_person(transaction, rules.index_key, person); !put) {
                return put.error();
            }
        }
    }
    if (change.reset_password()) {
        auto person = storage::find_person(transaction, rules.index_key, account.person);
        if (!person) {
            return person.error();
        }
        if (!*person) {
            return storage::Errc::corrupt;
        }
        if (!(*person)->password_hash.empty()) {
            // What was used before stays known: it is not taken again.
            (*person)->former_hashes.insert((*person)->former_hashes.begin(), std::move((*person)->password_hash));
            (*person)->password_hash.clear();
        }
        (*person)->failures = 0;
        (*person)->locked_ms = 0;
        if (const auto put = storage::put_person(transaction, rules.index_key, **person); !put) {
            return put.error();
        }
    }
    account.approval = Bytes(request.begin(), request.end());
    for (const auto& der : change.certificates()) {
        const storage::EnrolledCertificate certificate{account.id, to_bytes(der), now_ms};
        if (const auto put = storage::put_certificate(transaction, certificate); !put) {
            return put.error();
        }
    }
    if (const auto put = storage::put_account(transaction, account); !put) {
        return put.error();
    }
    ChangedAccount changed{account.id, opened, account.units};
    changed.units.push_back(account.unit);
    return AppliedChange(std::move(changed));
}

}  // namespace xinfu::vault
