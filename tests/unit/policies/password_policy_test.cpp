// What a password must be like, and that administrators' rules are never weaker. ACC-01, ACC-06.
#include "policies/password_policy.hpp"

#include <chrono>

#include <gtest/gtest.h>

#include "policies/access.hpp"
#include "policies/codes.hpp"
#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

const std::vector<std::string> kNobody;
const std::vector<std::string> kPerson{"p-0001",       "张示例",     "0431-00001234",      "04310000123 4",
                                       "made-up-0001", "示例市监局", "11219900MB0A000184", "科员",
                                       "xincity"};

std::string fault_of(std::string_view password, const PasswordPolicy& policy = test::access().passwords.persons) {
    const auto fault = find_fault(policy, password, kPerson);
    return fault ? std::string(fault->code) : "";
}

// Each with what is wrong with it: people choose all of these.
TEST(PasswordPolicy, RefusesWeakPasswords) {
    const struct {
        const char* password;
        const char* code;
    } weak[] = {
        {"", "XF-1010"},
        {"short", "XF-1010"},
        {"Aa1!", "XF-1010"},
        {"Qx7#vR2$k", "XF-1010"},           // nine
        {"密码口令密码口令密", "XF-1010"},  // nine, in 27 bytes
        {"correcthorsebattery", "XF-1023"},
        {"correct horse battery", "XF-1023"},  // small letters and blanks
        {"1234567890", "XF-1023"},
        {"20261123198001", "XF-1023"},
        {"ABCDEFGHIJ12", "XF-1023"},
        {"蓝天白云青山绿水红花", "XF-1023"},
        {"Password123", "XF-1024"},
        {"Password123!", "XF-1024"},
        {"P@ssw0rd2026", "XF-1024"},
        {"Admin@123456", "XF-1024"},
        {"Administrator1!", "XF-1024"},
        {"Guest@123456", "XF-1024"},
        {"Test123456!", "XF-1024"},
        {"Welcome2026!", "XF-1024"},
        {"Qwertyuiop12", "XF-1024"},
        {"1qaz@WSX3edc", "XF-1024"},
        {"!QAZ2wsx#EDC", "XF-1024"},
        {"Abcdefgh1234", "XF-1024"},
        {"Aa123456789!", "XF-1024"},
        {"aaaaaaaaaaaaaaaaaA1", "XF-1024"},
        {"Aa1Aa1Aa1Aa1Aa1", "XF-1024"},
        {"Woaini520520!", "XF-1024"},
        {"Xinyong@2026", "XF-1024"},
        {"Guanliyuan123!", "XF-1024"},
        {"Jilin@123456", "XF-1024"},
        {"Beijing2008!", "XF-1024"},
        {"管理员Abc1234", "XF-1024"},
        {"密码密码Ab123456", "XF-1024"},
        {"Iloveyou2026", "XF-1024"},
        {"2026-11-23Aa", "XF-1024"},
        // What others know of the person.
        {"P-0001p-0001", "XF-1024"},
        {"张示例Aa123456", "XF-1024"},
        {"0431-00001234Aa", "XF-1024"},
        {"Made-up-0001", "XF-1024"},
        {"11219900MB0A000184a", "XF-1024"},
        {"Xincity@2026", "XF-1024"},
    };
    for (const auto& [password, code] : weak) {
        EXPECT_EQ(fault_of(password), code) << password << ": " << guess_bits(password, kPerson) << " bits";
        EXPECT_NE(fault_of(password, test::access().passwords.administrators), "") << password;
        EXPECT_NE(find_code(code), nullptr) << code;
    }
}

TEST(PasswordPolicy, TakesWhatNobodyGuesses) {
    for (const char* good : {"Correct-horse 17 rails", "River.7.lamp.Stone", "蓝天 Lamp 47 stone", "vT9#kQmZ2x-Ld",
                             "Xf-8a72c19be0d4417f23c9aa01"}) {
        EXPECT_EQ(fault_of(good), "") << good;
        EXPECT_EQ(fault_of(good, test::access().passwords.administrators), "") << good;
    }
    EXPECT_EQ(fault_of("vT9#kQmZ2x"), "") << "ten characters";
    EXPECT_EQ(fault_of("vT9#kQmZ2x", test::access().passwords.administrators), "XF-1010") << "and twelve for these";
}

