#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "policies/codes.hpp"
#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

using test::Cells;
using test::day;
using test::good_penalty;
using test::natural_person;

const Day kToday = day(2026, 11, 22);

Cells with(Cells cells, const std::string& field, const std::string& value) {
    cells[field] = value;
    return cells;
}

struct Outcome {
    std::multiset<std::string> errors;  // "FIELD XF-4nnn"
    std::multiset<std::string> warnings;
    std::map<std::string, std::string> values;
    std::string subject;
    std::map<std::string, std::vector<std::string>> arguments;  // by code
};

Outcome check(const Cells& cells, const Catalog& catalog = test::penalty(), Day today = kToday) {
    std::vector<std::string_view> by_field(catalog.fields.size());
    for (const auto& [code, value] : cells) {
        by_field.at(catalog.find(code)) = value;
    }
    CheckedRecord checked;
    check_record(catalog, test::calendar(), today, by_field, checked);
    Outcome outcome;
    for (const auto& finding : checked.findings) {
        const auto field = finding.field == kNoField ? std::string{"-"} : catalog.fields[finding.field].code;
        auto& list = finding.severity == Severity::error ? outcome.errors : outcome.warnings;
        list.insert(field + " " + std::string{finding.code});
        outcome.arguments[std::string{finding.code}] = finding.arguments;
        EXPECT_NE(find_code(finding.code), nullptr) << finding.code;
    }
    for (std::size_t i = 0; i < checked.values.size(); ++i) {
        if (!checked.values[i].empty()) {
            outcome.values[catalog.fields[i].code] = checked.values[i];
        }
    }
    outcome.subject = checked.subject;
    EXPECT_EQ(checked.defective, !outcome.errors.empty());
    EXPECT_EQ(checked.warned, !outcome.warnings.empty());
    return outcome;
}

using Findings = std::multiset<std::string>;

TEST(CheckRecord, PassesAGoodRecordUnchanged) {
    const auto outcome = check(good_penalty());
    EXPECT_EQ(outcome.errors, Findings{});
    EXPECT_EQ(outcome.warnings, Findings{});
    EXPECT_EQ(outcome.subject, "91350100M000100Y43");
    EXPECT_EQ(outcome.values, good_penalty());
}

TEST(CheckRecord, PassesANaturalPerson) {
    const auto outcome = check(natural_person());
    EXPECT_EQ(outcome.errors, Findings{});
    EXPECT_EQ(outcome.warnings, Findings{});
    EXPECT_EQ(outcome.subject, "219900190001010013");
}

struct Case {
    const char* field;
    const char* value;
    Findings errors;
    Findings warnings;
};

void expect_cases(const Cells& base, const std::vector<Case>& cases) {
    for (const auto& c : cases) {
        const auto outcome = check(with(base, c.field, c.value));
        EXPECT_EQ(outcome.errors, c.errors) << c.field << " = " << c.value;
        EXPECT_EQ(outcome.warnings, c.warnings) << c.field << " = " << c.value;
    }
}

TEST(CheckRecord, FindsWhatIsMissing) {
    expect_cases(good_penalty(), {
                                     {"CF_XDR_MC", "", {"CF_XDR_MC XF-4002"}, {}},
                                     {"CF_XDR_MC", " \u3000 ", {"CF_XDR_MC XF-4002"}, {}},
                                     {"CF_XDR_SHXYM", "", {"CF_XDR_SHXYM XF-4003"}, {}},
                                     {"CF_FRDB", "", {"CF_FRDB XF-4003"}, {}},
                                     {"CF_NR_FK", "", {"CF_NR_FK XF-4003"}, {}},
                                     {"CF_XDR_LB", "", {"CF_XDR_LB XF-4002"}, {}},
                                     {"CF_FR_ZJHM", "219900190001010013", {"CF_FR_ZJLX XF-4003"}, {}},
                                     {"CF_CFLB", "警告;没收违法所得", {"CF_NR_WFFF XF-4003"}, {"CF_NR_FK XF-4052"}},
                                     {"CF_CFLB", "罚款;吊销许可证件", {"CF_NR_ZKDX XF-4003"}, {}},
                                 });
    expect_cases(natural_person(), {
                                       {"CF_XDR_ZJHM", "", {"CF_XDR_ZJHM XF-4003"}, {}},
                                       {"CF_XDR_ZJLX", "", {"CF_XDR_ZJLX XF-4003"}, {}},
                                   });
}

