// Every shipped catalog against the table of facts, and against a record of its own. CHK-01, CHK-02, CHK-05, REC-12.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "policies/codes.hpp"
#include "policies/examples.hpp"
#include "policies/file_checks.hpp"
#include "policies/identifiers.hpp"
#include "policies/mask.hpp"
#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

using test::day;

const Day kToday = day(2026, 11, 22);

struct Shipped {
    std::string facts;  // the table's name of it
    std::string file;
    std::set<std::string> additions;  // fields that the table does not have
};

const std::vector<Shipped>& shipped() {
    static const std::vector<Shipped> all{
        {"行政许可(2018标准)", "administrative-licence", {}},
        {"行政处罚(2018标准)", "administrative-penalty", {}},
        {"行政处罚(2016旧标准)", "administrative-penalty-2016", {"CF_XZJGDM"}},
        {"信用承诺(国家模板)", "credit-commitment", {}},
        {"严重失信主体名单/黑名单", "serious-dishonesty-list", {"RDDWDM"}},
        {"守信激励对象/红名单", "trustworthy-list", {"RDJGDM"}},
        {"失信被执行人", "dishonest-judgment-debtor", {"COURT_DM"}},
        {"经营异常名录", "abnormal-operation-list", {"LRWH", "DECORG_DM"}},
        {"行政强制", "administrative-compulsion", {"WSH", "JGDM", "LYDWDM"}},
        {"行政征收", "administrative-levy", {"WSH", "JGDM", "LYDWDM"}},
        {"行政给付", "administrative-payment", {"WSH", "JGDM", "LYDWDM"}},
        {"行政检查", "administrative-inspection", {"WSH", "JGDM", "LYDWDM"}},
        {"行政确认", "administrative-confirmation", {"WSH", "JGDM", "LYDWDM"}},
        {"行政奖励", "administrative-reward", {"WSH", "JGDM", "LYDWDM"}},
        {"行政裁决", "administrative-adjudication", {"WSH", "JGDM", "LYDWDM"}},
        {"行政补偿", "administrative-compensation", {"WSH", "JGDM", "LYDWDM"}},
        {"约谈记录", "interview-record", {"YTBH", "YTJGDM"}},
        {"信用修复决定", "credit-repair-decision", {"RDDWDM"}},
        {"异议申请", "objection", {"HCDWDM"}},
        {"公共元数据(every catalog)", "record-metadata", {"GLJLBS", "ZTDM", "HJ_XYDWDM"}},
    };
    return all;
}

const Catalog& pack(const Shipped& which) {
    static std::map<std::string, Catalog> loaded;
    auto found = loaded.find(which.file);
    if (found == loaded.end()) {
        auto read = load_catalog(test::read_source_file("policies/packs/" + which.file + ".yaml"));
        EXPECT_TRUE(read.value) << which.file << ": " << describe(read.mistakes);
        found = loaded.emplace(which.file, std::move(read.value).value_or(Catalog{})).first;
    }
    return found->second;
}

struct Fact {
    std::string code, title, type, obligation;
    std::size_t length = 0;
    std::vector<std::string> values;
};

std::map<std::string, std::vector<Fact>> facts() {
    std::map<std::string, std::vector<Fact>> all;
    for (const auto& row : test::read_rows("tests/vectors/catalogs/fields.tsv")) {
        Fact fact{row[2], row[3], row[4], row[6], row[5] == "-" ? 0 : std::stoul(row[5]), {}};
        std::istringstream items(row[7] == "-" ? std::string{} : row[7]);
        for (std::string item; std::getline(items, item, ';');) {
            // "1 有效" is the value 1 and what it means.
            const bool coded = item.size() > 2 && item[0] >= '0' && item[0] <= '9' && item[1] == ' ';
            fact.values.push_back(coded ? item.substr(0, 1) : item);
        }
        all[row[0]].push_back(fact);
    }
    return all;
}

