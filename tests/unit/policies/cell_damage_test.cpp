// Damage by its name. Sentences are made up for these tests; the patterns are those of damaged public documents. What
// GBK text becomes when it is cut one octet late was made with Python's codecs: tests/vectors/text/damage.py.
#include "policies/cell_damage.hpp"

#include <sstream>

#include <gtest/gtest.h>

#include "policies/text.hpp"
#include "policies/values.hpp"
#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

std::string damage(std::string_view text) {
    const auto found = find_text_damage(text);
    if (!found.code.empty()) {
        EXPECT_TRUE(scan_text(text).suspicious) << text << ": the fast look must not miss it";
        EXPECT_NE(text.find(found.marks), std::string_view::npos);
        EXPECT_FALSE(found.marks.empty()) << text;
    }
    return std::string{found.code};
}

TEST(TextDamage, IsFoundInWhatAWrongCutMakes) {
    for (const auto& row : test::read_rows("tests/vectors/text/damage.tsv")) {
        ASSERT_EQ(row.size(), 2u);
        EXPECT_EQ(damage(row[1]), "XF-4086") << row[0] << " became " << row[1];
        EXPECT_EQ(damage(row[0]), "") << row[0];
    }
}

TEST(TextDamage, IsFoundInItsKnownShapes) {
    for (const auto* text : {"?。ㄒ唬┏鞘泄芾聿块T檢查", "現場確?!皯斄⒓凑模皶r", "本市?局检查", "?责令改正",
                             "?\n责令改正", "责令改正,?并处罚款", "一是??检查", "第2?款", "锟斤拷公司", "鐢å¸å¸åº",
                             "检查┨记录", "（ㄋ模检查", "示例。ǘ┘訌查"}) {
        EXPECT_EQ(damage(text), "XF-4086") << text;
    }
    for (const auto* text : {"當事人涉嫌發(fā)布廣告", "经营场所（suǒ）检查", "吕(lǚ)某", "检查機(jī)構(gòu)"}) {
        EXPECT_EQ(damage(text), "XF-4087") << text;
    }
}

TEST(TextDamage, IsNotSeenInSoundText) {
    for (const auto* text :
         {"当事人是否知情?执法人员询问后记录在案", "问：你公司有无许可证?", "“是否属实?”",
          "网址 http://example.cn/?id=1&n=2", "规格型号 A?B", "依据《示例条例》第三条（一）项", "涉案商标为（CAFE）",
          "示例公司(ABC)销售", "额度——五千元", "甲──乙", "阿卜杜拉·买买提", "Müller（中国）有限公司", "μ 值 ±0.5°",
          "发布（fabu）广告", "“①、②”", "示例Ⅱ型", "", "?"}) {
        if (std::string_view{text} != "?") {
            EXPECT_EQ(damage(text), "") << text;
        }
    }
    EXPECT_EQ(damage("?"), "XF-4086");
}

TEST(TextDamage, TellsTheMarksAndNothingAround) {
    EXPECT_EQ(find_text_damage("示例?。ㄒ唬").marks, "?。ㄒ");
    EXPECT_EQ(find_text_damage("张?明").marks, "?");
    EXPECT_EQ(find_text_damage("張發(fā)達(dá)").marks, "(fā)");
}

TEST(CellDamage, PeelsWhatSurroundsAValue) {
    const auto peeled = [](std::string_view cell, bool prose = false) {
        const auto [value, noticed] = peel(cell, prose);
        return std::string{value} + (noticed ? "!" : "");
    };
    EXPECT_EQ(peeled("甲"), "甲");
    EXPECT_EQ(peeled(" 甲 "), "甲") << "blanks are nobody's fault";
    EXPECT_EQ(peeled("\t甲"), "甲!");
    EXPECT_EQ(peeled("甲\u3000 "), "甲!");
    EXPECT_EQ(peeled("\u00a0甲"), "甲!");
    EXPECT_EQ(peeled("'91350100M000100Y43"), "91350100M000100Y43!");
    EXPECT_EQ(peeled("=\"0123\""), "0123!");
    EXPECT_EQ(peeled("=1+1"), "=1+1");
    EXPECT_EQ(peeled("'"), "'");
    EXPECT_EQ(peeled("'甲'乙", true), "'甲'乙");
    EXPECT_EQ(peeled("'甲乙", true), "甲乙!");
    EXPECT_EQ(peeled(" \t\u3000"), "");
}

