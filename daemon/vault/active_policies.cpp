#include "daemon/vault/active_policies.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/boundary/error.hpp"

namespace xinfu::vault {
namespace {

// Fields of one catalog: far beyond any real sheet.
constexpr int kFieldsMax = 1000;

boundary::LoadPack::Kind to_kind(storage::PackKind kind) {
    switch (kind) {
        case storage::PackKind::catalog: return boundary::LoadPack::CATALOG;
        case storage::PackKind::access: return boundary::LoadPack::ACCESS;
        case storage::PackKind::calendar: return boundary::LoadPack::CALENDAR;
    }
    return boundary::LoadPack::CATALOG;
}

// The inspector said so: it is looked at again, since a wrong word here would open every account.
Result<policies::PasswordRules> from_message(const boundary::AccessPolicy::Passwords& message) {
    policies::PasswordRules rules;
    const auto parameters = policies::password_parameters();
    if (std::cmp_not_equal(message.persons_size(), parameters.size()) ||
        std::cmp_not_equal(message.administrators_size(), parameters.size())) {
        return boundary::Errc::unexpected;
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        rules.persons.*parameters[i].value = message.persons(static_cast<int>(i));
        rules.administrators.*parameters[i].value = message.administrators(static_cast<int>(i));
    }
    rules.unused_days = message.unused_days();
    if (!is_allowed(rules.persons) || !is_allowed(rules.administrators) ||
        !weaker_parameters(rules.administrators, rules.persons).empty() || rules.unused_days == 0 ||
        rules.unused_days > policies::kUnusedDaysMax) {
        return boundary::Errc::unexpected;
    }
    return rules;
}

Result<policies::AccessPolicy> from_message(const boundary::AccessPolicy& message) {
    policies::AccessPolicy policy;
    for (const auto& said : message.roles()) {
        policies::Role role;
        role.name = said.name();
        role.title = said.title();
        role.title_zh = said.title_zh();
        role.kind = said.kind();
        role.administrator = said.administrator();
        for (const auto& grant : said.grants()) {
            policies::Scope scope{};
            if (!policies::parse_scope(grant.scope(), scope)) {
                return boundary::Errc::unexpected;
            }
            role.grants.push_back(
                policies::Grant{grant.verb(), grant.catalog(), scope, {grant.fields().begin(), grant.fields().end()}});
        }
        policy.roles.push_back(std::move(role));
    }
    for (const auto& exclusion : message.exclusions()) {
        policy.exclusions.emplace_back(exclusion.roles().begin(), exclusion.roles().end());
    }
    for (const auto& said : message.approvals()) {
        policies::ApprovalRule rule;
        rule.act = said.act();
        rule.approvers = said.approvers();
        rule.valid = std::chrono::hours{said.valid_hours()};
        if (!policies::parse_strength(said.strength(), rule.strength) || rule.approvers == 0 ||
            rule.approvers > policies::kApproversMax || rule.valid > policies::kApprovalValidMax) {
            return boundary::Errc::unexpected;
        }
        policy.approvals.push_back(std::move(rule));
    }
    const auto passwords = from_message(message.passwords());
    if (!passwords) {
        return passwords.error();
    }
    policy.passwords = *passwords;
    return policy;
}

asio::awaitable<Result<boundary::InspectorReply>> next_reply(boundary::PacketChannel& channel) {
    auto receiving = channel.receive<boundary::InspectorReply>();
    auto envelope = co_await std::move(receiving);
    if (!envelope) {
        co_return envelope.error();
    }
    co_return std::move(envelope->message);
}

bool newer(const boundary::CatalogDescription& a, const boundary::CatalogDescription& b) {
    return a.has_effective_from() && (!b.has_effective_from() || a.effective_from() > b.effective_from());
}

void add_version(PolicySet& set, boundary::CatalogDescription catalog) {
    const std::string name = catalog.name();
    const auto known = set.catalogs.find(name);
    if (known == set.catalogs.end()) {
        set.catalogs.emplace(name, std::move(catalog));
        return;
    }
    if (newer(catalog, known->second)) {
        std::swap(known->second, catalog);
    }
    auto& older = set.older[name];
    const auto place = std::ranges::find_if(older, [&](const auto& other) { return newer(catalog, other); });
    older.insert(place, std::move(catalog));
}

// What the inspector answers to one pack, into `set`.
asio::awaitable<Result<void>> take_answer(boundary::PacketChannel& channel, const storage::Pack& pack, PolicySet& set,
                                          std::string& mistakes) {
    boundary::CatalogDescription catalog;
    for (bool first = true;; first = false) {
        auto receiving = next_reply(channel);
        auto reply = co_await std::move(receiving);
        if (!reply) {
            co_return reply.error();
        }
        if (reply->has_problem()) {
            for (const auto& argument : reply->problem().arguments()) {
                mistakes += mistakes.empty() ? argument : "; " + argument;
            }
            co_return boundary::Errc::malformed;
        }
        switch (pack.kind) {
            case storage::PackKind::access: {
                if (!reply->has_access_policy()) {
                    co_return boundary::Errc::unexpected;
                }
                auto policy = from_message(reply->access_policy());
                if (!policy) {
                    co_return policy.error();
                }
                set.access = std::move(*policy);
                co_return Result<void>{};
            }
            case storage::PackKind::calendar:
                if (!reply->has_calendar()) {
                    co_return boundary::Errc::unexpected;
                }
                co_return Result<void>{};
            case storage::PackKind::catalog: break;
        }
        if (!reply->has_pack_loaded()) {
            co_return boundary::Errc::unexpected;
        }
        auto& part = *reply->mutable_pack_loaded();
        if (first) {
            catalog = std::move(*part.mutable_catalog());
        } else {
            for (auto& field : *part.mutable_catalog()->mutable_fields()) {
                *catalog.add_fields() = std::move(field);
            }
        }
        if (catalog.fields_size() > kFieldsMax) {
            co_return boundary::Errc::unexpected;
        }
        if (!part.more()) {
            break;
        }
    }
    const crypto::Digest digest = crypto::sha256(pack.bytes);
    if (catalog.name().empty() || !std::ranges::equal(as_bytes(catalog.pack_digest()), digest)) {
        co_return boundary::Errc::unexpected;
    }
    set.catalog_packs[catalog.name()] = digest;
    set.catalog_of.back() = catalog.name();
    add_version(set, std::move(catalog));
    co_return Result<void>{};
}

}  // namespace

std::uint32_t day_in_shanghai(storage::Milliseconds time) {
    return static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::days>(time + std::chrono::hours{8}).time_since_epoch().count());
}

