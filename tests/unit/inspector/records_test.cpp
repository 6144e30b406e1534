// JSON Lines and XML: records that name their fields themselves give what the same table gives.
#include <gtest/gtest.h>

#include "daemon/inspector/json_lines.hpp"
#include "daemon/inspector/xml_records.hpp"
#include "tests/unit/inspector/tables.hpp"
#include "tests/unit/inspector/vault_side.hpp"

namespace xinfu::inspector {
namespace {

using test::Signer;
using test::VaultSide;
using Strings = std::vector<std::string>;

class RecordsTest : public testing::Test {
protected:
    static void SetUpTestSuite() { signer_ = new Signer; }
    static void TearDownTestSuite() {
        delete signer_;
        signer_ = nullptr;
    }
    test::Told read(std::string_view content) { return vault_.inspect(signer_->sign(content), false, 1000); }
    std::string code(std::string_view content) { return read(content).code(); }
    // Written by Python from tab-separated rows on its standard input.
    static std::string by_python(const std::string& script, const std::vector<test::Cells>& rows) {
        test::write_file(signer_->folder() / "rows", test::separated(rows, "\t"));
        test::write_file(signer_->folder() / "script.py",
                         "import sys, json\nfrom xml.sax.saxutils import escape\n"
                         "rows = [l.rstrip('\\r\\n').split('\\t') for l in open('rows', encoding='utf-8')]\n" +
                             script);
        const auto command = "cd " + signer_->folder().string() + " && python3 script.py > written";
        EXPECT_EQ(std::system(command.c_str()), 0);
        return test::read_file(signer_->folder() / "written");
    }

    static Signer* signer_;
    VaultSide vault_;
};
Signer* RecordsTest::signer_ = nullptr;

TEST_F(RecordsTest, GiveWhatTheSameTableGives) {
    const auto rows = test::penalties(4);
    const auto expected = read(test::separated(rows, ","));
    ASSERT_EQ(expected.records.size(), 4u);
    const std::pair<const char*, const char*> scripts[] = {
        {"escaped JSON", "for r in rows[1:]: print(json.dumps(dict(zip(rows[0], r))))"},
        {"plain JSON",
         "for r in rows[1:]: sys.stdout.buffer.write((json.dumps(dict(zip(rows[0], r)), ensure_ascii=False)"
         " + '\\r\\n\\n').encode())"},
        {"GBK JSON",
         "for r in rows[1:]: sys.stdout.buffer.write((json.dumps(dict(zip(rows[0], r)), ensure_ascii=False)"
         " + '\\n').encode('gbk'))"},
        {"other order and a list",
         "for i, r in enumerate(rows[1:]):\n d = dict(zip(rows[0], r)); d['CF_CFLB'] = ['罚款', '警告'];"
         " d['CF_NR_FK'] = 0.5; d['BZ'] = None\n"
         " print(json.dumps(dict(sorted(d.items(), reverse=i % 2 == 0))))"},
        {"XML",
         "print('<?xml version=\"1.0\"?>\\n<records xmlns=\"urn:x\">')\n"
         "for r in rows[1:]: print(' <record>' + ''.join(f'\\n  <{n}>{escape(v)}</{n}>' for n, v in zip(rows[0], r))"
         ".encode('ascii', 'xmlcharrefreplace').decode() + '</record>')\nprint('</records>')"},
        {"GBK XML in one line",
         "sys.stdout.buffer.write(('<?xml version=\"1.0\" encoding=\"GBK\"?><r>' + ''.join("
         "'<z>' + ''.join(f'<{n}><![CDATA[{v}]]></{n}>' for n, v in zip(rows[0], r)) + '</z>'"
         " for r in rows[1:]) + '</r>').encode('gbk'))"},
    };
    for (const auto& [what, script] : scripts) {
        const auto told = read(by_python(script, rows));
        EXPECT_EQ(told.code(), "") << what;
        EXPECT_EQ(told.findings(), Strings{}) << what;
        EXPECT_EQ(told.records, expected.records) << what;
    }
}

TEST_F(RecordsTest, MissingFieldsAreDefectsOfTheirRecord) {
    const auto told = read("{\"CF_XDR_MC\":\"示例公司\"}\n{}\n");
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.verdict.records(), 2u);
    EXPECT_EQ(told.verdict.defective(), 2u);
}

TEST_F(RecordsTest, RefuseWhatIsNoJsonLine) {
    EXPECT_EQ(code("[{\"CF_XDR_MC\":\"a\"}]"), "XF-3080");
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"a\"} {}\n"), "XF-3080");
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"a\",}\n"), "XF-3080");
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"a\"\n}\n"), "XF-3080") << "over two lines";
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"\\ud800\"}\n"), "XF-3080") << "half a character";
    EXPECT_EQ(code("{\"CF_XDR_MC\":{\"a\":1}}\n"), "XF-3081");
    EXPECT_EQ(code("{\"CF_XDR_MC\":true}\n"), "XF-3081");
    EXPECT_EQ(code("{\"CF_XDR_MC\":[[\"a\"]]}\n"), "XF-3081");
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"a\",\"CF_XDR_MC\":\"b\"}\n"), "XF-3082");
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"a\",\"行政相对人名称\":\"b\"}\n"), "XF-3082");
    EXPECT_EQ(code("{\"nothing\":\"a\"}\n"), "XF-3087");
    EXPECT_EQ(read("{}\n{\"CF_XDR_MC\":1e5x}\n").verdict.problem().arguments(0), "2");
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"中\xC0\xAF中\"}\n"), "XF-3072");
    EXPECT_EQ(code("{\"a\":" + std::string(100000, '[')), "XF-3081") << "deep";
    EXPECT_EQ(code("{\"CF_XDR_MC\":\"" + std::string(1 << 20, 'x')), "XF-3024") << "long";
}

