// Whole files as offices save them, signed by openssl and read by the inspector: the same records come out,
// whatever the encoding and the separator.
#include <gtest/gtest.h>

#include "daemon/inspector/text_decoder.hpp"
#include "tests/unit/inspector/tables.hpp"
#include "tests/unit/inspector/vault_side.hpp"

namespace xinfu::inspector {
namespace {

using test::Cells;
using test::Signer;
using test::VaultSide;
using Strings = std::vector<std::string>;

class ContentReaderTest : public testing::Test {
protected:
    static void SetUpTestSuite() { signer_ = new Signer; }
    static void TearDownTestSuite() {
        delete signer_;
        signer_ = nullptr;
    }
    test::Told read(std::string_view content) { return vault_.inspect(signer_->sign(content), false, 1000); }

    static Signer* signer_;
    VaultSide vault_;
};
Signer* ContentReaderTest::signer_ = nullptr;

TEST_F(ContentReaderTest, ReadsEveryEncoding) {
    const auto table = test::separated(test::penalties(5), ",");
    const auto expected = read(table);
    ASSERT_EQ(expected.code(), "");
    ASSERT_EQ(expected.records.size(), 5u);
    const std::pair<const char*, std::string> ways[] = {
        {"UTF-8 with mark", "\xEF\xBB\xBF" + table},
        {"GB 18030", test::by_iconv(table, "GB18030", *signer_)},
        {"GBK", test::by_iconv(table, "GBK", *signer_)},
        {"UTF-16LE", "\xFF\xFE" + test::by_iconv(test::separated(test::penalties(5), "\t"), "UTF-16LE", *signer_)},
        {"UTF-16BE", "\xFE\xFF" + test::by_iconv(test::separated(test::penalties(5), "\t"), "UTF-16BE", *signer_)},
        {"semicolons", test::separated(test::penalties(5), ";")},
        {"blank lines before the header", "\r\n\n" + table},
    };
    for (const auto& [way, content] : ways) {
        const auto told = read(content);
        EXPECT_EQ(told.code(), "") << way;
        EXPECT_EQ(told.findings(), Strings{}) << way;
        EXPECT_EQ(told.records, expected.records) << way;
        EXPECT_TRUE(told.content.at(0) == content) << way << ": what was signed are the bytes, not the reading";
    }
}

TEST_F(ContentReaderTest, ReadsChineseTitlesInGb18030) {
    auto rows = test::penalties(3);
    rows[0] = test::penalty_titles();
    const auto told = read(test::by_iconv(test::separated(rows, ","), "GB18030", *signer_));
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.findings(), Strings{});
    EXPECT_EQ(told.records.size(), 3u);
}

TEST_F(ContentReaderTest, SaysWhatAFileIsThatIsNoTable) {
    const std::pair<const char*, std::string> files[] = {
        {"XLS", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and so on"},
        {"PDF", "%PDF-1.7\n"},
        {"HTML", "<html><table><tr><td>1"},
        {"HTML", "<!DOCTYPE HTML PUBLIC>"},
    };
    for (const auto& [what, content] : files) {
        const auto told = read(content);
        EXPECT_EQ(told.code(), "XF-3029") << what;
        EXPECT_EQ(told.verdict.problem().arguments(0), what);
    }
    EXPECT_EQ(read("\xEF\xBB\xBF").code(), "XF-3021");
    EXPECT_EQ(read("\n").code(), "XF-3021");
}

TEST_F(ContentReaderTest, IgnoresWhatIsEmptyAtTheEnds) {
    auto rows = test::penalties(2);
    for (auto& row : rows) {
        row.insert(row.end(), 3, "");
    }
    const auto told = read(test::separated(rows, ",") + ",,,\r\n\u3000,\r\n\r\n");
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.findings(), Strings{});
    EXPECT_EQ(told.verdict.records(), 2u);
}

TEST_F(ContentReaderTest, NamesAHeaderThatComesAgain) {
    const auto rows = test::penalties(2);
    const auto again = read(test::separated(rows, ",") + test::separated(rows, ","));
    EXPECT_EQ(again.code(), "XF-3077");
    EXPECT_EQ(again.verdict.problem().arguments(0), "4");
    auto both = rows;
    both.insert(both.begin() + 1, test::penalty_titles());
    EXPECT_EQ(read(test::separated(both, ",")).code(), "XF-3077") << "codes and titles";
}

// CHK-01, CHK-04. A warning, with the line of the other name, and neither name in it.
TEST_F(ContentReaderTest, ComparesTheRecordsOfAFileWithEachOther) {
    auto rows = test::penalties(3);
    rows[2][0] = "示例贸易有限公司";
    for (const char* separator : {",", "\t"}) {
        const auto told = read(test::separated(rows, separator));
        EXPECT_EQ(told.code(), "");
        EXPECT_EQ(told.findings(), (Strings{"3 CF_XDR_MC XF-4113", "4 CF_XDR_MC XF-4113"}));
        EXPECT_EQ(told.defects.at(1).severity(), boundary::SEVERITY_WARNING);
        EXPECT_EQ(told.defects.at(1).arguments(0), "3");
        EXPECT_EQ(told.verdict.warned(), 2u);
        EXPECT_EQ(told.records.size(), 3u);
    }
    EXPECT_EQ(read(test::separated(test::penalties(3), ",")).findings(), Strings{}) << "the next file begins anew";
    auto corrections = rows;
    for (std::size_t i = 0; i < corrections.size(); ++i) {
        const Cells operation = i == 0   ? Cells{"XF_OP", "XF_RECORD", "XF_VERSION", "XF_REASON"}
                                : i == 2 ? Cells{"withdraw", std::string(32, 'a') + "-3", "1", "撤销"}
                                         : Cells{"correct", std::string(32, 'a') + "-2", "1", "更正"};
        corrections[i].insert(corrections[i].begin(), operation.begin(), operation.end());
    }
    EXPECT_EQ(read(test::separated(corrections, ",")).findings(), Strings{}) << "what is withdrawn says nothing";
    corrections[2][0] = "correct";
    EXPECT_EQ(read(test::separated(corrections, ",")).findings().size(), 2u);
}

TEST_F(ContentReaderTest, NamesAColumnThatComesTwice) {
    auto rows = test::penalties(1);
    rows[0].push_back("行政相对人名称");
    rows[1].push_back("");
    EXPECT_EQ(read(test::separated(rows, ",")).code(), "XF-3026");
}

TEST_F(ContentReaderTest, NamesInvisibleCharactersInTheHeader) {
    auto rows = test::penalties(1);
    rows[0][2] = "CF_XDR_\u200bSHXYM";
    const auto told = read(test::separated(rows, ","));
    EXPECT_EQ(told.code(), "XF-3074");
    EXPECT_EQ(told.verdict.problem().arguments(0), "3");
    EXPECT_EQ(told.verdict.problem().arguments(1), "200B");
}

TEST_F(ContentReaderTest, SaysWhichCatalogATableBelongsTo) {
    vault_.load(boundary::LoadPack::CATALOG, "policies/packs/administrative-licence.yaml");
    const auto told = read("XK_XDR_MC,XK_XDR_LB,XK_XDR_SHXYM,XK_XKWS,XK_WSH\r\n示例,自然人,,决定书,1号\r\n");
    EXPECT_EQ(told.code(), "XF-3076");
    EXPECT_EQ(told.verdict.problem().arguments(0), "administrative-licence");
    EXPECT_EQ(told.verdict.problem().arguments(2), "administrative-penalty");
    EXPECT_EQ(read("a,b,c\r\n1,2,3\r\n").code(), "XF-3022") << "and only then";
}

TEST_F(ContentReaderTest, ReadsPacksOfCatalogsThatAreKnownWhenTheyAreNeeded) {
    const std::string licence = "administrative-licence";
    const auto replies =
        vault_.load(boundary::LoadPack::CATALOG, "policies/packs/administrative-licence.yaml", licence);
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_TRUE(replies[0].has_pack_loaded());
    EXPECT_EQ(replies[0].pack_loaded().catalog().fields_size(), 0) << "nothing was read of it";
    const std::string table = "XK_XDR_MC,XK_XDR_LB,XK_XDR_SHXYM,XK_XKWS,XK_WSH\r\n示例,自然人,,决定书,1号\r\n";
    EXPECT_EQ(read(table).verdict.problem().arguments(0), licence) << "to tell where a table belongs";
    VaultSide other;
    other.catalog = licence;
    EXPECT_EQ(other.inspect(signer_->sign(table)).code(), "XF-2003") << "not there at all";
    other.load(boundary::LoadPack::CATALOG, "policies/packs/administrative-licence.yaml", licence);
    EXPECT_EQ(other.inspect(signer_->sign(table)).code(), "XF-3025") << "for a file of its own";
}

TEST_F(ContentReaderTest, BoundsLinesAndColumns) {
    EXPECT_EQ(read(std::string(10'000'000, ',') + "\n").code(), "XF-3027") << "ten million columns";
    auto header = test::separated({test::penalties(1)[0]}, ",");
    EXPECT_EQ(read(header + std::string(10'000'000, ',') + "x\n").code(), "XF-3024");
}

TEST_F(ContentReaderTest, RefusesWhatIsNoText) {
    const auto header = test::separated({test::penalties(1)[0]}, ",");
    EXPECT_EQ(read(header + "\xFF\xFF\n").code(), "XF-3070");
    EXPECT_EQ(read(header + "示例\xC0\xAF示例\n").code(), "XF-3072");
    EXPECT_EQ(read(header + std::string("\0", 1) + "\n").code(), "XF-3032");
    EXPECT_EQ(read(header + "示例\xFF\n").verdict.problem().arguments(0), "2");
}

}  // namespace
}  // namespace xinfu::inspector
