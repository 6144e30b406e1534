// What the records of one file say about each other. CHK-01, CHK-04.
#include "policies/file_checks.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

using Values = std::map<std::string, std::string>;
using Strings = std::vector<std::string>;

class FileChecksTest : public testing::Test {
protected:
    // Findings as "FIELD XF-4nnn line".
    Strings compare(std::uint64_t line, const Values& values) {
        CheckedRecord checked;
        checked.values.resize(catalog_.fields.size());
        checked.wrong.assign(catalog_.fields.size(), 0);
        for (const auto& [field, value] : values) {
            checked.values[catalog_.find(field)] = value;
        }
        if (!wrong_.empty()) {
            checked.wrong[catalog_.find(wrong_)] = 1;
        }
        checks_.compare(catalog_, line, checked);
        Strings found;
        for (const auto& finding : checked.findings) {
            EXPECT_EQ(finding.raw, values.at(catalog_.fields[finding.field].code));
            EXPECT_EQ(finding.severity, severity_);
            found.push_back(catalog_.fields[finding.field].code + " " + std::string{finding.code} + " " +
                            finding.arguments.at(0));
        }
        EXPECT_EQ(checked.warned, !found.empty() && severity_ == Severity::warning);
        EXPECT_EQ(checked.defective, !found.empty() && severity_ == Severity::error);
        return found;
    }
    Strings named(std::uint64_t line, const std::string& code, const std::string& name,
                  const std::string& category = "法人及非法人组织") {
        return compare(line, {{"CF_XDR_SHXYM", code}, {"CF_XDR_MC", name}, {"CF_XDR_LB", category}});
    }

    Catalog catalog_ = test::penalty();
    FileChecks checks_;
    std::string wrong_;
    Severity severity_ = Severity::warning;
};

TEST_F(FileChecksTest, OneCodeHasOneName) {
    EXPECT_EQ(named(2, "91219900A", "甲公司"), Strings{});
    EXPECT_EQ(named(3, "91219900B", "乙公司"), Strings{});
    EXPECT_EQ(named(4, "91219900A", "甲公司"), Strings{});
    EXPECT_EQ(named(5, "91219900A", "丙公司"), Strings{"CF_XDR_MC XF-4113 4"}) << "the line that said otherwise last";
    EXPECT_EQ(named(6, "91219900A", "丙公司"), Strings{}) << "each change is told once";
    EXPECT_EQ(named(7, "91219900A", "甲公司"), (Strings{"CF_XDR_MC XF-4113 6"}));
}

TEST_F(FileChecksTest, OneNameHasOneCodeWithinItsCategory) {
    EXPECT_EQ(named(2, "91219900A", "甲公司"), Strings{});
    EXPECT_EQ(named(3, "92219900A", "甲公司", "个体工商户"), Strings{});
    EXPECT_EQ(named(4, "91219900B", "甲公司"), Strings{"CF_XDR_SHXYM XF-4114 2"});
}

TEST_F(FileChecksTest, PersonsAreToldApartByTheirNumberAndMayShareAName) {
    const auto person = [&](std::uint64_t line, const std::string& number, const std::string& name) {
        return compare(line, {{"CF_XDR_ZJHM", number}, {"CF_XDR_MC", name}, {"CF_XDR_LB", "自然人"}});
    };
    EXPECT_EQ(person(2, "219900190001010013", "某甲"), Strings{});
    EXPECT_EQ(person(3, "219900190001010030", "某甲"), Strings{});
    EXPECT_EQ(person(4, "219900190001010013", "某乙"), Strings{"CF_XDR_MC XF-4113 2"});
}

TEST_F(FileChecksTest, BlanksAndWidthMakeNoOtherName) {
    EXPECT_EQ(named(2, "91219900A", "甲(大连)A公司~"), Strings{});
    EXPECT_EQ(named(3, "91219900A", "甲（大连）Ａ公司～"), Strings{});
    EXPECT_EQ(named(4, "91219900A", "甲 (大连)　A公司~"), Strings{});
    EXPECT_EQ(named(5, "91219900A", "甲(大连)B公司~"), Strings{"CF_XDR_MC XF-4113 4"});
    EXPECT_EQ(named(6, "91219900A", "甲(大连)B公司\xEF"), Strings{"CF_XDR_MC XF-4113 5"}) << "cut short";
}

