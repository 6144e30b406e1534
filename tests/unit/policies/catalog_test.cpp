#include "policies/catalog.hpp"

#include <gtest/gtest.h>

#include "policies/codes.hpp"
#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

std::string pack_text() {
    return test::read_source_file("policies/packs/administrative-penalty.yaml");
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), by);
}

// The field lists of the 2018 standard: code, characters, obligation (Y always, C in some cases, N).
TEST(Catalog, HasTheFieldsOfTheStandardInItsOrder) {
    struct Expected {
        const char* code;
        std::uint32_t length;
        Required required;
    };
    constexpr auto kAlways = Required::always;
    constexpr auto kSometimes = Required::conditional;
    constexpr auto kNever = Required::optional;
    const Expected expected[] = {
        {"CF_XDR_MC", 200, kAlways},     {"CF_XDR_LB", 0, kAlways},   {"CF_XDR_SHXYM", 18, kSometimes},
        {"CF_XDR_GSZC", 50, kNever},     {"CF_XDR_ZZJG", 9, kNever},  {"CF_XDR_SWDJ", 20, kNever},
        {"CF_XDR_SYDW", 12, kNever},     {"CF_XDR_SHZZ", 50, kNever}, {"CF_FRDB", 50, kSometimes},
        {"CF_FR_ZJLX", 0, kSometimes},   {"CF_FR_ZJHM", 64, kNever},  {"CF_XDR_ZJLX", 0, kSometimes},
        {"CF_XDR_ZJHM", 64, kSometimes}, {"CF_WSH", 128, kAlways},    {"CF_WFXW", 2000, kAlways},
        {"CF_SY", 5000, kAlways},        {"CF_YJ", 2048, kAlways},    {"CF_CFLB", 0, kAlways},
        {"CF_NR", 4000, kAlways},        {"CF_NR_FK", 0, kSometimes}, {"CF_NR_WFFF", 0, kSometimes},
        {"CF_NR_ZKDX", 200, kSometimes}, {"CF_JDRQ", 0, kAlways},     {"CF_YXQ", 0, kAlways},
        {"CF_GSJZQ", 0, kNever},         {"CF_CFJG", 200, kAlways},   {"CF_CFJGDM", 18, kAlways},
        {"CF_SJLY", 200, kAlways},       {"CF_SJLYDM", 18, kAlways},  {"BZ", 4000, kNever},
    };
    const auto& fields = test::penalty().fields;
    ASSERT_EQ(fields.size(), std::size(expected));
    for (std::size_t i = 0; i < fields.size(); ++i) {
        EXPECT_EQ(fields[i].code, expected[i].code);
        EXPECT_EQ(fields[i].length_max, expected[i].length) << fields[i].code;
        EXPECT_EQ(fields[i].required, expected[i].required) << fields[i].code;
    }
    EXPECT_EQ(test::licence().fields.size(), 28u);
}

TEST(Catalog, HidesWhatIdentifiesAPerson) {
    for (const auto* catalog : {&test::penalty(), &test::licence()}) {
        for (const auto& field : catalog->fields) {
            const bool personal = field.code.ends_with("ZJHM") || field.code.ends_with("FRDB");
            EXPECT_EQ(field.visibility == Visibility::everyone,
                      !personal && !field.code.ends_with("ZJLX") && field.code != "BZ")
                << field.code;
            EXPECT_EQ(field.mask.empty(), !personal && !field.code.ends_with("XDR_MC")) << field.code;
        }
    }
}

TEST(Catalog, FindsColumnsByCodeOrTitle) {
    const auto& catalog = test::penalty();
    EXPECT_EQ(catalog.find_column("CF_WSH"), catalog.find("CF_WSH"));
    EXPECT_EQ(catalog.find_column(" cf_wsh* "), catalog.find("CF_WSH"));
    EXPECT_EQ(catalog.find_column("行政处罚决定书文号"), catalog.find("CF_WSH"));
    EXPECT_EQ(catalog.find_column("行政处罚决定书文号*"), catalog.find("CF_WSH"));
    EXPECT_EQ(catalog.find_column("行政处罚决定书文号＊"), catalog.find("CF_WSH"));
    EXPECT_EQ(catalog.find_column("行政相对人代码_1"), catalog.find("CF_XDR_SHXYM"));
    EXPECT_EQ(catalog.find_column("行政相对人代码_1（统一社会信用代码）"), catalog.find("CF_XDR_SHXYM"));
    EXPECT_EQ(catalog.find_column("证件类型"), catalog.find("CF_XDR_ZJLX"));
    EXPECT_EQ(catalog.find_column("法定代表人证件类型"), catalog.find("CF_FR_ZJLX"));
    EXPECT_EQ(catalog.find_column("行政许可决定文书号"), kNoField) << "another catalog's";
    EXPECT_EQ(catalog.find_column(""), kNoField);
    EXPECT_EQ(catalog.find_column("*"), kNoField);
    for (std::size_t i = 0; i < catalog.fields.size(); ++i) {
        EXPECT_EQ(catalog.find_column(catalog.fields[i].title_zh), i);
    }
}