TEST(CheckRecord, NamesTheConditionInBothLanguages) {
    const auto outcome = check(with(good_penalty(), "CF_NR_FK", ""));
    EXPECT_EQ(outcome.arguments.at("XF-4003"),
              (std::vector<std::string>{"the kinds of penalty include 罚款 (fine)", "处罚类别包含“罚款”"}));
}

TEST(CheckRecord, FindsWrongUnifiedCodes) {
    expect_cases(good_penalty(), {
                                     {"CF_XDR_SHXYM", "91350100M000100Y4", {"CF_XDR_SHXYM XF-4020"}, {}},
                                     {"CF_XDR_SHXYM", "91350100M000100Y44", {"CF_XDR_SHXYM XF-4021"}, {}},
                                     {"CF_XDR_SHXYM", "91219900MATEJT500Y", {"CF_XDR_SHXYM XF-4022"}, {}},
                                     {"CF_XDR_SHXYM", "000000000000000000", {"CF_XDR_SHXYM XF-4023"}, {}},
                                     {"CF_XDR_SHXYM", "９１３５０１００M000100Y43", {}, {"CF_XDR_SHXYM XF-4012"}},
                                     {"CF_XDR_SHXYM", "91350100m000100y43", {}, {"CF_XDR_SHXYM XF-4012"}},
                                     {"CF_XDR_LB", "个体工商户", {"CF_XDR_SHXYM XF-4030"}, {}},
                                     {"CF_XDR_ZZJG", "71526726-X", {"CF_XDR_ZZJG XF-4025"}, {"CF_XDR_ZZJG XF-4012"}},
                                     {"CF_XDR_ZZJG", "M000100Y4", {}, {}},
                                     {"CF_XDR_ZZJG", "715267260", {"CF_XDR_ZZJG XF-4024"}, {}},
                                     {"CF_XDR_GSZC", "440301103097414", {"CF_XDR_GSZC XF-4026"}, {}},
                                     {"CF_XDR_GSZC", "440301103097413", {}, {}},
                                     {"CF_XDR_SWDJ", "1234", {"CF_XDR_SWDJ XF-4029"}, {}},
                                     {"CF_CFJGDM", "11100000MB0143028A", {"CF_CFJGDM XF-4021"}, {}},
                                 });
    EXPECT_EQ(check(with(good_penalty(), "CF_XDR_SHXYM", "91350100m000100y43")).subject, "91350100M000100Y43");
    EXPECT_EQ(check(with(good_penalty(), "CF_XDR_SHXYM", "91350100M000100Y44")).subject, "");
}

TEST(CheckRecord, FindsWrongDocumentsOfPersons) {
    expect_cases(natural_person(), {
                                       {"CF_XDR_ZJHM", "219900190001010014", {"CF_XDR_ZJHM XF-4027"}, {}},
                                       {"CF_XDR_ZJHM", "219900190013010013", {"CF_XDR_ZJHM XF-4027"}, {}},
                                       {"CF_XDR_ZJHM", "21990019000101001３", {}, {"CF_XDR_ZJHM XF-4012"}},
                                       {"CF_XDR_ZJLX", "护照号", {}, {}},
                                       {"CF_XDR_ZJLX", "港澳居民来往内地通行证", {"CF_XDR_ZJHM XF-4028"}, {}},
                                       {"CF_XDR_SHXYM", "91350100M000100Y43", {"CF_XDR_SHXYM XF-4031"}, {}},
                                   });
    expect_cases(good_penalty(), {{"CF_XDR_ZJHM", "219900190001010013", {}, {"CF_XDR_ZJHM XF-4032"}}});
    EXPECT_EQ(check(with(natural_person(), "CF_XDR_ZJHM", "110105491231002")).subject, "11010519491231002X");
}