TEST_F(RecordsTest, RefuseWhatIsNoPlainXml) {
    EXPECT_EQ(code("<!DOCTYPE a [<!ENTITY l \"lol\"><!ENTITY m \"&l;&l;&l;&l;\">]><a><b><CF_SY>&m;</CF_SY></b></a>"),
              "XF-3084");
    EXPECT_EQ(code("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a><b/></a>"), "XF-3084");
    EXPECT_EQ(code("<a><b><CF_SY>&undefined;</CF_SY></b></a>"), "XF-3083");
    EXPECT_EQ(code("<a><b><CF_SY>x</CF_YS></b></a>"), "XF-3083");
    EXPECT_EQ(code("<a><b><CF_SY>x"), "XF-3083");
    EXPECT_EQ(code("<a><b><CF_SY>x</CF_SY></b></a><c/>"), "XF-3083");
    EXPECT_EQ(code("<a><b><CF_SY>&#0;</CF_SY></b></a>"), "XF-3083");
    EXPECT_EQ(code("<a><b><CF_SY><c>x</c></CF_SY></b></a>"), "XF-3085");
    EXPECT_EQ(code("<a><b id=\"1\"><CF_SY>x</CF_SY></b></a>"), "XF-3085");
    EXPECT_EQ(code("<a>text<b><CF_SY>x</CF_SY></b></a>"), "XF-3085");
    EXPECT_EQ(code("<a><b><CF_SY>x</CF_SY><CF_SY>y</CF_SY></b></a>"), "XF-3082");
    EXPECT_EQ(code("<a><b><nothing>x</nothing></b></a>"), "XF-3087");
    EXPECT_EQ(code("<a></a>"), "XF-3021");
    EXPECT_EQ(code("<a><b><" + std::string(3 << 20, 'x')), "XF-3086") << "a tag without end";
    EXPECT_EQ(code("<a><b><CF_SY>" + std::string(1 << 20, 'x')), "XF-3086") << "a text without end";
    std::string deep;
    for (int i = 0; i < 100000; ++i) {
        deep += "<a>";
    }
    EXPECT_EQ(code(deep), "XF-3085");
}

}  // namespace
}  // namespace xinfu::inspector