bool type_fits(const Fact& fact, const Field& field) {
    if (fact.type == "text") {
        // Numbers with a form of their own are codes here.
        return field.type == FieldType::text || field.type == FieldType::code;
    }
    if (fact.type == "code" || fact.type == "digest") {
        return field.type == FieldType::code;
    }
    if (fact.type == "enum") {
        return fact.values.empty() ? field.type == FieldType::code : field.type == FieldType::enumeration;
    }
    const std::map<std::string, FieldType> others{{"enum-multi", FieldType::multi_enumeration},
                                                  {"date", FieldType::date},
                                                  {"timestamp", FieldType::timestamp},
                                                  {"pii", FieldType::personal},
                                                  {"decimal(18,6)", FieldType::decimal}};
    const auto found = others.find(fact.type);
    return found != others.end() && found->second == field.type;
}

bool one_of_several(const Catalog& catalog, std::size_t field) {
    return std::ranges::any_of(catalog.checks, [field](const Check& check) {
        return check.kind == Check::Kind::one_of && std::ranges::find(check.fields, field) != check.fields.end();
    });
}

TEST(ShippedPacks, AreTheTwentyCatalogsOfTheTable) {
    EXPECT_EQ(facts().size(), 20u);
    EXPECT_EQ(shipped().size(), 20u);
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(std::string{XINFU_SOURCE_DIR} + "/policies/packs")) {
        files.insert(entry.path().stem());
    }
    for (const auto& which : shipped()) {
        EXPECT_EQ(files.erase(which.file), 1u) << which.file;
        EXPECT_TRUE(which.file.starts_with(pack(which).name)) << which.file;
        EXPECT_FALSE(pack(which).basis.empty());
    }
    EXPECT_EQ(files, (std::set<std::string>{"access", "workdays"}));
}

TEST(ShippedPacks, AgreeWithTheTableFieldByField) {
    // Obligations that the table leaves to the case, and that no other field decides.
    const std::set<std::string> free{"CF_GSJZQ", "PXZM", "CLWCSJ", "DAH", "XK_XKZS", "XK_XKBH"};
    const auto table = facts();
    for (const auto& which : shipped()) {
        const auto& catalog = pack(which);
        std::size_t last = 0;
        std::set<std::string> left;
        for (const auto& field : catalog.fields) {
            left.insert(field.code);
        }
        for (const auto& fact : table.at(which.facts)) {
            const auto at = catalog.find(fact.code);
            const std::string where = which.file + " " + fact.code;
            ASSERT_NE(at, kNoField) << where;
            const auto& field = catalog.fields[at];
            left.erase(fact.code);
            EXPECT_GE(at, last) << where << ": order";
            last = at;
            EXPECT_EQ(field.title_zh, fact.title) << where;
            EXPECT_FALSE(field.title.empty()) << where;
            EXPECT_TRUE(type_fits(fact, field)) << where << " " << fact.type << " " << name(field.type);
            EXPECT_EQ(field.values, fact.values) << where;
            if (field.length_max != 0 && !fact.code.ends_with("_SWDJ")) {  // 15, 17, 18 or 20
                EXPECT_EQ(field.length_max, fact.length) << where;
            }
            if (fact.obligation == "Y") {
                EXPECT_EQ(field.required, Required::always) << where;
            } else if (fact.obligation == "C" && !free.contains(fact.code)) {
                EXPECT_TRUE(field.required == Required::conditional || one_of_several(catalog, at)) << where;
            } else {
                EXPECT_NE(field.required, Required::always) << where;
            }
        }
        EXPECT_EQ(left, which.additions) << which.file;
    }
}

TEST(ShippedPacks, HidePersonsAndNameWhatTheyCheck) {
    for (const auto& which : shipped()) {
        const auto& catalog = pack(which);
        for (const auto& field : catalog.fields) {
            if (field.type == FieldType::personal || field.format == CodeFormat::subject) {
                EXPECT_FALSE(field.mask.empty()) << which.file << " " << field.code;
                const auto shown = mask_by(field.mask, "219900190001010013", [](auto) { return "219900190001010013"; });
                EXPECT_EQ(shown, "219900********0013") << which.file << " " << field.code;
            }
        }
        for (const auto& check : catalog.checks) {
            EXPECT_NE(find_code(check.code), nullptr) << check.code;
            EXPECT_FALSE(check.fields.empty()) << which.file << " " << check.code;
        }
        ASSERT_LT(catalog.deciding_unit, catalog.fields.size());
        EXPECT_EQ(catalog.fields[catalog.deciding_unit].required, Required::always) << which.file;
        EXPECT_EQ(catalog.fields[catalog.number].required, Required::always) << which.file;
    }
}

