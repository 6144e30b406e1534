// XLSX as openpyxl writes it (make_workbook.py), and what no program writes.
#include "daemon/inspector/workbook.hpp"

#include <gtest/gtest.h>

#include "daemon/inspector/workbook_parts.hpp"
#include "tests/unit/inspector/tables.hpp"
#include "tests/unit/inspector/vault_side.hpp"

namespace xinfu::inspector {
namespace {

using test::Signer;
using test::VaultSide;
using Strings = std::vector<std::string>;

class WorkbookTest : public testing::Test {
protected:
    static void SetUpTestSuite() { signer_ = new Signer; }
    static void TearDownTestSuite() {
        delete signer_;
        signer_ = nullptr;
    }
    static std::string workbook(const std::string& kind, const std::vector<test::Cells>& rows) {
        test::write_file(signer_->folder() / "rows", test::separated(rows, "\t"));
        const auto command = "cd " + signer_->folder().string() +
                             " && tr -d '\\r' < rows | /usr/bin/python3 " XINFU_SOURCE_DIR
                             "/tests/unit/inspector/make_workbook.py " +
                             kind + " book.xlsx";
        EXPECT_EQ(std::system(command.c_str()), 0) << kind;
        return test::read_file(signer_->folder() / "book.xlsx");
    }
    test::Told read(std::string_view content) { return vault_.inspect(signer_->sign(content), false, 1000); }