TEST(CheckRecord, KeepsPersonalNumbersOutOfArguments) {
    const auto outcome = check(with(natural_person(), "CF_XDR_ZJHM", " 219900190001010013"));
    EXPECT_EQ(outcome.warnings, Findings{}) << "blanks at the ends are no news";
    const auto wide = check(with(natural_person(), "CF_XDR_ZJHM", "21990019000101001３"));
    EXPECT_EQ(wide.arguments.at("XF-4012"), std::vector<std::string>{"219900********0013"});
}

TEST(CheckRecord, ReadsDatesInTheirUsualForms) {
    for (const auto* text : {"2026-11-18", "20261118", "2026/11/18", " 2026/11/18 "}) {
        const auto outcome = check(with(good_penalty(), "CF_JDRQ", text));
        EXPECT_EQ(outcome.errors, Findings{}) << text;
        EXPECT_EQ(outcome.warnings, Findings{}) << text;
        EXPECT_EQ(outcome.values.at("CF_JDRQ"), "2026-11-18") << text;
    }
    EXPECT_EQ(check(with(good_penalty(), "CF_YXQ", "2027/3/1")).values.at("CF_YXQ"), "2027-03-01");
    EXPECT_EQ(check(with(good_penalty(), "CF_YXQ", "2027-3-1")).values.at("CF_YXQ"), "2027-03-01");
    for (const auto* text : {"2026/02/30", "2026/13/01", "2026/11", "2026/11-18", "2026年11月18日", "无处罚期限",
                             "2026/11/18x", "2026/11/18 25:00", "２０２６/11/18", "2026/11/18 08", "0000/01/01"}) {
        EXPECT_EQ(check(with(good_penalty(), "CF_YXQ", text)).errors, Findings{"CF_YXQ XF-4006"}) << text;
    }
    for (const auto* text : {"2026-11-18T00:00:00", "2026/11/18 08:30", "2026/11/18 0:00"}) {
        EXPECT_EQ(check(with(good_penalty(), "CF_YXQ", text)).errors, Findings{"CF_YXQ XF-4083"}) << text;
    }
    for (const auto* text : {"26/11/18", "18/11/2026", "18-Nov-26"}) {
        EXPECT_EQ(check(with(good_penalty(), "CF_YXQ", text)).errors, Findings{"CF_YXQ XF-4084"}) << text;
    }
}

