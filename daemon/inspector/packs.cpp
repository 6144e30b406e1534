#include "daemon/inspector/packs.hpp"

#include <algorithm>

#include "crypto/digest.hpp"
#include "policies/access.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kPartSizeBytes = 40 * 1024;

using Replies = std::vector<boundary::InspectorReply>;

Replies mistakes(const std::vector<policies::Mistake>& found) {
    boundary::InspectorReply reply;
    auto* problem = reply.mutable_problem();
    problem->set_code("XF-9101");
    problem->add_arguments(policies::describe(found));
    return {reply};
}

// Two sentences for people: the field's own rule, and when it must be filled.
std::string joined(const std::string& rule, const std::string& condition, std::string_view before,
                   std::string_view after, std::string_view between) {
    if (condition.empty()) {
        return rule;
    }
    std::string text = rule;
    text += rule.empty() ? "" : between;
    text += before;
    text += condition;
    text += after;
    return text;
}

boundary::FieldDescription describe(const policies::Field& field) {
    boundary::FieldDescription described;
    described.set_code(field.code);
    described.set_title(field.title);
    described.set_title_zh(field.title_zh);
    described.set_type(std::string{name(field.type)});
    described.set_length_max(field.length_max);
    described.set_required(std::string{name(field.required)});
    for (const auto& value : field.values) {
        described.add_values(value);
    }
    described.set_rule(joined(field.rule, field.when_text, "Required when ", ".", " "));
    described.set_rule_zh(joined(field.rule_zh, field.when_text_zh, "", "时必填。", ""));
    described.set_visibility(std::string{name(field.visibility)});
    described.set_mask(field.mask);
    return described;
}

}  // namespace

std::vector<const policies::Catalog*> Packs::find(const boundary::Inspect& order) {
    read_catalog(order.catalog());
    std::vector<const policies::Catalog*> versions;
    const auto found = catalogs_.find(order.catalog());
    if (found == catalogs_.end()) {
        return versions;
    }
    if (order.catalog_versions().empty()) {
        for (const auto& catalog : found->second) {
            versions.push_back(&catalog);
        }
    }
    for (const auto& version : order.catalog_versions()) {
        const auto named = std::ranges::find(found->second, version, &policies::Catalog::version);
        if (named != found->second.end()) {
            versions.push_back(&*named);
        }
    }
    return versions;
}

const Packs::Catalogs& Packs::catalogs() {
    while (!unread_.empty()) {
        read_catalog(std::string(unread_.begin()->first));
    }
    return catalogs_;
}

void Packs::read_catalog(const std::string& name) {
    const auto unread = unread_.extract(name);
    if (!unread) {
        return;
    }
    for (const auto& yaml : unread.mapped()) {
        load_catalog(yaml);  // it was without mistakes when the vault took it; with them it would not be there
    }
}

Replies Packs::load(boundary::LoadPack::Kind kind, std::string yaml, const std::string& catalog) {
    if (kind == boundary::LoadPack::CATALOG && !catalog.empty() && !catalogs_.contains(catalog)) {
        unread_[catalog].push_back(std::move(yaml));
        Replies replies(1);
        replies.back().mutable_pack_loaded();
        return replies;
    }
    switch (kind) {
        case boundary::LoadPack::CATALOG: return load_catalog(yaml);
        case boundary::LoadPack::ACCESS: return load_access(yaml);
        case boundary::LoadPack::CALENDAR: return load_calendar(yaml);
        default: return mistakes({{0, 0, "unknown kind of pack"}});
    }
}