TEST(PasswordPolicy, TellsHowManyCharactersAndKindsItWants) {
    EXPECT_EQ(find_fault(PasswordPolicy{}, "aB3", kNobody)->arguments, std::vector<std::string>{"12"});
    EXPECT_EQ(find_fault(PasswordPolicy{}, "nothing but letters", kNobody)->arguments, std::vector<std::string>{"3"});
}

TEST(PasswordPolicy, ComparesWhatIsKnownOfThePersonOnlyForThatPerson) {
    const std::string password = "Xincity-9142-Xin";
    EXPECT_GT(guess_bits(password, kNobody), guess_bits(password, kPerson) + 10);
}

// The work is bounded whatever somebody sends.
TEST(PasswordPolicy, EstimatesOnlyTheBeginningOfALongPassword) {
    std::string varied;
    for (std::size_t i = 0; i < 1024; ++i) {
        varied += static_cast<char>(33 + (i * 7919 + i * i * 31) % 90);
    }
    EXPECT_EQ(guess_bits(varied, kNobody), guess_bits(varied.substr(0, kPasswordEstimatedBytes), kNobody));
    std::string chinese;
    for (int i = 0; i < 300; ++i) {
        chinese += "山";
    }
    EXPECT_EQ(guess_bits(chinese, kNobody), guess_bits(chinese.substr(0, 39), kNobody)) << "cut between characters";
    const std::vector<std::string> many(10000, "manywords");
    EXPECT_GT(guess_bits("River.7.lamp.Stone", many), 36);
}

TEST(PasswordPolicy, IsStricterOnlyWhenItIsSoInEveryParameter) {
    const PasswordPolicy policy;
    EXPECT_TRUE(weaker_parameters(policy, policy).empty());
    for (const auto& parameter : password_parameters()) {
        PasswordPolicy more = policy;
        PasswordPolicy less = policy;
        more.*parameter.value += 1;
        less.*parameter.value -= 1;
        const PasswordPolicy& stricter = parameter.more_is_stricter ? more : less;
        const PasswordPolicy& weaker = parameter.more_is_stricter ? less : more;
        EXPECT_EQ(weaker_parameters(weaker, policy), std::vector<std::string_view>{parameter.key});
        EXPECT_TRUE(weaker_parameters(stricter, policy).empty()) << parameter.key;
    }
}

TEST(PasswordPolicy, ShipsWhatMayBeApprovedAndIsStricterForAdministrators) {
    const auto& shipped = test::access().passwords;
    EXPECT_TRUE(is_allowed(shipped.persons));
    EXPECT_EQ(shipped.administrators, PasswordPolicy{}) << "which is also in force where a pack says nothing";
    EXPECT_TRUE(weaker_parameters(shipped.administrators, shipped.persons).empty());
    EXPECT_GE(weaker_parameters(shipped.persons, shipped.administrators).size(), 5U);
}

TEST(PasswordPolicy, AppliesTheStricterToWhoeverHoldsOneRoleOfAnAdministrator) {
    const auto& access = test::access();
    const auto strict = [&](std::vector<std::string> roles) {
        return &password_policy_of(access, roles) == &access.passwords.administrators;
    };
    EXPECT_FALSE(strict({"viewer"}));
    EXPECT_FALSE(strict({"approver", "viewer"}));
    for (const char* role : {"system_administrator", "data_administrator", "security_administrator", "auditor"}) {
        EXPECT_TRUE(strict({"viewer", role})) << role;
    }
    EXPECT_TRUE(strict({"special_operator"})) << "sees records without masks";
    EXPECT_TRUE(strict({"viewer", "nobody_knows"})) << "a role that the pack does not have";
}

// ---- the pack ----

std::string pack(std::string_view persons, std::string_view administrators,
                 std::string_view rest = "  unused_days: 90\n") {
    return "pack: access/1\nversion: \"1\"\nroles:\n"
           "  - {name: ruler, title: R, title_zh: 甲, kind: person, administrator: true, grants: [{verbs: "
           "[request_policy], "
           "scope: all}]}\nexclusions: []\npasswords:\n  persons: {" +
           std::string(persons) + "}\n  administrators: {" + std::string(administrators) + "}\n" + std::string(rest);
}

