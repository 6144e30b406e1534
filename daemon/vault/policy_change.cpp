#include "daemon/vault/policy_change.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/exchange.hpp"
#include "policies/differences.hpp"

namespace xinfu::vault {
namespace {

using boundary::Problem;
using storage::Pack;
using storage::PackKind;
using storage::rows::ActivePacks;
using storage::rows::PolicyChange;

constexpr std::size_t kPacksMax = 256;
constexpr std::size_t kShownBytesMax = 20 * 1024;  // of differences

std::optional<ActivePacks::Kind> kind_from_text(std::string_view text) {
    for (const auto& [word, kind] : {std::pair<std::string_view, ActivePacks::Kind>{"catalog", ActivePacks::CATALOG},
                                     {"access", ActivePacks::ACCESS},
                                     {"calendar", ActivePacks::CALENDAR}}) {
        if (text == word) {
            return kind;
        }
    }
    return std::nullopt;
}

PackKind kind_of(ActivePacks::Kind kind) {
    switch (kind) {
        case ActivePacks::ACCESS: return PackKind::access;
        case ActivePacks::CALENDAR: return PackKind::calendar;
        default: return PackKind::catalog;
    }
}

Pack pack_of(const PolicyChange::Pack& row) {
    return {kind_of(row.kind()), to_bytes(row.bytes())};
}

bool names(const PolicyChange& change, const crypto::Digest& digest) {
    return std::ranges::any_of(change.remove(),
                               [&](const std::string& one) { return std::ranges::equal(as_bytes(one), digest); });
}

void tell(boundary::RequestView& view, std::size_t& room, const std::string& field, std::string_view before,
          std::string_view after) {
    for (const auto& difference : policies::line_differences(before, after)) {
        const std::size_t size = difference.before.size() + difference.after.size() + field.size() + 16;
        if (room < size) {
            auto& rest = *view.add_differences();
            rest.set_field(field);
            rest.set_after("...");
            return;
        }
        room -= size;
        auto& shown = *view.add_differences();
        shown.set_field(field);
        shown.set_before(difference.before);
        shown.set_after(difference.after);
    }
}

// Text of an active pack that a new one takes the place of, for the comparison alone.
std::string_view compared_with(const PolicySet& active, const PolicyChange& change, const Pack& added) {
    for (std::size_t at = 0; at < active.packs.size(); ++at) {
        const Pack& old = active.packs[at];
        const bool replaced = added.kind == PackKind::catalog ? names(change, crypto::sha256(old.bytes)) : true;
        if (old.kind == added.kind && replaced) {
            return as_text(old.bytes);
        }
    }
    return {};
}

}  // namespace

std::string_view to_text(PackKind kind) {
    switch (kind) {
        case PackKind::catalog: return "catalog";
        case PackKind::access: return "access";
        case PackKind::calendar: return "calendar";
    }
    return {};
}

std::variant<PolicyChange, Problem> make_policy_change(const std::vector<Pack>& active,
                                                       const boundary::PolicyForm& asked) {
    const auto wrong = [](std::string member) { return problem("XF-1117", {std::move(member)}); };
    const auto is_active = [&](const crypto::Digest& digest) {
        return std::ranges::any_of(active, [&](const Pack& pack) { return crypto::sha256(pack.bytes) == digest; });
    };
    PolicyChange change;
    const auto base = storage::policy_digest(active);
    change.set_base(base.data(), base.size());
    std::set<crypto::Digest> added;
    bool access = false;
    bool calendar = false;
    for (const auto& pack : asked.packs()) {
        const auto kind = kind_from_text(pack.kind());
        const auto digest = crypto::sha256(as_bytes(pack.text()));
        if (!kind || pack.text().empty() || !crypto::is_utf8(pack.text()) || is_active(digest) ||
            !added.insert(digest).second || (*kind == ActivePacks::ACCESS && std::exchange(access, true)) ||
            (*kind == ActivePacks::CALENDAR && std::exchange(calendar, true))) {
            return wrong("packs");
        }
        auto& row = *change.add_add();
        row.set_kind(*kind);
        row.set_bytes(pack.text());
    }
    for (const auto& hex : asked.remove()) {
        const auto bytes = from_hex(hex);
        crypto::Digest digest{};
        if (!bytes || bytes->size() != digest.size()) {
            return wrong("remove");
        }
        std::ranges::copy(*bytes, digest.begin());
        if (!is_active(digest) || names(change, digest)) {
            return wrong("remove");
        }
        change.add_remove(digest.data(), digest.size());
    }
    if (change.add().empty() && change.remove().empty()) {
        return wrong("packs");
    }
    const auto after = packs_after(active, change);
    if (after.size() > kPacksMax) {
        return wrong("packs");
    }
    const auto result = storage::policy_digest(after);
    change.set_result(result.data(), result.size());
    return change;
}

std::vector<Pack> packs_after(const std::vector<Pack>& active, const PolicyChange& change) {
    std::vector<Pack> packs;
    for (const Pack& pack : active) {
        const auto* successor = [&]() -> const PolicyChange::Pack* {
            for (const auto& row : change.add()) {
                if (pack.kind != PackKind::catalog && kind_of(row.kind()) == pack.kind) {
                    return &row;
                }
            }
            return nullptr;
        }();
        if (successor == nullptr && !names(change, crypto::sha256(pack.bytes))) {
            packs.push_back(pack);
        }
    }
    for (const auto& row : change.add()) {
        packs.push_back(pack_of(row));
    }
    return packs;
}

std::string policy_change_json(const PolicyChange& change, std::string_view node) {
    std::string add = "[";
    for (const auto& row : change.add()) {
        crypto::JsonObject pack;
        pack.text("digest", to_hex(crypto::sha256(as_bytes(row.bytes())))).text("kind", to_text(kind_of(row.kind())));
        add += (add.size() == 1 ? "" : ",") + pack.encode();
    }
    std::vector<std::string> remove;
    for (const auto& digest : change.remove()) {
        remove.push_back(to_hex(as_bytes(digest)));
    }
    crypto::JsonObject json;
    json.text("act", policies::act::policy)
        .raw("add", add + "]")
        .text("base", to_hex(as_bytes(change.base())))
        .text("node", node)
        .texts("remove", remove)
        .text("result", to_hex(as_bytes(change.result())));
    return json.encode();
}

void describe_policy_differences(const PolicySet& active, const PolicyChange& change, boundary::RequestView& view) {
    std::size_t room = kShownBytesMax;
    for (const auto& row : change.add()) {
        const Pack pack = pack_of(row);
        const std::string digest = to_hex(crypto::sha256(pack.bytes)).substr(0, 16);
        tell(view, room, std::string(to_text(pack.kind)) + " " + digest, compared_with(active, change, pack),
             as_text(pack.bytes));
    }
    for (std::size_t at = 0; at < active.packs.size(); ++at) {
        const auto digest = crypto::sha256(active.packs[at].bytes);
        if (names(change, digest)) {
            auto& gone = *view.add_differences();
            gone.set_field(std::string(to_text(active.packs[at].kind)) + " " + active.catalog_of[at]);
            gone.set_before(to_hex(digest));
        }
    }
}

Result<std::optional<Problem>> check_accounts_fit(const storage::ReadTransaction& transaction,
                                                  const PolicySet& policies) {
    const auto accounts = storage::all_accounts(transaction);
    if (!accounts) {
        return accounts.error();
    }
    std::set<std::string> may_ask;
    std::set<std::string> may_decide;
    for (const auto& account : *accounts) {
        if (account.disabled || account.kind != storage::AccountKind::person) {
            continue;
        }
        if (const auto conflict = policies::find_conflict(policies.access, account.roles); !conflict.first.empty()) {
            return std::optional(problem("XF-2010", {conflict.first, conflict.second}));
        }
        const auto may = [&](std::string_view verb) {
            return policies::decide(policies.access, account.roles, verb, {}, policies::Relation::other_unit).permit;
        };
        if (may(policies::verb::request_policy)) {
            may_ask.insert(account.person);
        }
        if (may(policies::verb::decide_policy)) {
            may_decide.insert(account.person);
        }
    }
    const auto* rule = policies.access.approval_of(policies::act::policy);
    const bool possible = rule != nullptr && std::ranges::any_of(may_ask, [&](const std::string& applicant) {
                              return may_decide.size() - may_decide.count(applicant) >= rule->approvers;
                          });
    return possible ? std::optional<Problem>{} : std::optional(problem("XF-2025"));
}

Result<std::optional<Problem>> apply_policy_change(storage::Batch& batch, const PolicyChange& change,
                                                   const PolicySet& loaded) {
    auto& transaction = batch.transaction();
    const auto active = storage::active_policy_digest(transaction);
    if (!active) {
        return active.error();
    }
    if (!std::ranges::equal(*active, as_bytes(change.base())) ||
        !std::ranges::equal(loaded.digest, as_bytes(change.result()))) {
        return std::optional(problem("XF-2021"));
    }
    auto defect = check_accounts_fit(transaction, loaded);
    if (!defect || *defect) {
        return defect;
    }
    if (const auto put = storage::put_active_packs(transaction, loaded.packs); !put) {
        return put.error();
    }
    return std::optional<Problem>{};
}

}  // namespace xinfu::vault