Replies Packs::load_catalog(std::string_view yaml) {
    auto loaded = policies::load_catalog(yaml);
    if (!loaded.value) {
        return mistakes(loaded.mistakes);
    }
    if (loaded_ >= kCatalogsMax) {
        return mistakes({{0, 0, "too many catalogs"}});
    }
    const auto& catalog = *loaded.value;
    auto& versions = catalogs_[catalog.name];
    if (std::ranges::find(versions, catalog.version, &policies::Catalog::version) != versions.end()) {
        return mistakes({{0, 0, catalog.name + " " + catalog.version + " is there twice"}});
    }
    const auto code_of = [&](std::size_t field) { return catalog.fields[field].code; };
    boundary::CatalogDescription described;
    described.set_name(catalog.name);
    described.set_version(catalog.version);
    described.set_title(catalog.title);
    described.set_title_zh(catalog.title_zh);
    const auto digest = crypto::sha256(as_bytes(yaml));
    described.set_pack_digest(std::string{as_text(digest)});
    const auto days = [](policies::Day day) { return static_cast<std::int32_t>(day.time_since_epoch().count()); };
    if (catalog.effective_from) {
        described.set_effective_from(days(*catalog.effective_from));
    }
    if (catalog.effective_until) {
        described.set_effective_until(days(*catalog.effective_until));
    }
    described.add_identity_fields(code_of(catalog.deciding_unit));
    described.add_identity_fields(code_of(catalog.number));
    described.add_identity_fields(code_of(catalog.subject_code));
    described.set_subject_field(code_of(catalog.subject_code));
    described.set_deciding_unit_field(code_of(catalog.deciding_unit));
    described.set_source_unit_field(code_of(catalog.source_unit));
    described.set_accept_valid(catalog.accept_valid);
    for (const auto& approval : catalog.approvals) {
        described.add_approvals(approval);
    }
    Replies replies(1);
    *replies.back().mutable_pack_loaded()->mutable_catalog() = std::move(described);
    std::size_t size = replies.back().ByteSizeLong();
    for (const auto& field : catalog.fields) {
        auto description = describe(field);
        if (size + description.ByteSizeLong() > kPartSizeBytes) {
            replies.back().mutable_pack_loaded()->set_more(true);
            replies.emplace_back();
            size = 0;
        }
        size += description.ByteSizeLong() + 8;
        *replies.back().mutable_pack_loaded()->mutable_catalog()->add_fields() = std::move(description);
    }
    ++loaded_;
    const auto newer = [&catalog](const policies::Catalog& other) {
        return other.effective_from >= catalog.effective_from;  // without a first day: the oldest
    };
    const auto place = std::ranges::find_if_not(versions, newer);
    versions.insert(place, std::move(*loaded.value));
    return replies;
}

Replies Packs::load_access(std::string_view yaml) {
    const auto loaded = policies::load_access(yaml);
    if (!loaded.value) {
        return mistakes(loaded.mistakes);
    }
    boundary::InspectorReply reply;
    auto* policy = reply.mutable_access_policy();
    for (const auto& role : loaded.value->roles) {
        auto* told = policy->add_roles();
        told->set_name(role.name);
        told->set_title(role.title);
        told->set_title_zh(role.title_zh);
        told->set_kind(role.kind);
        told->set_administrator(role.administrator);
        for (const auto& grant : role.grants) {
            auto* granted = told->add_grants();
            granted->set_verb(grant.verb);
            granted->set_catalog(grant.catalog);
            granted->set_scope(std::string{name(grant.scope)});
            for (const auto& fields : grant.fields) {
                granted->add_fields(fields);
            }
        }
    }
    for (const auto& set : loaded.value->exclusions) {
        auto* exclusion = policy->add_exclusions();
        for (const auto& role : set) {
            exclusion->add_roles(role);
        }
    }
    for (const auto& rule : loaded.value->approvals) {
        auto* approval = policy->add_approvals();
        approval->set_act(rule.act);
        approval->set_strength(std::string{name(rule.strength)});
        approval->set_approvers(rule.approvers);
        approval->set_valid_hours(static_cast<std::uint32_t>(rule.valid.count()));
    }
    for (const auto& parameter : policies::password_parameters()) {
        policy->mutable_passwords()->add_persons(loaded.value->passwords.persons.*parameter.value);
        policy->mutable_passwords()->add_administrators(loaded.value->passwords.administrators.*parameter.value);
    }
    policy->mutable_passwords()->set_unused_days(loaded.value->passwords.unused_days);
    if (reply.ByteSizeLong() > boundary::kPacketSizeBytesMax) {
        return mistakes({{0, 0, "too many grants"}});
    }
    return {reply};
}

Replies Packs::load_calendar(std::string_view yaml) {
    auto loaded = policies::load_working_days(yaml);
    if (!loaded.value) {
        return mistakes(loaded.mistakes);
    }
    calendar_ = std::move(*loaded.value);
    boundary::InspectorReply reply;
    reply.mutable_calendar()->set_version(calendar_.version());
    return {reply};
}

}  // namespace xinfu::inspector
