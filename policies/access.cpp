#include "policies/access.hpp"

#include <algorithm>

#include "policies/pack_reader.hpp"

namespace xinfu::policies {
namespace {

bool covers(Scope scope, Relation relation) {
    switch (scope) {
        case Scope::own_unit: return relation == Relation::own_unit;
        case Scope::node_units: return relation == Relation::own_unit || relation == Relation::node_unit;
        case Scope::all: return true;
    }
    return false;
}

bool covers(const Grant& grant, std::string_view verb, std::string_view catalog, Relation relation) {
    return grant.verb == verb && (grant.catalog == "*" || (!catalog.empty() && grant.catalog == catalog)) &&
           covers(grant.scope, relation);
}

void read_grant(PackReader& reader, const YAML::Node& node, Role& role) {
    MapReader map{reader, node, "a grant"};
    std::vector<std::string> verbs;
    std::vector<std::string> catalogs{"*"};
    std::vector<std::string> fields;
    Scope scope = Scope::own_unit;
    bool good = true;
    if (const auto list = map.required("verbs"); list.IsDefined()) {
        good = reader.texts(list, "verbs", verbs);
        for (const auto& verb : verbs) {
            if (std::ranges::find(verb::all, verb) == std::end(verb::all)) {
                reader.mistake(list, "no such verb: " + verb);
                good = false;
            }
        }
    }
    if (const auto list = map.optional("catalogs"); list.IsDefined()) {
        good = reader.texts(list, "catalogs", catalogs) && good;
    }
    if (const auto word = map.required("scope"); word.IsDefined()) {
        good = reader.word<Scope>(
                   word, "scope",
                   {{"own_unit", Scope::own_unit}, {"node_units", Scope::node_units}, {"all", Scope::all}}, scope) &&
               good;
    }
    const bool extracts = std::ranges::find(verbs, verb::extract) != verbs.end();
    if (const auto list = map.optional("fields"); list.IsDefined()) {
        good = reader.texts(list, "fields", fields) && good;
        for (const auto& one : fields) {
            if (std::ranges::find(field_class::all, one) == std::end(field_class::all)) {
                reader.mistake(list, "no class of fields that may be extracted: " + one);
                good = false;
            }
        }
        if (!extracts) {
            reader.mistake(list, "\"fields\" is for extract");
            good = false;
        }
    }
    if (extracts && fields.empty()) {
        reader.mistake(node, "a grant of extract names its \"fields\"");
        good = false;
    }
    if (!good) {
        return;
    }
    for (const auto& verb : verbs) {
        for (const auto& catalog : catalogs) {
            role.grants.push_back({verb, catalog, scope, verb == verb::extract ? fields : std::vector<std::string>{}});
        }
    }
}

void read_role(PackReader& reader, const YAML::Node& node, AccessPolicy& policy) {
    MapReader map{reader, node, "a role"};
    Role role;
    map.text("name", role.name);
    map.text("title", role.title);
    map.text("title_zh", role.title_zh);
    if (const auto kind = map.required("kind"); kind.IsDefined()) {
        reader.word<std::string>(kind, "kind", {{"machine", "machine"}, {"person", "person"}, {"platform", "platform"}},
                                 role.kind);
    }
    // Of packs made before unmasking had to be approved: it gives nothing.
    if (const auto flag = map.optional("unmasked"); flag.IsDefined()) {
        bool unmasked = false;
        reader.boolean(flag, "unmasked", unmasked);
    }
    if (const auto flag = map.optional("administrator"); flag.IsDefined()) {
        reader.boolean(flag, "administrator", role.administrator);
    }
    if (const auto grants = map.required("grants"); grants.IsDefined() && reader.sequence(grants, "grants", 100)) {
        for (const auto& grant : grants) {
            read_grant(reader, grant, role);
        }
    }
    if (policy.find(role.name) != nullptr) {
        reader.mistake(node, "the role " + role.name + " is described twice");
    }
    policy.roles.push_back(std::move(role));
}

void read_approval(PackReader& reader, const YAML::Node& node, AccessPolicy& policy) {
    MapReader map{reader, node, "an approval"};
    ApprovalRule rule;
    if (const auto word = map.required("act"); word.IsDefined()) {
        reader.word<std::string>(word, "act",
                                 {{"account", "account"},
                                  {"recover", "recover"},
                                  {"policy", "policy"},
                                  {"paths", "paths"},
                                  {"submit", "submit"},
                                  {"correct", "correct"},
                                  {"unmask", "unmask"}},
                                 rule.act);
    }
    if (const auto word = map.required("strength"); word.IsDefined()) {
        reader.word<Strength>(word, "strength", {{"session", Strength::session}, {"signature", Strength::signature}},
                              rule.strength);
    }
    if (const auto number = map.required("approvers"); number.IsDefined()) {
        std::int64_t approvers = 1;
        reader.number(number, "approvers", 1, kApproversMax, approvers);
        rule.approvers = static_cast<std::uint32_t>(approvers);
    }
    std::int64_t hours = 0;
    if (const auto number = map.required("valid_hours"); number.IsDefined()) {
        reader.number(number, "valid_hours", 1, kApprovalValidMax.count(), hours);
    }
    rule.valid = std::chrono::hours{hours};
    if (policy.approval_of(rule.act) != nullptr) {
        reader.mistake(node, "the approval of " + rule.act + " is described twice");
    }
    policy.approvals.push_back(std::move(rule));
}

// Answers false after a mistake.
bool read_password_policy(PackReader& reader, const YAML::Node& node, std::string_view what, PasswordPolicy& policy) {
    MapReader map{reader, node, what};
    bool good = true;
    for (const auto& parameter : password_parameters()) {
        const auto number = map.required(parameter.key);
        std::int64_t value = 0;
        good =
            number.IsDefined() && reader.number(number, parameter.key, parameter.least, parameter.most, value) && good;
        policy.*parameter.value = static_cast<std::uint32_t>(value);
    }
    return good;
}

// Whoever may do one of these rules over others, and is an administrator whatever the role is called.
constexpr std::string_view kRules[] = {verb::request_account, verb::disable_account, verb::request_policy,
                                       verb::decide_policy};

void read_passwords(PackReader& reader, const YAML::Node& node, AccessPolicy& policy) {
    MapReader map{reader, node, "passwords"};
    const auto persons = map.required("persons");
    const auto administrators = map.required("administrators");
    bool good = persons.IsDefined() && read_password_policy(reader, persons, "persons", policy.passwords.persons);
    good = administrators.IsDefined() &&
           read_password_policy(reader, administrators, "administrators", policy.passwords.administrators) && good;
    if (good) {
        for (const auto key : weaker_parameters(policy.passwords.administrators, policy.passwords.persons)) {
            reader.mistake(administrators[std::string{key}],
                           "administrators: " + std::string{key} + " is weaker than that of persons");
        }
    }
    std::int64_t days = 0;
    if (const auto number = map.required("unused_days"); number.IsDefined()) {
        reader.number(number, "unused_days", 1, kUnusedDaysMax, days);
    }
    policy.passwords.unused_days = static_cast<std::uint32_t>(days);
    for (const auto& role : policy.roles) {
        const bool rules = std::ranges::any_of(
            role.grants, [](const Grant& grant) { return std::ranges::find(kRules, grant.verb) != std::end(kRules); });
        if (role.kind == "person" && rules && !role.administrator) {
            reader.mistake(
                node, "the role " + role.name + " may change accounts or policies: it needs \"administrator: true\"");
        }
    }
}

}  // namespace

std::string_view name(Scope scope) {
    switch (scope) {
        case Scope::own_unit: return "own_unit";
        case Scope::node_units: return "node_units";
        case Scope::all: return "all";
    }
    return "";
}

bool parse_scope(std::string_view text, Scope& scope) {
    for (const auto candidate : {Scope::own_unit, Scope::node_units, Scope::all}) {
        if (name(candidate) == text) {
            scope = candidate;
            return true;
        }
    }
    return false;
}

std::string_view name(Strength strength) {
    return strength == Strength::session ? "session" : "signature";
}

bool parse_strength(std::string_view text, Strength& strength) {
    for (const auto candidate : {Strength::session, Strength::signature}) {
        if (name(candidate) == text) {
            strength = candidate;
            return true;
        }
    }
    return false;
}

const ApprovalRule* AccessPolicy::approval_of(std::string_view act) const {
    const auto found = std::ranges::find(approvals, act, &ApprovalRule::act);
    return found == approvals.end() ? nullptr : &*found;
}

const Role* AccessPolicy::find(std::string_view role) const {
    const auto found = std::ranges::find(roles, role, &Role::name);
    return found == roles.end() ? nullptr : &*found;
}

Loaded<AccessPolicy> load_access(std::string_view yaml) try {
    PackReader reader;
    AccessPolicy policy;
    const auto root = reader.parse(yaml);
    if (!reader.failed()) {
        MapReader map{reader, root, "the access pack"};
        std::string kind;
        std::string version;
        map.text("pack", kind);
        map.text("version", version);
        if (kind != "access/1") {
            reader.mistake(root, "pack must be access/1");
        }
        if (const auto roles = map.required("roles"); roles.IsDefined() && reader.sequence(roles, "roles", 100)) {
            for (const auto& role : roles) {
                read_role(reader, role, policy);
            }
        }
        if (const auto sets = map.required("exclusions");
            sets.IsDefined() && reader.sequence(sets, "exclusions", 100)) {
            for (const auto& set : sets) {
                std::vector<std::string> names;
                reader.texts(set, "an exclusion", names);
                for (const auto& excluded : names) {
                    if (policy.find(excluded) == nullptr) {
                        reader.mistake(set, "no such role: " + excluded);
                    }
                }
                if (names.size() < 2) {
                    reader.mistake(set, "an exclusion names at least two roles");
                }
                policy.exclusions.push_back(std::move(names));
            }
        }
        if (const auto rules = map.optional("approvals");
            rules.IsDefined() && reader.sequence(rules, "approvals", 100)) {
            for (const auto& rule : rules) {
                read_approval(reader, rule, policy);
            }
        }
        if (const auto passwords = map.optional("passwords"); passwords.IsDefined()) {
            read_passwords(reader, passwords, policy);
        }
    }
    if (reader.failed()) {
        return {std::nullopt, reader.take()};
    }
    return {std::move(policy), {}};
} catch (const YAML::Exception& refused) {
    return {std::nullopt, {{0, 0, refused.msg}}};
}

Decision decide(const AccessPolicy& policy, std::span<const std::string> roles, std::string_view verb,
                std::string_view catalog, Relation relation) {
    for (const auto& held : roles) {
        const Role* role = policy.find(held);
        if (role == nullptr) {
            continue;
        }
        for (const auto& grant : role->grants) {
            if (covers(grant, verb, catalog, relation)) {
                return {true,
                        role->name + ": " + grant.verb + " " + grant.catalog + " " + std::string{name(grant.scope)}};
            }
        }
    }
    return {false, "no grant"};
}

std::vector<std::string_view> extractable(const AccessPolicy& policy, std::span<const std::string> roles,
                                          std::string_view catalog, Relation relation) {
    std::vector<std::string_view> classes;
    for (const auto one : field_class::all) {
        const bool shown = std::ranges::any_of(roles, [&](const std::string& held) {
            const Role* role = policy.find(held);
            return role != nullptr && std::ranges::any_of(role->grants, [&](const Grant& grant) {
                       return covers(grant, verb::extract, catalog, relation) &&
                              std::ranges::find(grant.fields, one) != grant.fields.end();
                   });
        });
        if (shown) {
            classes.push_back(one);
        }
    }
    return classes;
}

Conflict find_conflict(const AccessPolicy& policy, std::span<const std::string> roles) {
    for (const auto& set : policy.exclusions) {
        const std::string* first = nullptr;
        for (const auto& held : roles) {
            if (std::ranges::find(set, held) == set.end()) {
                continue;
            }
            if (first == nullptr) {
                first = &held;
            } else if (*first != held) {
                return {*first, held};
            }
        }
    }
    return {};
}

const PasswordPolicy& password_policy_of(const AccessPolicy& policy, std::span<const std::string> roles) {
    const bool strict = std::ranges::any_of(roles, [&](const std::string& held) {
        const Role* role = policy.find(held);
        return role == nullptr || role->administrator ||
               std::ranges::find(role->grants, verb::request_unmasking, &Grant::verb) != role->grants.end();
    });
    return strict ? policy.passwords.administrators : policy.passwords.persons;
}

}  // namespace xinfu::policies