std::string text_of(const PasswordPolicy& policy) {
    std::string text;
    for (const auto& parameter : password_parameters()) {
        text +=
            (text.empty() ? "" : ", ") + std::string(parameter.key) + ": " + std::to_string(policy.*parameter.value);
    }
    return text;
}

std::string mistakes_of(const std::string& yaml) {
    const auto loaded = load_access(yaml);
    EXPECT_NE(loaded.value.has_value(), !loaded.mistakes.empty());
    return describe(loaded.mistakes);
}

TEST(PasswordPolicy, LoadsWithThePack) {
    PasswordPolicy persons;
    persons.idle_minutes = 20;
    const auto loaded = load_access(pack(text_of(persons), text_of(PasswordPolicy{})));
    ASSERT_TRUE(loaded.value) << describe(loaded.mistakes);
    EXPECT_EQ(loaded.value->passwords.persons, persons);
    EXPECT_EQ(loaded.value->passwords.administrators, PasswordPolicy{});
}

// A pack from before there were any leaves nobody without a rule, and everybody under the stricter one.
TEST(PasswordPolicy, IsThereWithoutBeingNamed) {
    const auto loaded = load_access(
        "pack: access/1\nversion: \"1\"\nroles:\n  - {name: viewer, title: V, title_zh: 甲, kind: person, grants: []}\n"
        "exclusions: []\n");
    ASSERT_TRUE(loaded.value);
    EXPECT_EQ(password_policy_of(*loaded.value, std::vector<std::string>{"viewer"}), PasswordPolicy{});
    EXPECT_EQ(AccessPolicy{}.passwords.persons, PasswordPolicy{});
}

TEST(PasswordPolicy, RefusesAPackThatIsWeakerForAdministrators) {
    for (const auto& parameter : password_parameters()) {
        PasswordPolicy persons;
        PasswordPolicy administrators;
        // Both allowed, and the administrators' one step weaker.
        persons.*parameter.value = parameter.more_is_stricter ? parameter.most : parameter.least;
        administrators.*parameter.value = persons.*parameter.value + (parameter.more_is_stricter ? -1U : 1U);
        const auto text = mistakes_of(pack(text_of(persons), text_of(administrators)));
        EXPECT_NE(text.find("administrators: " + std::string(parameter.key) + " is weaker than that of persons"),
                  std::string::npos)
            << parameter.key << ": " << text;
        EXPECT_EQ(text.find("8:"), 0U) << "its place: " << text;
    }
}

TEST(PasswordPolicy, RefusesAPackBelowTheFloors) {
    for (const auto& parameter : password_parameters()) {
        PasswordPolicy low;
        low.*parameter.value = parameter.more_is_stricter ? parameter.least - 1 : parameter.most + 1;
        EXPECT_FALSE(is_allowed(low)) << parameter.key;
        const auto text = mistakes_of(pack(text_of(low), text_of(PasswordPolicy{})));
        EXPECT_NE(text.find(std::string(parameter.key) + " must be a number from"), std::string::npos) << text;
    }
    EXPECT_NE(mistakes_of(pack("", text_of(PasswordPolicy{}))).find("lacks \"characters_min\""), std::string::npos);
    EXPECT_NE(mistakes_of(pack(text_of({}), text_of({}), "")).find("lacks \"unused_days\""), std::string::npos);
    EXPECT_NE(mistakes_of(pack(text_of({}), text_of({}), "  unused_days: 181\n")).find("unused_days must be"),
              std::string::npos);
    EXPECT_NE(mistakes_of(pack(text_of({}) + ", rotation: no", text_of({}))).find("unknown key"), std::string::npos);
}

TEST(PasswordPolicy, RefusesARoleThatRulesWithoutBeingAnAdministrators) {
    auto yaml = pack(text_of({}), text_of({}));
    yaml.replace(yaml.find("administrator: true"), 19, "administrator: false");
    EXPECT_NE(mistakes_of(yaml).find("the role ruler may change accounts or policies"), std::string::npos);
}

}  // namespace
}  // namespace xinfu::policies
