#include "policies/access.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

using Roles = std::vector<std::string>;
constexpr Relation kRelations[] = {Relation::own_unit, Relation::node_unit, Relation::other_unit};
const std::string kCatalogs[] = {"", "administrative-penalty", "administrative-licence"};

TEST(Access, DeniesWhatNobodyGranted) {
    const AccessPolicy empty;
    for (const auto verb : verb::all) {
        for (const auto relation : kRelations) {
            EXPECT_FALSE(decide(empty, Roles{"submitter"}, verb, "administrative-penalty", relation).permit);
            EXPECT_FALSE(decide(test::access(), Roles{}, verb, "administrative-penalty", relation).permit);
            EXPECT_FALSE(decide(test::access(), Roles{"emperor"}, verb, "", relation).permit);
        }
    }
    EXPECT_FALSE(decide(test::access(), Roles{"submitter"}, "format_disk", "", Relation::own_unit).permit);
}

TEST(Access, GivesEachShippedRoleItsPartOnly) {
    const auto may = [](const char* role, std::string_view verb, Relation relation = Relation::own_unit) {
        return decide(test::access(), Roles{role}, verb, "administrative-penalty", relation).permit;
    };
    EXPECT_TRUE(may("submitter", verb::submit));
    EXPECT_FALSE(may("submitter", verb::submit, Relation::other_unit));
    EXPECT_FALSE(may("submitter", verb::read_submission, Relation::other_unit));
    EXPECT_FALSE(may("submitter", verb::query));
    EXPECT_FALSE(may("submitter", verb::relay));
    EXPECT_FALSE(may("viewer", verb::submit));
    EXPECT_FALSE(may("viewer", verb::check));
    EXPECT_TRUE(may("viewer", verb::query, Relation::other_unit));
    EXPECT_TRUE(may("platform", verb::relay, Relation::node_unit));
    EXPECT_FALSE(may("platform", verb::relay, Relation::other_unit));
    EXPECT_FALSE(may("platform", verb::submit));
    EXPECT_TRUE(may("log_reader", verb::read_entries, Relation::other_unit));
    EXPECT_FALSE(may("submitter", verb::read_entries));
    EXPECT_FALSE(may("system_administrator", verb::read_entries));
    EXPECT_FALSE(may("system_administrator", verb::query));
    EXPECT_FALSE(may("security_administrator", verb::read_original));
    for (const auto& role : test::access().roles) {
        EXPECT_TRUE(may(role.name.c_str(), verb::read_checkpoint, Relation::other_unit)) << role.name;
    }
}

// ROL-07: to extract is a right of its own.
TEST(Access, Rol07ExtractsOnlyWhereAGrantSaysWhichFields) {
    const auto fields = [](Roles roles, Relation relation = Relation::other_unit) {
        return extractable(test::access(), roles, "administrative-penalty", relation);
    };
    using Classes = std::vector<std::string_view>;
    EXPECT_EQ(fields({"recipient"}), Classes({"public"}));
    EXPECT_EQ(fields({"government_recipient"}), Classes({"public", "government"}));
    EXPECT_EQ(fields({"recipient", "government_recipient"}), Classes({"public", "government"}));
    for (const auto& role : test::access().roles) {
        const bool recipient = role.name.ends_with("recipient");
        EXPECT_EQ(fields({role.name}).empty(), !recipient) << role.name;
        EXPECT_EQ(decide(test::access(), Roles{role.name}, verb::extract, "x", Relation::other_unit).permit, recipient)
            << role.name;
    }
}

TEST(Access, FieldsBelongToExtractAndNobodyExtractsSecretOnes) {
    const auto mistakes = [](const std::string& grant) {
        return describe(load_access("pack: access/1\nversion: \"1\"\nroles:\n"
                                    "  - {name: a, title: A, title_zh: 甲, kind: machine, grants: [" +
                                    grant + "]}\nexclusions: []\n")
                            .mistakes);
    };
    EXPECT_EQ(mistakes("{verbs: [extract], scope: all, fields: [public, authorised]}"), "");
    EXPECT_NE(mistakes("{verbs: [extract], scope: all}").find("names its \"fields\""), std::string::npos);
    EXPECT_NE(mistakes("{verbs: [extract], scope: all, fields: [secret]}").find("secret"), std::string::npos);
    EXPECT_NE(mistakes("{verbs: [query], scope: all, fields: [public]}").find("is for extract"), std::string::npos);
}