TEST(Catalog, ReportsAllMistakesWithLineAndColumn) {
    auto text = pack_text();
    text = replaced(text, "maxLength: 128", "maxLenght: 128");
    text = replaced(text, "visibility: public", "visibility: everybody");
    text = replaced(text, "code: XF-4040", "code: XF-5001");
    text = replaced(text, "other: CF_JDRQ", "other: CF_NOWHERE");
    text += "extra: 1\n";
    const auto loaded = load_catalog(text);
    ASSERT_FALSE(loaded.value);
    const auto described = describe(loaded.mistakes);
    for (const auto* expected :
         {"unknown key \"maxLenght\"", "visibility is none of", "no such code for records: XF-5001",
          "no such field: CF_NOWHERE", "unknown key \"extra\""}) {
        EXPECT_NE(described.find(expected), std::string::npos) << expected << " in " << described;
    }
    for (const auto& mistake : loaded.mistakes) {
        EXPECT_GT(mistake.line, 0u) << mistake.text;
        EXPECT_GT(mistake.column, 0u) << mistake.text;
    }
}

struct Damage {
    const char* what;
    const char* by;
};

TEST(Catalog, RefusesEachKindOfDamage) {
    const Damage damages[] = {
        {"pack: catalog/1", "pack: catalog/2"},
        {"name: administrative-penalty", "name: Administrative Penalty"},
        {"deciding_unit: CF_CFJGDM\n", ""},
        {"deciding_unit: CF_CFJGDM\n", "deciding_unit: CF_JDRQ\n"},
        {"natural_person: 自然人", "natural_person: 外星人"},
        {"name: CF_XDR_LB", "name: CF_XDR_MC"},
        {"name: CF_XDR_LB", "name: cf-xdr"},
        {"enum: [法人及非法人组织, 自然人, 个体工商户]", "minLength: 3"},
        {"enum: [法人及非法人组织, 自然人, 个体工商户]", "enum: [法人及非法人组织, 自然人, 自然人]"},
        {"is_not: [自然人]", "is_not: [自然]"},
        {"is_not: [自然人]", "is_not: [自然人], is: [自然人]"},
        {"mask: \"6,4\"", "mask: \"six\""},
        {"mask: \"6,4\"", "rule: none"},
        {"expression: \".*罚", "expression: \"(.*罚"},
        {"example: 丹市监处罚〔2026〕12号", "example: 12号"},
        {"precision: 18, scale: 6", "precision: 6, scale: 18"},
        {"working_days: 7", "working_days: seven"},
        {"date: 1949-10-01", "date: 1949-13-01"},
        {"limit: \"10000\"", "limit: much"},
        {"check: not_future", "check: not_tomorrow"},
        {"severity: error", "severity: deadly"},
        {"fields: [CF_JDRQ], code: XF-4040", "fields: [CF_SY], code: XF-4040"},
        {"other: CF_XDR_SHXYM, code: XF-4113", "code: XF-4113"},
        {"other: CF_XDR_SHXYM, code: XF-4113", "other: CF_JDRQ, code: XF-4113"},
        {"within: CF_XDR_LB", "within: CF_XDR_MC"},
        {"before: 2021-07-15", "before: 2021-07-15\n      before: 2021-07-16"},
        {"title: Administrative penalties", "title: \"Administrative\\tpenalties\""},
        {"fields:\n  - name", "fields:\n - - name"},
    };
    ASSERT_TRUE(load_catalog(pack_text()).value);
    for (const auto& damage : damages) {
        EXPECT_FALSE(load_catalog(replaced(pack_text(), damage.what, damage.by)).value) << damage.by;
    }
}

TEST(Catalog, SurvivesTextThatIsNoPack) {
    for (const std::string& text :
         {std::string{}, std::string{"\0", 1}, std::string{"- a"}, std::string{"a: [1"}, std::string{"\xFF\xFE"},
          std::string{"&a [*a]"}, std::string(3000, '['), std::string{"? {a: b}\n: c"}, std::string{"a: !!binary x"}}) {
        const auto loaded = load_catalog(text);
        EXPECT_FALSE(loaded.value);
        EXPECT_FALSE(loaded.mistakes.empty());
    }
    EXPECT_FALSE(load_catalog(std::string(kPackSizeBytesMax + 1, '#')).value);
}

TEST(Catalog, UsesOnlyCodesThatPeopleCanLookUp) {
    for (const auto* catalog : {&test::penalty(), &test::licence()}) {
        for (const auto& check : catalog->checks) {
            EXPECT_NE(find_code(check.code), nullptr) << check.code;
        }
    }
}

}  // namespace
}  // namespace xinfu::policies