    static Signer* signer_;
    VaultSide vault_;
};
Signer* WorkbookTest::signer_ = nullptr;

TEST_F(WorkbookTest, GivesTheRecordsThatTheSameCsvGives) {
    const auto expected = read(test::separated(test::penalties(20), ","));
    ASSERT_EQ(expected.records.size(), 20u);
    for (const std::string kind : {"plain", "typed", "hidden", "shared"}) {
        const auto told = read(workbook(kind, test::penalties(20)));
        EXPECT_EQ(told.code(), "") << kind;
        EXPECT_EQ(told.findings(), Strings{}) << kind;
        EXPECT_EQ(told.records, expected.records) << kind;
        EXPECT_EQ(told.last_parts.at(0).line(), 2u) << kind << ": the sheet's own numbers";
    }
    const auto sparse = read(workbook("sparse", test::penalties(3)));
    EXPECT_EQ(sparse.code(), "");
    EXPECT_EQ(sparse.records.size(), 3u);
    EXPECT_EQ(sparse.last_parts.at(0).line(), 5u);
    const auto mac = read(workbook("1904", test::penalties(1)));
    EXPECT_EQ(mac.records.at(0).at("CF_JDRQ"), "2026-11-18");
}

TEST_F(WorkbookTest, NamesWhatSpreadsheetsDid) {
    const auto damaged = read(workbook("damaged", test::penalties(1)));
    EXPECT_EQ(damaged.findings(), (Strings{"2 CF_XDR_SHXYM XF-4078", "2 CF_SY XF-4085", "2 CF_JDRQ XF-4082"}));
    const auto time = read(workbook("time", test::penalties(1)));
    EXPECT_EQ(time.findings(), Strings{"2 CF_JDRQ XF-4083"});
    EXPECT_EQ(time.defects.at(0).masked_value(), "2026-11-18 08:30:00");
    // openpyxl stores no values of formulas, so it is one that nobody has calculated.
    const auto formula = read(workbook("formula", test::penalties(2)));
    EXPECT_EQ(formula.findings(), (Strings{"2 CF_SY XF-4002", "2 CF_SY XF-4088"}));
    EXPECT_EQ(formula.verdict.defective(), 1u);
}

TEST_F(WorkbookTest, RefusesWhatNoProgramWrites) {
    const std::pair<const char*, const char*> cases[] = {
        {"external", "XF-3090"},   {"doctype", "XF-3084"}, {"twice", "XF-3090"},      {"order", "XF-3095"},
        {"bad-shared", "XF-3090"}, {"bomb", "XF-3092"},    {"shared-bomb", "XF-3092"}};
    for (const auto& [kind, code] : cases) {
        EXPECT_EQ(read(workbook(kind, test::penalties(2))).code(), code) << kind;
    }
}

TEST_F(WorkbookTest, RefusesWhatIsCutOrDamaged) {
    const auto book = workbook("plain", test::penalties(2));
    EXPECT_EQ(read(book.substr(0, book.size() - 30)).code(), "XF-3090");
    EXPECT_EQ(read(book.substr(0, 100)).code(), "XF-3090");
    auto flipped = book;
    for (std::size_t at = 60; at < flipped.size() / 2; at += 97) {
        flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
    }
    EXPECT_NE(read(flipped).code(), "");
    Workbook large([](const Row&) { return std::optional<Refusal>{}; });
    const std::string piece(std::size_t{1} << 20, 'P');
    std::optional<Refusal> refusal;
    for (int i = 0; i < 40 && !refusal; ++i) {
        refusal = large.feed(piece);
    }
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->code, "XF-3091");
}

TEST(WorkbookNumbers, AreShownAsSpreadsheetsShowThem) {
    const std::pair<const char*, const char*> numbers[] = {{"0.5", "0.5"},
                                                           {"0.30000000000000004", "0.3"},
                                                           {"1E-5", "0.00001"},
                                                           {"12345678901234", "12345678901234"},
                                                           {"913501001234567890", "9.13501001234568E+17"},
                                                           {"1000000", "1000000"},
                                                           {"-2.50", "-2.5"},
                                                           {"0", "0"},
                                                           {"999999999999999", "999999999999999"},
                                                           {"1e15", "1E+15"},
                                                           {"nan", "nan"},
                                                           {"12a", "12a"},
                                                           {"1.5e300", "1.5E+300"}};
    for (const auto& [raw, shown] : numbers) {
        EXPECT_EQ(number_text(raw, false, false), shown) << raw;
    }
    // As LibreOffice shows them.
    EXPECT_EQ(number_text("46344", true, false), "2026-11-18");
    EXPECT_EQ(number_text("46344.25", true, false), "2026-11-18 06:00:00");
    EXPECT_EQ(number_text("1", true, false), "1900-01-01");
    EXPECT_EQ(number_text("59", true, false), "1900-02-28");
    EXPECT_EQ(number_text("60", true, false), "1900-02-29") << "the day that never was; no date to the checks";
    EXPECT_EQ(number_text("61", true, false), "1900-03-01");
    EXPECT_EQ(number_text("44882", true, true), "2026-11-18");
    EXPECT_EQ(number_text("0.25", true, false), "0.25");
    EXPECT_EQ(number_text("99999999", true, false), "99999999");
}

TEST(WorkbookNumbers, AreDatesByTheirFormat) {
    for (const auto* code : {"yyyy/m/d", "YYYY-MM-DD", "[$-804]yyyy\"年\"m\"月\"d\"日\";@", "d-mmm-yy", "m/d"}) {
        EXPECT_TRUE(is_date_format(164, code)) << code;
    }
    for (const auto* code : {"General", "0.00", "#,##0.00\"yd\"", "[Red]0", "0\\d", "@", "mm:ss"}) {
        EXPECT_FALSE(is_date_format(164, code)) << code;
    }
    EXPECT_TRUE(is_date_format(14, ""));
    EXPECT_TRUE(is_date_format(31, ""));
    EXPECT_FALSE(is_date_format(0, ""));
    EXPECT_FALSE(is_date_format(49, ""));
}

TEST(WorkbookNumbers, KnowTheirColumn) {
    EXPECT_EQ(column_of("A1"), 0u);
    EXPECT_EQ(column_of("Z9"), 25u);
    EXPECT_EQ(column_of("AA10"), 26u);
    EXPECT_EQ(column_of("XFD1"), 16383u);
    for (const auto* name : {"XFE1", "A", "1", "", "a1", "A1B", "AAAAAA1"}) {
        EXPECT_EQ(column_of(name), std::string_view::npos) << name;
    }
}

}  // namespace
}  // namespace xinfu::inspector