TEST(Access, NamesTheGrantThatPermits) {
    const auto decision = decide(test::access(), Roles{"viewer", "submitter"}, verb::submit, "administrative-penalty",
                                 Relation::own_unit);
    EXPECT_EQ(decision.rule, "submitter: submit * own_unit");
    EXPECT_EQ(decide(test::access(), Roles{}, verb::submit, "", Relation::own_unit).rule, "no grant");
}

AccessPolicy random_policy(std::mt19937& random) {
    AccessPolicy policy;
    for (int r = 0; r < 4; ++r) {
        Role role;
        role.name = "role" + std::to_string(r);
        const auto grants = random() % 6;
        for (unsigned g = 0; g < grants; ++g) {
            const auto& catalog = kCatalogs[random() % 3];
            role.grants.push_back({std::string{verb::all[random() % std::size(verb::all)]},
                                   catalog.empty() ? "*" : catalog, static_cast<Scope>(random() % 3)});
        }
        policy.roles.push_back(role);
    }
    return policy;
}

// Taking a grant, a role or a part of its scope away never permits what was denied before.
TEST(Access, IsNeverWidenedByARestriction) {
    std::mt19937 random{20261122};
    for (int round = 0; round < 400; ++round) {
        const auto policy = random_policy(random);
        Roles roles;
        for (const auto& role : policy.roles) {
            if (random() % 2 == 0) {
                roles.push_back(role.name);
            }
        }
        auto narrower = policy;
        auto fewer_roles = roles;
        auto& role = narrower.roles[random() % narrower.roles.size()];
        switch (random() % 3) {
            case 0:
                if (!role.grants.empty()) {
                    role.grants.erase(role.grants.begin() + static_cast<int>(random() % role.grants.size()));
                }
                break;
            case 1:
                for (auto& grant : role.grants) {
                    grant.scope = grant.scope == Scope::all ? Scope::node_units : Scope::own_unit;
                }
                break;
            default:
                if (!fewer_roles.empty()) {
                    fewer_roles.pop_back();
                }
        }
        for (const auto verb : verb::all) {
            for (const auto& catalog : kCatalogs) {
                for (const auto relation : kRelations) {
                    if (decide(narrower, fewer_roles, verb, catalog, relation).permit) {
                        ASSERT_TRUE(decide(policy, roles, verb, catalog, relation).permit) << round << verb << catalog;
                    }
                }
            }
        }
    }
}

// What concerns one's own unit only is never harder than what concerns others.
TEST(Access, CoversOwnAffairsWhereItCoversOthers) {
    std::mt19937 random{7};
    for (int round = 0; round < 100; ++round) {
        const auto policy = random_policy(random);
        const Roles roles{"role0", "role1"};
        for (const auto verb : verb::all) {
            const auto may = [&](Relation relation) {
                return decide(policy, roles, verb, "administrative-licence", relation).permit;
            };
            EXPECT_LE(may(Relation::other_unit), may(Relation::node_unit));
            EXPECT_LE(may(Relation::node_unit), may(Relation::own_unit));
        }
    }
}

TEST(Access, FindsRolesThatExcludeEachOther) {
    const auto& policy = test::access();
    EXPECT_EQ(find_conflict(policy, Roles{"system_administrator", "viewer", "auditor"}).second, "auditor");
    EXPECT_EQ(find_conflict(policy, Roles{"system_administrator", "viewer"}).first, "");
    EXPECT_EQ(find_conflict(policy, Roles{"auditor", "auditor"}).first, "") << "one role twice is one role";
    EXPECT_EQ(find_conflict(policy, Roles{"data_administrator", "security_administrator"}).first, "data_administrator");
}