// A value that suits the field by itself.
std::string sample(const Catalog& catalog, std::size_t at) {
    const auto& field = catalog.fields[at];
    for (const auto& check : catalog.checks) {
        if (check.kind == Check::Kind::pattern && std::ranges::find(check.fields, at) != check.fields.end()) {
            return check.example;
        }
    }
    switch (field.type) {
        case FieldType::text: return "示例内容";
        case FieldType::personal:
            return field.format == CodeFormat::subject ? "91350100M000100Y43" : "219900190001010013";
        case FieldType::date: return "2026/11/18";
        case FieldType::timestamp: return "2026/11/18 08:30:00";
        case FieldType::decimal: return "1.5";
        case FieldType::enumeration:
        case FieldType::multi_enumeration: return field.values.front();
        case FieldType::code: break;
    }
    switch (field.format) {
        case CodeFormat::organisation_code: return "M000100Y4";
        case CodeFormat::registration_number: return "110108000000016";
        case CodeFormat::tax_number: return "210600M000100Y4";
        case CodeFormat::digest: return std::string(64, 'a');
        case CodeFormat::plain: return std::string(std::min<std::size_t>(field.length_max, 6), '1');
        default: return "91350100M000100Y43";
    }
}

using Findings = std::set<std::pair<std::string, std::string>>;  // field, code

struct Outcome {
    Findings errors;
    std::string subject;
    std::string number;
};

Outcome check(const Catalog& catalog, const std::vector<std::string>& values) {
    const std::vector<std::string_view> cells(values.begin(), values.end());
    CheckedRecord checked;
    check_record(catalog, test::calendar(), kToday, cells, checked);
    Outcome outcome;
    for (const auto& finding : checked.findings) {
        if (finding.severity == Severity::error) {
            outcome.errors.emplace(catalog.fields.at(finding.field).code, finding.code);
        }
    }
    outcome.subject = checked.subject;
    outcome.number = checked.number;
    return outcome;
}

// Fills what is required, and what becomes required by that.
std::vector<std::string> good_record(const Catalog& catalog) {
    std::vector<std::string> values(catalog.fields.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (catalog.fields[i].required == Required::always) {
            values[i] = sample(catalog, i);
        }
    }
    for (int round = 0; round < 5; ++round) {
        for (const auto& [field, code] : check(catalog, values).errors) {
            if (code == "XF-4003" || code == "XF-4104") {
                values[catalog.find(field)] = sample(catalog, catalog.find(field));
            }
        }
    }
    return values;
}

TEST(ShippedPacks, TakeARecordOfTheirOwnAndMissEachRequiredField) {
    for (const auto& which : shipped()) {
        const auto& catalog = pack(which);
        const auto good = good_record(catalog);
        const auto outcome = check(catalog, good);
        EXPECT_TRUE(outcome.errors.empty())
            << which.file << " " << outcome.errors.begin()->first << " " << outcome.errors.begin()->second;
        EXPECT_FALSE(outcome.subject.empty()) << which.file;
        EXPECT_FALSE(outcome.number.empty()) << which.file;
        for (std::size_t i = 0; i < good.size(); ++i) {
            const auto& field = catalog.fields[i];
            auto damaged = good;
            if (field.required == Required::always) {
                damaged[i].clear();
                EXPECT_TRUE(check(catalog, damaged).errors.contains({field.code, "XF-4002"}))
                    << which.file << " " << field.code;
            }
            if (field.length_max != 0) {
                damaged[i].clear();
                for (std::size_t n = 0; n <= field.length_max; ++n) {
                    damaged[i] += "1";
                }
                EXPECT_TRUE(check(catalog, damaged).errors.contains({field.code, "XF-4004"}))
                    << which.file << " " << field.code;
            }
            if (!field.values.empty()) {
                damaged[i] = "不在表内";
                EXPECT_TRUE(check(catalog, damaged).errors.contains({field.code, "XF-4009"}))
                    << which.file << " " << field.code;
            }
        }
    }
}