TEST(CheckRecord, NamesWhatSpreadsheetsDid) {
    expect_cases(good_penalty(), {
                                     {"CF_XDR_SHXYM", "9.13501E+17", {"CF_XDR_SHXYM XF-4078"}, {}},
                                     {"CF_XDR_SHXYM", "913501001000100000", {"CF_XDR_SHXYM XF-4079"}, {}},
                                     {"CF_XDR_SHXYM", "000000000000000000", {"CF_XDR_SHXYM XF-4023"}, {}},
                                     {"CF_XDR_SHXYM", "'91350100M000100Y43", {}, {"CF_XDR_SHXYM XF-4077"}},
                                     {"CF_XDR_SHXYM", "\t91350100M000100Y43", {}, {"CF_XDR_SHXYM XF-4077"}},
                                     {"CF_XDR_SHXYM", "=\"91350100M000100Y43\"", {}, {"CF_XDR_SHXYM XF-4077"}},
                                     {"CF_XDR_SHXYM", "#N/A", {"CF_XDR_SHXYM XF-4085"}, {}},
                                     {"CF_XDR_LB", "\u3000法人及非法人组织", {}, {"CF_XDR_LB XF-4077"}},
                                     {"CF_NR_FK", "1,234.50", {"CF_NR_FK XF-4081"}, {}},
                                     {"CF_NR_FK", "1E-05", {"CF_NR_FK XF-4078"}, {}},
                                     {"CF_NR_FK", "5万元", {"CF_NR_FK XF-4007"}, {}},
                                     {"CF_JDRQ", "46344", {"CF_JDRQ XF-4082"}, {}},
                                     {"CF_JDRQ", "########", {"CF_JDRQ XF-4085"}, {}},
                                     {"CF_SY", "#VALUE!", {"CF_SY XF-4085"}, {}},
                                     {"CF_SY", "#1 车间未设置警示标志", {}, {}},
                                     {"CF_XDR_GSZC", "40301103097413", {}, {}},
                                     {"CF_NR", "處(chǔ)以警告", {"CF_NR XF-4087"}, {}},
                                     {"CF_NR", "处以警?告", {"CF_NR XF-4086"}, {}},
                                     {"CF_NR", "处以\u200b警告", {"CF_NR XF-4074"}, {}},
                                     {"CF_NR", "处以\u202e警告", {"CF_NR XF-4075"}, {}},
                                     {"CF_NR", "处以\ufffd警告", {"CF_NR XF-4076"}, {}},
                                     {"CF_NR", "处以\ue000警告", {"CF_NR XF-4073"}, {}},
                                     {"CF_WSH", "\u200b丹市监处罚〔2026〕12号", {"CF_WSH XF-4074"}, {}},
                                 });
    EXPECT_EQ(check(with(good_penalty(), "CF_JDRQ", "46344")).arguments.at("XF-4082"),
              std::vector<std::string>{"2026-11-18"});
    EXPECT_EQ(check(with(good_penalty(), "CF_SY", "\t当事人")).values.at("CF_SY"), "当事人");
    // 00012345-? with its zeros lost; GB 11714 check character by hand: 3*0+7*0+9*0+10*1+5*2+8*3+4*4+2*5 = 70,
    // 11 - 70 mod 11 = 7.
    const auto zeros = check(with(good_penalty(), "CF_XDR_ZZJG", "123457"));
    EXPECT_EQ(zeros.errors, Findings{"CF_XDR_ZZJG XF-4080"});
    EXPECT_EQ(zeros.arguments.at("XF-4080"), std::vector<std::string>{"000123457"});
    EXPECT_EQ(check(with(natural_person(), "CF_XDR_ZJHM", "219900190001010000")).errors,
              Findings{"CF_XDR_ZJHM XF-4079"});
}

TEST(CheckRecord, ComparesDates) {
    expect_cases(good_penalty(), {
                                     {"CF_JDRQ", "2026/11/22", {}, {}},
                                     {"CF_JDRQ", "2026/11/23", {"CF_JDRQ XF-4040"}, {}},
                                     {"CF_YXQ", "2026/11/17", {"CF_YXQ XF-4042"}, {}},
                                     {"CF_YXQ", "2026/11/18", {}, {}},
                                     {"CF_YXQ", "1900/01/01", {"CF_YXQ XF-4043"}, {}},
                                     {"CF_GSJZQ", "2026/11/01", {"CF_GSJZQ XF-4042"}, {}},
                                     {"CF_JDRQ", "1949/09/30", {"CF_JDRQ XF-4041"}, {}},
                                 });
}

TEST(CheckRecord, MarksLateReports) {
    // Seven working days after Wednesday the 11th is Friday the 20th; after Thursday the 12th, Monday the 23rd.
    const auto late = check(with(good_penalty(), "CF_JDRQ", "2026/11/11"));
    EXPECT_EQ(late.errors, Findings{});
    EXPECT_EQ(late.warnings, Findings{"CF_JDRQ XF-4044"});
    EXPECT_EQ(late.arguments.at("XF-4044"), (std::vector<std::string>{"2026-11-20", "7"}));
    EXPECT_EQ(check(with(good_penalty(), "CF_JDRQ", "2026/11/12")).warnings, Findings{});
    // In a year without published calendar every answer is provisional, and late only by the later reckoning.
    const auto december = with(good_penalty(), "CF_JDRQ", "2026/12/30");
    EXPECT_EQ(check(december, test::penalty(), day(2027, 1, 6)).warnings, Findings{});
    EXPECT_EQ(check(december, test::penalty(), day(2027, 1, 7)).warnings, Findings{"CF_JDRQ XF-4047"});
    EXPECT_EQ(check(december, test::penalty(), day(2027, 1, 9)).warnings,
              (Findings{"CF_JDRQ XF-4044", "CF_JDRQ XF-4047"}));
}