const boundary::CatalogDescription* PolicySet::find_catalog(std::string_view name) const {
    const auto found = catalogs.find(name);
    return found == catalogs.end() ? nullptr : &found->second;
}

const boundary::CatalogDescription* PolicySet::find_in_force(std::string_view name, std::uint32_t day) const {
    const auto in_force = versions(name, day);
    return in_force.empty() ? find_catalog(name) : in_force.front();
}

std::vector<const boundary::CatalogDescription*> PolicySet::versions(std::string_view name,
                                                                     std::optional<std::uint32_t> day) const {
    std::vector<const boundary::CatalogDescription*> found;
    const auto add = [&](const boundary::CatalogDescription& catalog) {
        const bool in_force =
            !day || ((!catalog.has_effective_from() || std::cmp_less_equal(catalog.effective_from(), *day)) &&
                     (!catalog.has_effective_until() || std::cmp_less_equal(*day, catalog.effective_until())));
        if (in_force) {
            found.push_back(&catalog);
        }
    };
    if (const auto* newest = find_catalog(name)) {
        add(*newest);
    }
    if (const auto others = older.find(name); others != older.end()) {
        std::ranges::for_each(others->second, add);
    }
    return found;
}

asio::awaitable<Result<void>> send_pack(boundary::PacketChannel& channel, const storage::Pack& pack,
                                        const std::string& catalog) {
    ByteView rest = pack.bytes;
    do {
        const ByteView part = rest.first(std::min(rest.size(), boundary::kPartSizeBytesMax));
        rest = rest.subspan(part.size());
        boundary::InspectorRequest request;
        auto* load = request.mutable_load_pack();
        load->set_kind(to_kind(pack.kind));
        load->set_part(part.data(), part.size());
        load->set_last(rest.empty());
        load->set_catalog(catalog);
        auto sending = channel.send(request);
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return sent.error();
        }
    } while (!rest.empty());
    co_return Result<void>{};
}

asio::awaitable<Result<std::shared_ptr<const PolicySet>>> load_policies(Context& context,
                                                                        std::vector<storage::Pack> packs,
                                                                        std::string& mistakes) {
    auto dialling = context.dial_inspector();
    auto connection = co_await std::move(dialling);
    if (!connection) {
        co_return connection.error();
    }
    boundary::PacketChannel channel(context.io.get_executor(), std::move(*connection));
    auto set = std::make_shared<PolicySet>();
    const std::string unknown;
    for (const auto& pack : packs) {
        auto sending = send_pack(channel, pack, unknown);
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return sent.error();
        }
        set->catalog_of.emplace_back();
        auto taking = take_answer(channel, pack, *set, mistakes);
        if (const auto taken = co_await std::move(taking); !taken) {
            co_return taken.error();
        }
    }
    set->digest = storage::policy_digest(packs);
    set->packs = std::move(packs);
    co_return std::shared_ptr<const PolicySet>(std::move(set));
}

}  // namespace xinfu::vault