TEST(ShippedPacks, RefuseACodeOfZerosInEveryCode) {
    for (const auto& which : shipped()) {
        const auto& catalog = pack(which);
        for (std::size_t i = 0; i < catalog.fields.size(); ++i) {
            auto values = good_record(catalog);
            const auto format = catalog.fields[i].format;
            if (format == CodeFormat::uscc || format == CodeFormat::subject) {
                values[i] = "000000000000000000";
                const std::string expected = format == CodeFormat::uscc ? "XF-4023" : "XF-4106";
                EXPECT_TRUE(check(catalog, values).errors.contains({catalog.fields[i].code, expected}))
                    << which.file << " " << catalog.fields[i].code;
            }
        }
    }
}

const Catalog& named(std::string_view file) {
    const auto found = std::ranges::find(shipped(), file, &Shipped::file);
    return pack(*found);
}

// Changes of a good record, and the one error each must bring; empty: none.
struct Change {
    const char* file;
    std::vector<std::pair<const char*, const char*>> values;
    const char* field;
    const char* code;
};

TEST(ShippedPacks, CheckAcrossFields) {
    const std::vector<Change> changes{
        {"administrative-levy", {{"TYSHXYDM", ""}, {"ZJHM", ""}}, "TYSHXYDM", "XF-4104"},
        {"administrative-levy", {{"TYSHXYDM", ""}, {"ZJHM", "219900190001010013"}, {"ZJLX", "身份证"}}, "", ""},
        {"administrative-levy",
         {{"TYSHXYDM", ""}, {"ZJHM", "219900190001010014"}, {"ZJLX", "身份证"}},
         "ZJHM",
         "XF-4027"},
        {"administrative-levy", {{"ZZJGDM", "715267260"}}, "ZZJGDM", "XF-4024"},
        {"administrative-levy", {{"ZZJGDM", "71526726X"}}, "ZZJGDM", "XF-4025"},
        {"administrative-reward", {{"JZQ", "2026/11/17"}}, "JZQ", "XF-4042"},
        {"administrative-reward", {{"RQ", "1899-12-30"}}, "RQ", "XF-4043"},
        {"credit-commitment", {{"CNBM", "21990020261318000001"}}, "CNBM", "XF-4110"},
        {"credit-commitment", {{"CNLXZT", "部分履行"}, {"WNZJ", "追究"}}, "WLXNR", "XF-4003"},
        {"credit-commitment", {{"CNRLB", "自然人"}, {"CNRDM", "219900190001010013"}}, "", ""},
        {"credit-commitment", {{"CNRLB", "自然人"}}, "CNRDM", "XF-4030"},
        {"credit-commitment", {{"CNRDM", "219900190001010013"}}, "CNRDM", "XF-4107"},
        {"credit-commitment", {{"CNRDM", "92219900MATEJT697G"}}, "CNRDM", "XF-4030"},
        {"serious-dishonesty-list", {{"ZTDM", "219900190001010013"}}, "", ""},
        {"serious-dishonesty-list", {{"ZTDM", "219900190001010014"}}, "ZTDM", "XF-4106"},
        {"serious-dishonesty-list", {{"YCRQ", "2026/11/20"}}, "YCYY", "XF-4003"},
        {"serious-dishonesty-list", {{"YCYY", "已整改"}}, "YCRQ", "XF-4003"},
        {"serious-dishonesty-list", {{"YCYY", "已整改"}, {"YCRQ", "2026/11/17"}}, "YCRQ", "XF-4042"},
        {"dishonest-judgment-debtor", {{"IDENTI_ID", "71526726-X"}}, "", ""},
        {"dishonest-judgment-debtor", {{"PUBLISH_DT", "2026/11/17"}}, "PUBLISH_DT", "XF-4042"},
        {"abnormal-operation-list", {{"REMOVE_DT", "2026/11/20"}, {"REDECORG_CN", "某局"}}, "REMEXCPRES_CN", "XF-4003"},
        {"credit-repair-decision", {{"CNS", "0123"}}, "CNS", "XF-4111"},
        {"credit-repair-decision", {{"CLWCSJ", "2026-11-18T08:30:00"}}, "", ""},
        {"credit-repair-decision", {{"CLWCSJ", "2026/11/18 24:00:00"}}, "CLWCSJ", "XF-4112"},
        {"credit-repair-decision", {{"CLWCSJ", "2026/11/18"}}, "CLWCSJ", "XF-4112"},
        {"credit-repair-decision", {{"BARQ", "2026/11/17"}}, "BARQ", "XF-4042"},
        {"objection", {{"ZT", "2"}, {"DFRQ", "2026/11/20"}}, "HCJG", "XF-4003"},
        {"record-metadata", {{"HJ_SJC", "2026/13/18 08:30:00"}}, "HJ_SJC", "XF-4112"},
        {"administrative-penalty-2016",
         {{"CF_XDR_SHXYM", ""}, {"CF_XDR_SFZ", "11010519491331002X"}},
         "CF_XDR_SFZ",
         "XF-4027"},
    };
    for (const auto& change : changes) {
        const auto& catalog = named(change.file);
        auto values = good_record(catalog);
        std::string what = change.file;
        for (const auto& [field, value] : change.values) {
            values[catalog.find(field)] = value;
            what += std::string{" "} + field + "=" + value;
        }
        Findings expected;
        if (change.code[0] != '\0') {
            expected.emplace(change.field, change.code);
        }
        EXPECT_EQ(check(catalog, values).errors, expected) << what;
    }
}