TEST(CheckRecord, ReadsAmounts) {
    EXPECT_EQ(check(with(good_penalty(), "CF_NR_FK", "00012.500")).values.at("CF_NR_FK"), "12.5");
    EXPECT_EQ(check(with(good_penalty(), "CF_NR_FK", "100")).values.at("CF_NR_FK"), "100");
    expect_cases(good_penalty(), {
                                     {"CF_NR_FK", "0", {"CF_NR_FK XF-4050"}, {}},
                                     {"CF_NR_FK", "-1", {"CF_NR_FK XF-4050"}, {}},
                                     {"CF_NR_FK", "-0.000", {"CF_NR_FK XF-4050"}, {}},
                                     {"CF_NR_FK", "9999.999999", {}, {}},
                                     {"CF_NR_FK", "10000", {}, {"CF_NR_FK XF-4051"}},
                                     {"CF_NR_FK", "50000", {}, {"CF_NR_FK XF-4051"}},
                                     {"CF_NR_FK", "1.2345678", {"CF_NR_FK XF-4008"}, {}},
                                     {"CF_NR_FK", "1.2345670", {}, {}},
                                     {"CF_NR_FK", "1.234560000", {}, {}},
                                     {"CF_NR_FK", "1234567890123", {"CF_NR_FK XF-4008"}, {}},
                                     {"CF_NR_FK", "0.5万元", {"CF_NR_FK XF-4007"}, {}},
                                     {"CF_NR_FK", "1,000", {"CF_NR_FK XF-4081"}, {}},
                                     {"CF_NR_FK", "1e3", {"CF_NR_FK XF-4007"}, {}},
                                     {"CF_NR_FK", ".5", {"CF_NR_FK XF-4007"}, {}},
                                     {"CF_NR_FK", "5.", {"CF_NR_FK XF-4007"}, {}},
                                     {"CF_CFLB", "警告", {}, {"CF_NR_FK XF-4052"}},
                                 });
}

TEST(CheckRecord, ReadsListsInAnyOrderIntoOneForm) {
    for (const auto* text : {"罚款;警告", "警告；罚款", " 警告 ; 罚款 ;", "警告;罚款"}) {
        const auto outcome = check(with(good_penalty(), "CF_CFLB", text));
        EXPECT_EQ(outcome.values.at("CF_CFLB"), "警告;罚款") << text;
        EXPECT_EQ(outcome.errors, Findings{});
    }
    expect_cases(good_penalty(), {
                                     {"CF_CFLB", "警告;罚款;罚款", {}, {"CF_CFLB XF-4010"}},
                                     {"CF_CFLB", "罚款;罚金", {"CF_CFLB XF-4009"}, {}},
                                     {"CF_CFLB", "罚款;其他", {}, {"BZ XF-4062"}},
                                     {"CF_XDR_LB", "企业", {"CF_XDR_LB XF-4009"}, {}},
                                 });
}

TEST(CheckRecord, AcceptsTheFormerListForFormerDecisions) {
    auto cells = with(with(good_penalty(), "CF_CFLB", "罚款;没收违法所得、没收非法财物"), "CF_NR_WFFF", "3");
    EXPECT_EQ(check(cells).errors, Findings{"CF_CFLB XF-4009"});
    EXPECT_EQ(check(with(cells, "CF_JDRQ", "2021/07/14")).errors, Findings{});
    EXPECT_EQ(check(with(cells, "CF_JDRQ", "2021/07/15")).errors, Findings{"CF_CFLB XF-4009"});
}

TEST(CheckRecord, CountsCharactersNotOctets) {
    std::string text;
    for (int i = 0; i < 200; ++i) {
        text += "字";
    }
    EXPECT_EQ(check(with(good_penalty(), "CF_XDR_MC", text)).errors, Findings{});
    const auto outcome = check(with(good_penalty(), "CF_XDR_MC", text + "字"));
    EXPECT_EQ(outcome.errors, Findings{"CF_XDR_MC XF-4004"});
    EXPECT_EQ(outcome.arguments.at("XF-4004"), (std::vector<std::string>{"201", "200"}));
}

