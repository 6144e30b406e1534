#include "policies/mask.hpp"

#include <gtest/gtest.h>

namespace xinfu::policies {
namespace {

std::string masked(std::string_view rule, std::string_view value) {
    return mask_by(rule, value, [](std::string_view field) { return field == "CF_XDR_LB" ? "自然人" : ""; });
}

TEST(Mask, KeepsTheEndsItsRuleNames) {
    EXPECT_EQ(masked("1,0", "张三"), "张*");
    EXPECT_EQ(masked("1,0", "欧阳明"), "欧**");
    EXPECT_EQ(masked("6,4", "219900190001010013"), "219900********0013");
    EXPECT_EQ(masked("3,4", "13800138000"), "138****8000");
    EXPECT_EQ(masked("", "whole"), "whole");
}

TEST(Mask, NeverShowsAShortValueWhole) {
    EXPECT_EQ(masked("6,4", "12345"), "123**");
    EXPECT_EQ(masked("6,4", "A"), "*");
    EXPECT_EQ(masked("1,1", "张三"), "张*");
    EXPECT_EQ(masked("60,60", "abcdef"), "abcd**");
    EXPECT_EQ(masked("1,0", ""), "");
}

TEST(Mask, HidesEverythingUnderARuleItCannotRead) {
    for (const auto* rule :
         {"x", "1", "1,", ",1", "-1,2", "1,2 when", "1,2 when =x", "1,2 when A=", "1,2,3", "99999,0"}) {
        EXPECT_FALSE(parse_mask(rule)) << rule;
        EXPECT_EQ(masked(rule, "张三"), "**") << rule;
    }
}

TEST(Mask, AppliesWhereItsConditionHolds) {
    EXPECT_EQ(masked("1,0 when CF_XDR_LB=自然人", "张三"), "张*");
    EXPECT_EQ(masked("1,0 when CF_XDR_LB=个体工商户", "张三"), "张三");
}

TEST(Mask, TakesOctetsThatAreNoTextAsCharacters) {
    EXPECT_EQ(masked("1,0", "\xFF\xE4\xB8"), "\xFF**");
}

}  // namespace
}  // namespace xinfu::policies