TEST(Access, ReportsAllMistakesOfAPackWithTheirPlaces) {
    const auto loaded = load_access(
        "pack: access/1\nversion: \"1\"\nroles:\n"
        "  - {name: a, title: A, title_zh: 甲, kind: robot, grants: [{verbs: [submit, fly], scope: "
        "own_unit}]}\n"
        "  - {name: a, title: A, title_zh: 甲, kind: person, grants: [], colour: red}\n"
        "exclusions:\n  - [a, nobody]\n");
    ASSERT_FALSE(loaded.value);
    const auto text = describe(loaded.mistakes);
    for (const auto* expected : {"4:", "kind is none of", "no such verb: fly", "5:", "unknown key \"colour\"",
                                 "described twice", "no such role: nobody"}) {
        EXPECT_NE(text.find(expected), std::string::npos) << expected << " in " << text;
    }
}

// ---- docs/ROLES.md ----

std::string scope_text(Scope scope, bool chinese) {
    switch (scope) {
        case Scope::own_unit: return chinese ? "本单位" : "own unit";
        case Scope::node_units: return chinese ? "下级登记单位" : "units enrolled for it";
        case Scope::all: return chinese ? "全部" : "all";
    }
    return {};
}

// A row a verb, a column a role.
std::string matrix(const AccessPolicy& policy, bool chinese) {
    std::string text = chinese ? "| 操作 |" : "| act |";
    std::string rule = "|---|";
    for (const auto& role : policy.roles) {
        text += " " + (chinese ? role.title_zh : role.title) + "<br>`" + role.name + "` |";
        rule += "---|";
    }
    text += "\n" + rule + "\n";
    for (const auto verb : verb::all) {
        text += "| `" + std::string(verb) + "` |";
        for (const auto& role : policy.roles) {
            std::string cell;
            for (const auto scope : {Scope::own_unit, Scope::node_units, Scope::all}) {
                for (const auto& grant : role.grants) {
                    if (grant.verb == verb && grant.scope == scope && cell.empty()) {
                        cell = scope_text(scope, chinese);
                    }
                }
            }
            text += " " + cell + " |";
        }
        text += "\n";
    }
    return text;
}

std::string roles_page() {
    const auto& policy = test::access();
    std::string page =
        "# Who may do what 权限矩阵\n\n"
        "Made from `policies/packs/access.yaml` by `policies_test`, which fails when this page says something else. An "
        "empty cell is "
        "refused.\n本页由 `policies/packs/access.yaml` 生成；空白即拒绝。\n\n## English\n" +
        matrix(policy, false) + "\n## 中文\n" + matrix(policy, true) +
        "\n## No natural person holds two of one line 同一自然人不得兼任\n";
    for (const auto& set : policy.exclusions) {
        std::string line;
        for (const auto& name : set) {
            line += (line.empty() ? "- " : ", ") + policy.find(name)->title + " " + policy.find(name)->title_zh;
        }
        page += line + "\n";
    }
    page +=
        "\n## Acts that need a second person 须经他人审批的事项\n| act 事项 | strength 方式 | approvers 审批人数 | "
        "hours 有效小时数 |\n|---|---|---|---|\n";
    for (const auto& rule : policy.approvals) {
        page += "| `" + rule.act + "` | `" + std::string(name(rule.strength)) + "` | " +
                std::to_string(rule.approvers) + " | " + std::to_string(rule.valid.count()) + " |\n";
    }
    return page;
}

// XINFU_WRITE_DOCS=1 writes the page instead.
TEST(Access, IsPublishedAsItIs) {
    const std::string path = std::string{XINFU_SOURCE_DIR} + "/docs/ROLES.md";
    const std::string page = roles_page();
    if (std::getenv("XINFU_WRITE_DOCS") != nullptr) {
        std::ofstream(path, std::ios::binary) << page;
    }
    std::ifstream in(path, std::ios::binary);
    const std::string published{std::istreambuf_iterator<char>(in), {}};
    EXPECT_TRUE(published == page)
        << "docs/ROLES.md is not the shipped pack's: run policies_test with XINFU_WRITE_DOCS=1";
}

}  // namespace
}  // namespace xinfu::policies