TEST(CheckRecord, RefusesInvisibleCharacters) {
    EXPECT_EQ(check(with(good_penalty(), "CF_NR", "罚款\u200B")).errors, Findings{"CF_NR XF-4074"});
    EXPECT_EQ(check(with(good_penalty(), "CF_NR", "罚\x01款")).arguments.at("XF-4005"),
              std::vector<std::string>{"0001"});
    EXPECT_EQ(check(with(good_penalty(), "CF_NR", "一\r\n二\r三")).values.at("CF_NR"), "一\n二\n三");
}

TEST(CheckRecord, WarnsOfWhatIsUnlikely) {
    expect_cases(good_penalty(), {
                                     {"CF_WSH", "丹市监许〔2026〕12号", {}, {"CF_WSH XF-4061"}},
                                     {"CF_WSH", "丹市监处罚(2026)12号", {}, {"CF_WSH XF-4061"}},
                                     {"CF_WSH", "丹市监处罚（2026）12号", {}, {}},
                                     {"CF_SY", "无", {}, {"CF_SY XF-4060"}},
                                     {"CF_SY", "当事人219900190001010013违法", {}, {"CF_SY XF-4033"}},
                                 });
}

TEST(CheckRecord, ChecksLicencesToo) {
    const Cells cells = {{"XK_XDR_MC", "示例商贸有限公司"},
                         {"XK_XDR_LB", "法人及非法人组织"},
                         {"XK_XDR_SHXYM", "91350100M000100Y43"},
                         {"XK_FRDB", "张三"},
                         {"XK_XKWS", "准予行政许可决定书"},
                         {"XK_WSH", "丹市监许准〔2026〕12号"},
                         {"XK_XKLB", "普通"},
                         {"XK_NR", "食品经营"},
                         {"XK_JDRQ", "2026/11/18"},
                         {"XK_YXQZ", "2026/11/18"},
                         {"XK_YXQZI", "2031/11/17"},
                         {"XK_XKJG", "示例市场监督管理局"},
                         {"XK_XKJGDM", "11100000MB0143028R"},
                         {"XK_ZT", "1"},
                         {"XK_LYDW", "示例市场监督管理局"},
                         {"XK_LYDWDM", "11100000MB0143028R"}};
    const auto errors = [&](const std::string& field, const std::string& value) {
        return check(with(cells, field, value), test::licence()).errors;
    };
    EXPECT_EQ(errors("BZ", ""), Findings{});
    EXPECT_EQ(errors("XK_YXQZI", "2026/11/17"), Findings{"XK_YXQZI XF-4042"});
    EXPECT_EQ(errors("XK_ZT", "3"), Findings{"XK_ZT XF-4009"});
    EXPECT_EQ(errors("XK_XKBH", "A1"), Findings{"XK_XKZS XF-4003"});
}

// Any octets give an answer; the same octets the same answer; and what was normalised stays as it is.
TEST(CheckRecord, IsTotalAndItsValuesAreFixedPoints) {
    std::mt19937 random{1};
    const auto& catalog = test::penalty();
    const auto good = good_penalty();
    const std::string pieces[] = {"",       "无",    "9",      "\xFF", "〔2026〕", "2026/11/18",
                                  "自然人", "罚款;", "\u3000", "\r\n", "-",        "."};
    CheckedRecord checked;
    CheckedRecord again;
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::string> texts(catalog.fields.size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto found = good.find(catalog.fields[i].code);
            texts[i] = found == good.end() ? "" : found->second;
            if (random() % 4 == 0) {
                texts[i].insert(random() % (texts[i].size() + 1), pieces[random() % std::size(pieces)]);
            }
        }
        const std::vector<std::string_view> cells(texts.begin(), texts.end());
        check_record(catalog, test::calendar(), kToday, cells, checked);
        std::vector<std::string> kept(checked.values.begin(), checked.values.end());
        const std::vector<std::string_view> normalised(kept.begin(), kept.end());
        check_record(catalog, test::calendar(), kToday, normalised, again);
        for (std::size_t i = 0; i < kept.size(); ++i) {
            ASSERT_TRUE(again.values[i] == kept[i] || again.wrong[i] || checked.wrong[i])
                << catalog.fields[i].code << ": " << kept[i];
        }
    }
}

}  // namespace
}  // namespace xinfu::policies