TEST(CellDamage, NamesWhatSpreadsheetsDo) {
    for (const auto* text : {"9.13E+17", "1E+15", "9e+05", "-1.5E-05"}) {
        EXPECT_TRUE(is_scientific(text)) << text;
    }
    for (const auto* text : {"9.13", "1E15", "91350100E+1", "E+17", "9.E+1", "9.13E+", "9.13E+17x"}) {
        EXPECT_FALSE(is_scientific(text)) << text;
    }
    EXPECT_TRUE(has_lost_digits("913501001234567000"));
    EXPECT_FALSE(has_lost_digits("913501001234567001"));
    EXPECT_FALSE(has_lost_digits("000000000000000000")) << "nobody's number";
    EXPECT_FALSE(has_lost_digits("440301103097413"));
    for (const auto* text : {"1,234", "-12,345.60", "1，234，567"}) {
        EXPECT_TRUE(has_thousands_separators(text)) << text;
    }
    for (const auto* text : {"1,23", "1234,567", "1,234.", ",123", "1.234", "1,234元"}) {
        EXPECT_FALSE(has_thousands_separators(text)) << text;
    }
    // LibreOffice shows these numbers as these days.
    EXPECT_EQ(date_text(date_serial("46344").value()), "2026-11-18");
    EXPECT_EQ(date_text(date_serial("36526").value()), "2000-01-01");
    EXPECT_EQ(date_text(date_serial("73050.5").value()), "2099-12-31");
    EXPECT_FALSE(date_serial("19999"));
    EXPECT_FALSE(date_serial("463440"));
    EXPECT_FALSE(date_serial("46344."));
    for (const auto* text : {"26/11/18", "18-11-2026", "18-Nov-26", "11/18/26 0:00"}) {
        EXPECT_TRUE(is_unclear_date(text)) << text;
    }
    for (const auto* text : {"2026/11/18", "18/11", "11月18日", "18-11-20266"}) {
        EXPECT_FALSE(is_unclear_date(text)) << text;
    }
    EXPECT_EQ(spreadsheet_error("#N/A"), "#N/A");
    EXPECT_EQ(spreadsheet_error("########"), "####");
    EXPECT_EQ(spreadsheet_error("#1 车间"), "");
    EXPECT_EQ(spreadsheet_error("#"), "");
}

TEST(CellDamage, NamesForbiddenCharactersByTheirKind) {
    const std::pair<const char*, const char*> cases[] = {
        {"\uE000", "XF-4073"},     {"\uF8FF", "XF-4073"}, {"\U000F0000", "XF-4073"}, {"\u200B", "XF-4074"},
        {"\uFEFF", "XF-4074"},     {"\u00AD", "XF-4074"}, {"\u3164", "XF-4074"},     {"\U000E0041", "XF-4074"},
        {"\u202E", "XF-4075"},     {"\u2066", "XF-4075"}, {"\u061C", "XF-4075"},     {"\uFFFD", "XF-4076"},
        {"\x01", "XF-4005"},       {"\u0085", "XF-4005"}, {"\uFFFE", "XF-4005"},     {"\uFDD0", "XF-4005"},
        {"\U0001FFFF", "XF-4005"}, {"\u2028", "XF-4005"}};
    for (const auto& [text, code] : cases) {
        const auto whole = std::string{"中文"} + text + "中文";
        EXPECT_TRUE(scan_text(whole).suspicious) << code;
        const auto character = find_forbidden(whole, false);
        ASSERT_NE(character, 0u) << code << " " << std::hex << character_at(text, 0).value;
        EXPECT_EQ(code_of_forbidden(character), code) << std::hex << character;
    }
    for (const auto* text : {"·", "𠮷", "䶮", "，“”——", "Ａ１", "Ⅱ①", "㐂", "—…"}) {
        EXPECT_EQ(find_forbidden(text, false), 0u) << text;
    }
}

}  // namespace
}  // namespace xinfu::policies