TEST_F(FileChecksTest, ValuesThatAreMissingOrWrongSayNothing) {
    EXPECT_EQ(named(2, "91219900A", "甲公司"), Strings{});
    wrong_ = "CF_XDR_SHXYM";
    EXPECT_EQ(named(3, "91219900A", "乙公司"), Strings{});
    wrong_ = "CF_XDR_MC";
    EXPECT_EQ(named(4, "91219900A", "乙公司"), Strings{});
    wrong_.clear();
    EXPECT_EQ(named(5, "91219900A", ""), Strings{});
    EXPECT_EQ(named(6, "", "甲公司"), Strings{});
    EXPECT_EQ(named(7, "91219900B", "甲公司", ""), Strings{}) << "without a category nobody knows";
    EXPECT_EQ(named(8, "91219900C", "甲公司", ""), Strings{});
    EXPECT_EQ(named(9, "91219900A", "甲公司"), Strings{});
}

TEST_F(FileChecksTest, ThePackSaysHowSevereItIs) {
    for (auto& check : catalog_.checks) {
        check.severity = Severity::error;
    }
    severity_ = Severity::error;
    EXPECT_EQ(named(2, "91219900A", "甲公司"), Strings{});
    EXPECT_EQ(named(3, "91219900A", "乙公司"), Strings{"CF_XDR_MC XF-4113 2"});
}

TEST_F(FileChecksTest, TheFirstOfTensOfThousandsIsStillKnown) {
    constexpr int kSubjects = 40000;  // two values each
    const auto code = [](int i) { return "91219900" + std::to_string(100000 + i); };
    const auto name = [](int i) { return "企业" + std::to_string(i); };
    for (int i = 0; i < kSubjects; ++i) {
        ASSERT_EQ(named(static_cast<std::uint64_t>(i) + 2, code(i), name(i)), Strings{}) << i;
    }
    for (int i = 0; i < kSubjects; ++i) {
        ASSERT_EQ(named(50000, code(i), "另一企业" + std::to_string(i)),
                  Strings{"CF_XDR_MC XF-4113 " + std::to_string(i + 2)});
    }
}

// However many different values there are, none of them brings a finding that is not true, and what was met just
// before is known.
TEST_F(FileChecksTest, BeyondItsBoundItForgetsButInventsNothing) {
    constexpr std::uint64_t kSubjects = 2 * FileChecks::kValuesMax;
    std::erase_if(catalog_.checks, [](const Check& check) { return check.code != "XF-4113"; });
    CheckedRecord checked;
    checked.values.resize(catalog_.fields.size());
    checked.wrong.assign(catalog_.fields.size(), 0);
    const auto known = [&](std::uint64_t subject, std::string_view name, std::uint64_t line) {
        const auto code = std::to_string(91219900000000000 + subject);
        checked.values[catalog_.find("CF_XDR_SHXYM")] = code;
        checked.values[catalog_.find("CF_XDR_MC")] = name;
        checked.findings.clear();
        checks_.compare(catalog_, line, checked);
        return checked.findings.empty() ? std::string{} : checked.findings.front().arguments.at(0);
    };
    for (std::uint64_t i = 0; i < kSubjects; ++i) {
        ASSERT_EQ(known(i, "企业", i + 2), "") << i;
        if (i % 1000 == 0) {
            ASSERT_EQ(known(i, "公司", i + 2), std::to_string(i + 2));
        }
    }
    int remembered = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        remembered += known(i, "公司", kSubjects + 2).empty() ? 0 : 1;
    }
    EXPECT_LT(remembered, 100) << "the bound holds: the first have been forgotten";
}

TEST_F(FileChecksTest, LinesBeyondFourThousandMillionAreNamed) {
    EXPECT_EQ(named(5'000'000'000, "91219900A", "甲公司"), Strings{});
    EXPECT_EQ(named(5'000'000'001, "91219900A", "乙公司"), Strings{"CF_XDR_MC XF-4113 5000000000"});
}

}  // namespace
}  // namespace xinfu::policies