// Every code that a shipped check names has an example, and every example is what it says.
TEST(ShippedPacks, BringTheFindingsOfTheExamples) {
    std::set<std::string, std::less<>> examples;
    for (const auto& example : all_examples()) {
        examples.emplace(example.code);
        const auto& catalog = named(example.catalog);
        const auto brings = [&](std::string_view value) {
            auto values = good_record(catalog);
            if (!example.given_field.empty()) {
                values[catalog.find(example.given_field)] = example.given_value;
            }
            values[catalog.find(example.field)] = value;
            const std::vector<std::string_view> cells(values.begin(), values.end());
            CheckedRecord checked;
            FileChecks others;
            if (!example.earlier.empty()) {
                auto earlier = values;
                earlier[catalog.find(example.field)] = example.earlier;
                const std::vector<std::string_view> earlier_cells(earlier.begin(), earlier.end());
                check_record(catalog, test::calendar(), kToday, earlier_cells, checked);
                others.compare(catalog, 2, checked);
            }
            check_record(catalog, test::calendar(), kToday, cells, checked);
            others.compare(catalog, 3, checked);
            return std::ranges::any_of(checked.findings, [&](const Finding& finding) {
                return finding.code == example.code && catalog.fields.at(finding.field).code == example.field;
            });
        };
        EXPECT_TRUE(brings(example.wrong)) << example.code << " " << example.wrong;
        EXPECT_FALSE(brings(example.right)) << example.code << " " << example.right;
    }
    EXPECT_TRUE(std::ranges::is_sorted(all_examples(), {}, &CodeExample::code));
    for (const auto& which : shipped()) {
        for (const auto& check : pack(which).checks) {
            EXPECT_TRUE(examples.contains(check.code)) << check.code;
        }
    }
}

TEST(ShippedPacks, WarnOfDeadlinesBetweenTwoDates) {
    const auto& catalog = named("objection");
    const auto warned = [&](const char* received, const char* answered) {
        auto values = good_record(catalog);
        values[catalog.find("SQRQ")] = received;
        values[catalog.find("DFRQ")] = answered;
        const std::vector<std::string_view> cells(values.begin(), values.end());
        CheckedRecord checked;
        check_record(catalog, test::calendar(), kToday, cells, checked);
        return std::ranges::any_of(checked.findings, [](const Finding& f) { return f.code == "XF-4108"; });
    };
    // Fifteen working days after 2026-09-11, over the working Sunday 09-20, mid-autumn and the national holiday: 10-09.
    EXPECT_FALSE(warned("2026/09/11", "2026/10/09"));
    EXPECT_TRUE(warned("2026/09/11", "2026/10/10"));
}

TEST(ShippedPacks, AgreeOnTheCodesOfTheDays) {
    for (const auto& which : shipped()) {
        const auto& catalog = pack(which);
        EXPECT_TRUE(catalog.version.ends_with(".1")) << which.file;
        EXPECT_EQ(catalog.in_force(kToday), which.file != "administrative-penalty-2016") << which.file;
    }
}

}  // namespace
}  // namespace xinfu::policies
