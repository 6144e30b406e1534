#include <gtest/gtest.h>

#include "crypto/canonical_json.hpp"
#include "crypto/tlog_proof.hpp"
#include "tests/unit/inspector/vault_side.hpp"

namespace xinfu::inspector {
namespace {

using test::Signer;
using test::VaultSide;
using Strings = std::vector<std::string>;

const char* const kHeader =
    "CF_XDR_MC,CF_XDR_LB,CF_XDR_SHXYM,CF_FRDB,CF_WSH,CF_WFXW,CF_SY,CF_YJ,CF_CFLB,CF_NR,CF_NR_FK,CF_JDRQ,CF_"
    "YXQ,CF_CFJG,"
    "CF_CFJGDM,CF_SJLY,CF_SJLYDM\n";

std::string row(int number, const std::string& facts = "当事人未按规定公示年度报告",
                const std::string& date = "2026/11/18") {
    return "示例商贸有限公司,法人及非法人组织,91350100M000100Y43,张三,丹市监处罚〔2026〕" + std::to_string(number) +
           "号,未按规定公示信息," + facts + ",《企业信息公示暂行条例》第十八条,罚款,罚款0.5万元,0.5," + date +
           ",2099/12/31,示例市场监督管理局,11100000MB0143028R,示例市场监督管理局,11100000MB0143028R\n";
}

std::string table(int rows) {
    std::string text = kHeader;
    for (int i = 1; i <= rows; ++i) {
        text += row(i);
    }
    return text;
}

class SessionTest : public testing::Test {
protected:
    static void SetUpTestSuite() { signer_ = new Signer; }
    static void TearDownTestSuite() {
        delete signer_;
        signer_ = nullptr;
    }
    static Signer* signer_;
    VaultSide vault_;
};
Signer* SessionTest::signer_ = nullptr;

TEST_F(SessionTest, ReadsWhatOpensslSigns) {
    const auto content = table(50);
    for (const std::string options :
         {"-binary -nodetach -outform DER", "-binary -nodetach -stream -outform DER",
          "-binary -nodetach -outform DER -keyid", "-binary -nodetach -outform DER -nocerts",
          "-binary -nodetach -outform DER -cades", "-binary -nodetach -outform DER -md sha256 -nosmimecap"}) {
        const auto body = signer_->sign(content, options);
        const auto told = vault_.inspect(body, false, 1000);
        EXPECT_EQ(told.code(), "") << options;
        EXPECT_TRUE(test::verifies(told, 0, *signer_)) << options;
        EXPECT_EQ(told.content.at(0), content) << options;
        EXPECT_EQ(told.consumed, body.size());
        EXPECT_EQ(told.verdict.records(), 50u);
        EXPECT_EQ(told.verdict.defective(), 0u);
        ASSERT_EQ(told.records.size(), 50u);
        EXPECT_EQ(told.records[49].at("CF_WSH"), "丹市监处罚〔2026〕50号");
        EXPECT_EQ(told.records[49].size(), 17u);
        EXPECT_EQ(told.last_parts[0].line(), 2u);
        EXPECT_EQ(told.last_parts[0].subject(), "91350100M000100Y43");
        ASSERT_EQ(told.last_parts[0].identity_size(), 3);
        EXPECT_EQ(told.last_parts[0].identity(0), "11100000MB0143028R");
        EXPECT_EQ(told.last_parts[0].identity(1), "丹市监处罚〔2026〕1号");
    }
}

// ENC-01. The recipient is the signer's own certificate, as openssl takes any.
TEST_F(SessionTest, ReadsWhatLiesInAnEnvelope) {
    const auto content = table(500);
    const auto key = crypto::SigningKey::from_pkcs8(as_bytes(test::read_file(signer_->folder() / "key.pem"))).value();
    vault_.envelope_key = crypto::EnvelopeKey::create(key, signer_->certificate()).value();
    for (const std::string options : {"", " -stream"}) {
        const auto file = signer_->sign(content, "-binary -nodetach -outform DER" + options);
        signer_->run(
            "cms -encrypt -binary -aes-256-gcm -in signed -outform DER -out sealed -recip cert.pem -keyopt "
            "ecdh_kdf_md:sha256" +
            options);
        const auto body = test::read_file(signer_->folder() / "sealed");
        for (const std::size_t piece : {1000u, 17u, 100000u}) {
            const auto told = vault_.inspect(body, false, piece);
            EXPECT_EQ(told.code(), "");
            EXPECT_EQ(as_text(told.package), file);
            EXPECT_EQ(told.content.at(0), content);
            EXPECT_TRUE(test::verifies(told, 0, *signer_));
            EXPECT_EQ(told.consumed, file.size());
            EXPECT_EQ(told.records.size(), 500u);
        }
        auto altered = body;
        altered[altered.size() / 2] ^= 1;
        EXPECT_EQ(vault_.inspect(altered, false, 5000).code(), "XF-3046") << "nothing earlier, and nothing else";
        EXPECT_EQ(vault_.inspect(body.substr(0, body.size() - 5), false, 5000).code(), "XF-3003");
    }
}

TEST_F(SessionTest, KeepsABrokenPackageToItselfUntilTheTag) {
    const auto key = crypto::SigningKey::from_pkcs8(as_bytes(test::read_file(signer_->folder() / "key.pem"))).value();
    vault_.envelope_key = crypto::EnvelopeKey::create(key, signer_->certificate()).value();
    test::write_file(signer_->folder() / "signed", std::string(300000, 'x'));
    signer_->run(
        "cms -encrypt -binary -aes-256-gcm -in signed -outform DER -out sealed -recip cert.pem -keyopt "
        "ecdh_kdf_md:sha256");
    auto body = test::read_file(signer_->folder() / "sealed");
    const auto told = vault_.inspect(body);
    EXPECT_EQ(told.code(), "XF-3001");
    EXPECT_EQ(told.package.size(), 300000u) << "read to the end";
    EXPECT_EQ(told.consumed, 300000u);
    body.back() = static_cast<char>(body.back() ^ 1);
    EXPECT_EQ(vault_.inspect(body).code(), "XF-3046");
}

// CHK-02. openssl signs CR LF without -binary.
TEST_F(SessionTest, SaysWhenAConvertedCopyWasSigned) {
    const auto converted = test::read_file(std::string{XINFU_SOURCE_DIR} + "/tests/vectors/cms/converted.der");
    const auto told = vault_.inspect(converted);
    ASSERT_TRUE(told.signers.contains(0));
    EXPECT_TRUE(told.signers.at(0).signed_converted());
    EXPECT_FALSE(vault_.inspect(signer_->sign(table(2))).signers.at(0).signed_converted());
}

TEST_F(SessionTest, ReadsABodyThatComesWithTheOrder) {
    const auto body = signer_->sign(table(3));
    const auto told = vault_.inspect_whole(body);
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.records.size(), 3u);
    EXPECT_TRUE(test::verifies(told, 0, *signer_));
    EXPECT_EQ(vault_.inspect_whole(body).records.size(), 3u) << "the next one on the same connection";
}

TEST_F(SessionTest, ReadsManyRecordsInManyPackets) {
    std::string facts;
    for (int i = 0; i < 1200; ++i) {
        facts += "违";
    }
    std::string content = kHeader;
    for (int i = 1; i <= 2000; ++i) {
        content += row(i, facts);
    }
    const auto told = vault_.inspect(signer_->sign(content, "-binary -nodetach -stream -outform DER"));
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.records.size(), 2000u);
    EXPECT_LE(told.largest_packet, boundary::kPacketSizeBytesMax);
    EXPECT_TRUE(test::verifies(told, 0, *signer_));
}

TEST_F(SessionTest, ChoosesByTheHeaderAmongTheVersionsThatTheVaultNames) {
    const auto replies = vault_.load(boundary::LoadPack::CATALOG, "policies/packs/administrative-penalty-2016.yaml");
    ASSERT_TRUE(replies.front().has_pack_loaded());
    EXPECT_EQ(replies.front().pack_loaded().catalog().effective_until(), 18077);  // 2019-06-30
    const std::string old =
        "CF_WSH,CF_CFMC,CF_CFLB1,CF_SY,CF_YJ,CF_XDR_MC,CF_XDR_SHXYM,CF_JG,CF_JDRQ,CF_XZJG,CF_ZT,DFBM,SJC,CF_XZJGDM\n"
        "丹市监罚〔2018〕1号,某案,01,事由,依据,示例商贸有限公司,91350100M000100Y43,罚款,2018/11/18,示例局,0,219900,"
        "2018-11-19 08:00:00,11100000MB0143028R\n";
    vault_.versions = {"2018.1", "2016.1"};
    const auto told = vault_.inspect(signer_->sign(old));
    EXPECT_EQ(told.code(), "");
    ASSERT_EQ(told.records.size(), 1u);
    EXPECT_EQ(told.verdict.catalog_version(), "2016.1");
    // What is wrong with the header is said of the version that it resembles.
    const auto near = vault_.inspect(signer_->sign(std::string{old}.replace(old.find("CF_ZT"), 5, "CF_XX")));
    EXPECT_EQ(near.code(), "XF-3022");
    EXPECT_EQ(near.verdict.problem().arguments(1), "CF_XX");
    EXPECT_EQ(near.verdict.catalog_version(), "2016.1");
    EXPECT_EQ(told.records[0].at("SJC"), "2018-11-19 08:00:00");
    EXPECT_EQ(vault_.inspect(signer_->sign(table(1))).verdict.catalog_version(), "2018.1");
    vault_.versions = {"2018.1"};  // the overlap is over
    const auto refused = vault_.inspect(signer_->sign(old));
    EXPECT_EQ(refused.code(), "XF-3078");
    EXPECT_EQ(refused.verdict.problem().arguments(0), "2016.1");
    EXPECT_EQ(refused.verdict.problem().arguments(1), "2016-01-01");
    EXPECT_EQ(refused.verdict.problem().arguments(2), "2019-06-30");
    EXPECT_EQ(refused.verdict.catalog_version(), "2018.1");
    const auto twice = vault_.load(boundary::LoadPack::CATALOG, "policies/packs/administrative-penalty-2016.yaml");
    EXPECT_TRUE(twice.front().has_problem());
}

TEST_F(SessionTest, TellsUntilWhenAReportWasInTimeButNotOfACorrection) {
    const auto part = [this](const std::string& content) {
        const auto told = vault_.inspect(signer_->sign(content));
        EXPECT_EQ(told.code(), "");
        return told.last_parts.at(0);
    };
    EXPECT_FALSE(part(kHeader + row(1)).has_due());
    // 2026-11-02 is a Monday; the seventh working day after it is Wednesday, 2026-11-11: day 20768.
    const auto late = part(kHeader + row(1, "事实", "2026/11/02"));
    EXPECT_EQ(late.due(), 20768);
    EXPECT_FALSE(late.has_due_earliest()) << "the calendar of that year is published";
    const auto operation = "XF_OP,XF_RECORD,XF_VERSION,XF_REASON," + std::string{kHeader} + "correct," +
                           std::string(32, '0') + "-2,1,笔误," + row(1, "事实", "2026/11/02");
    EXPECT_FALSE(part(operation).has_due());
}

TEST_F(SessionTest, KnowsAHeaderThatIsRepeatedInAFileOfOperations) {
    const auto header = "XF_OP,XF_RECORD,XF_VERSION,XF_REASON," + std::string{kHeader};
    const auto line = "correct," + std::string(32, '0') + "-2,1,笔误," + row(1);
    EXPECT_EQ(vault_.inspect(signer_->sign(header + line + header + line)).code(), "XF-3077");
}

TEST_F(SessionTest, TellsOperationsWithTheirRecords) {
    const std::string name = "0123456789abcdef0123456789abcdef-2";
    const auto told = vault_.inspect(signer_->sign(
        "XF_OP*,XF_RECORD,XF_VERSION,XF_REASON," + std::string{kHeader} + "correct," + name + ",1,笔误," + row(1) +
        "WITHDRAW, " + name + ",2,撤销,,,,,,,,,,,,,,,,,\n" + "withdraw," + name + ",3,撤销," + row(2)));
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.findings(), (Strings{}));
    ASSERT_EQ(told.last_parts.size(), 3u);
    EXPECT_EQ(told.last_parts[0].operation().kind(), boundary::RecordOperation::CORRECT);
    EXPECT_EQ(told.last_parts[0].operation().record(), name);
    EXPECT_EQ(told.last_parts[0].operation().reason(), "笔误");
    EXPECT_EQ(told.last_parts[1].operation().kind(), boundary::RecordOperation::WITHDRAW);
    EXPECT_EQ(told.last_parts[1].operation().version(), 2u);
    EXPECT_EQ(told.records[1].size(), 0u);
    EXPECT_EQ(told.last_parts[1].identity(0), "");
    EXPECT_EQ(told.last_parts[2].identity(1), "丹市监处罚〔2026〕2号");
    EXPECT_EQ(told.records[2].size(), 4u) << "what names it, and nothing else";
}

TEST_F(SessionTest, CutsARecordThatFillsMoreThanAPacketBetweenItsFields) {
    const auto text = [](int characters) {
        std::string many;
        for (int i = 0; i < characters; ++i) {
            many += "文";
        }
        return many;
    };
    auto content = std::string{"BZ,"} + kHeader;
    content += text(4000) + "," + row(1, text(5000));
    const auto facts = content.find("未按规定公示信息");
    content.replace(facts, std::string_view{"未按规定公示信息"}.size(), text(2000));
    const auto basis = content.find("罚款0.5万元");
    content.replace(basis, std::string_view{"罚款0.5万元"}.size(), text(4000));
    auto told = vault_.inspect(signer_->sign(content + text(4000) + "," + row(2, text(5000))));
    EXPECT_EQ(told.code(), "");
    ASSERT_EQ(told.records.size(), 2u);
    EXPECT_EQ(told.records[0].at("CF_SY"), text(5000));
    EXPECT_EQ(told.records[0].at("BZ"), text(4000));
    EXPECT_EQ(told.records[0].size(), 18u);
    EXPECT_LE(told.largest_packet, boundary::kPacketSizeBytesMax);
}

TEST_F(SessionTest, TellsDefectsWithTheLinesOfTheSender) {
    const auto content = "\xEF\xBB\xBF" + std::string{kHeader} + row(1) +
                         row(2, "\"第一行\r\n第二行, 含\"\"引号\"\"\"") + row(3, "") + row(4, "事实", "2026/13/01") +
                         "too,few\n\n" + row(5, "事实", "2026/11/02");
    const auto told = vault_.inspect(signer_->sign(content));
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.findings(), (Strings{"5 CF_SY XF-4002", "6 CF_JDRQ XF-4006", "7  XF-4001", "9 CF_JDRQ XF-4044"}));
    EXPECT_EQ(told.verdict.records(), 6u);
    EXPECT_EQ(told.verdict.defective(), 3u);
    EXPECT_EQ(told.verdict.warned(), 1u);
    EXPECT_EQ(told.verdict.defects_total(), 3u);
    EXPECT_EQ(told.verdict.warnings_total(), 1u);
    ASSERT_EQ(told.records.size(), 3u) << "defective ones are not told";
    EXPECT_EQ(told.records[1].at("CF_SY"), "第一行\n第二行, 含\"引号\"");
    EXPECT_EQ(told.last_parts[1].line(), 3u);
    EXPECT_TRUE(told.last_parts[2].warned());
    EXPECT_EQ(told.defects[1].masked_value(), "2026/13/01");
}

TEST_F(SessionTest, MasksPersonalValuesInDefects) {
    const auto content = std::string{"CF_XDR_ZJLX,CF_XDR_ZJHM,"} + kHeader +
                         "身份证,219900190001010014,某某人,自然人,,,丹罚〔2026〕1号,违法,"
                         "当事人219900190001010013,依据,警告,警告,,"
                         "2026/11/18,2099/12/31,机关,11100000MB0143028R,机关,11100000MB0143028R\n";
    const auto told = vault_.inspect(signer_->sign(content));
    ASSERT_EQ(told.findings(), (Strings{"2 CF_XDR_ZJHM XF-4027", "2 CF_SY XF-4033"}));
    EXPECT_EQ(told.defects[0].masked_value(), "219900********0014");
    EXPECT_EQ(told.defects[1].masked_value(), "219900********0013");
}

TEST_F(SessionTest, TakesTitlesInAnyOrderAsHeader) {
    const auto content =
        std::string{
            "数据来源单位统一社会信用代码*,行政处罚决定书文号*,行政相对人名称*,行政相对人类别*,"
            "行政相对人代码_1(统一社会信用代码),法定代表人,"
            "违法行为类型*,违法事实*,处罚依据*,处罚类别*,处罚内容*,处罚决定日期*,处罚有效期*,处罚机关*,"
            "处罚机关统一社会信用代码*,数据来源单位*\n"} +
        "11100000MB0143028R,丹罚〔2026〕1号,示例公司,法人及非法人组织,91350100M000100Y43,张三,类型,事实,依据,"
        "警告,内容,2026/11/18,"
        "2099/12/31,机关,11100000MB0143028R,机关\n";
    const auto told = vault_.inspect(signer_->sign(content));
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.findings(), Strings{});
    ASSERT_EQ(told.records.size(), 1u);
    EXPECT_EQ(told.records[0].at("CF_SJLYDM"), "11100000MB0143028R");
}

TEST_F(SessionTest, RefusesTablesForOneNamedReason) {
    const struct {
        std::string content;
        const char* code;
        const char* argument;
    } cases[] = {
        {"", "XF-3021", nullptr},
        {kHeader, "XF-3021", nullptr},
        {"X," + table(1), "XF-3022", "1"},
        {"CF_SY," + table(1), "XF-3026", "CF_SY 违法事实"},
        {"CF_XDR_MC\nx\n", "XF-3025", nullptr},
        {table(2) + "\xD6\xD0\n", "XF-3020", "4"},
        {table(2) + "\"open\n" + row(3), "XF-3023", nullptr},
        {table(1) + std::string(300000, 'x'), "XF-3024", "3"},
        {"PK\x03\x04 workbook", "XF-3090", "no list of contents"},
    };
    for (const auto& c : cases) {
        const auto told = vault_.inspect(signer_->sign(c.content));
        EXPECT_EQ(told.code(), c.code);
        if (c.argument != nullptr && told.verdict.problem().arguments_size() > 0) {
            EXPECT_EQ(told.verdict.problem().arguments(0), c.argument) << c.code;
        }
        // The refusal names what was signed: the whole content was walked through all the same.
        EXPECT_TRUE(test::verifies(told, 0, *signer_)) << c.code;
    }
}

TEST_F(SessionTest, RefusesPackagesForOneNamedReason) {
    const auto content = table(20);
    const auto good = signer_->sign(content);
    EXPECT_EQ(vault_.inspect(content).code(), "XF-3001");
    EXPECT_EQ(vault_.inspect("").code(), "XF-3001");
    EXPECT_EQ(vault_.inspect_whole("").code(), "XF-3001");
    EXPECT_EQ(vault_.inspect(signer_->sign(content, "-binary -outform DER")).code(), "XF-3002");
    EXPECT_EQ(vault_.inspect(good.substr(0, good.size() / 2)).code(), "XF-3003");
    EXPECT_EQ(vault_.inspect(good + "x").code(), "XF-3004");
    EXPECT_EQ(vault_.inspect(signer_->sign(content, "-binary -nodetach -outform DER -noattr")).code(), "XF-3007");
    EXPECT_EQ(vault_.inspect(signer_->sign(content, "-binary -nodetach -outform DER -md sha1")).code(), "XF-3008");
    EXPECT_EQ(vault_.inspect(signer_->sign(content, "-binary -nodetach -outform DER -econtent_type 1.2.3.4")).code(),
              "XF-3016");
    EXPECT_EQ(vault_.inspect(signer_->sign(content, "-binary -nodetach")).code(), "XF-3033");
    EXPECT_EQ(vault_.inspect(signer_->sign(content, "-binary -nodetach -outform PEM")).code(), "XF-3034");
    signer_->run("cms -encrypt -in content -outform DER -out encrypted -aes-256-gcm cert.pem");
    EXPECT_EQ(vault_.inspect(test::read_file(signer_->folder() / "encrypted")).code(), "XF-3044") << "SHA-1 KDF";
    signer_->run("cms -encrypt -in content -outform DER -out encrypted -aes-256-cbc cert.pem");
    EXPECT_EQ(vault_.inspect(test::read_file(signer_->folder() / "encrypted")).code(), "XF-3041");
    signer_->run("cms -sign -in content -signer cert.pem -inkey key.pem -binary -nodetach -outform DER -out once");
    signer_->run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=two -keyout key2.pem -out "
        "cert2.pem");
    signer_->run("cms -resign -in once -inform DER -signer cert2.pem -inkey key2.pem -outform DER -out twice");
    EXPECT_EQ(vault_.inspect(test::read_file(signer_->folder() / "twice")).code(), "XF-3006");
}

TEST_F(SessionTest, NeverPassesATruncatedFile) {
    for (const std::string options : {"-binary -nodetach -outform DER", "-binary -nodetach -stream -outform DER"}) {
        const auto good = signer_->sign(table(2), options);
        for (std::size_t size = 0; size < good.size(); size += 13) {
            EXPECT_NE(vault_.inspect_whole(good.substr(0, size)).code(), "") << options << " cut after " << size;
        }
    }
}

TEST_F(SessionTest, KnowsNoCatalogThatWasNotLoaded) {
    auto request = vault_.order(false);
    request.mutable_inspect()->set_catalog("administrative-licence");
    request.mutable_inspect()->set_body("x");
    vault_.send(request);
    EXPECT_EQ(vault_.receive().verdict().problem().code(), "XF-2003");
}

std::string manifest(const std::string& name = "2026-11.csv") {
    const std::string digest(64, 'a');
    crypto::JsonObject counts;
    counts.number("records", 3).number("stored", 3).number("duplicate", 0).number("defective", 0).number("warned", 0);
    crypto::JsonObject whole;
    whole.text("node", "city")
        .text("route", "province")
        .number("sequence", 7)
        .text("catalog", "administrative-penalty");
    whole.text("catalog_version", "2018.1").text("origin_node", "city").number("origin_index", 41);
    whole.text("origin_digest", digest).text("unit", "11100000MB0143028R").object("counts", counts);
    whole.text("records_digest", digest).text("original_digest", digest).text("name", name).text("submission", "s-1");
    whole.number("received_day", 20779);
    return whole.encode() + "\n";
}

TEST_F(SessionTest, ReadsAParcelInBothLayers) {
    const Signer node;
    for (const std::string options : {"-binary -nodetach -outform DER", "-binary -nodetach -stream -outform DER"}) {
        const auto original = signer_->sign(table(3), options);
        const auto parcel = node.sign(original + manifest());
        for (const std::size_t piece : {7u, 997u, 100000u}) {
            const auto told = vault_.inspect(parcel, true, piece);
            EXPECT_EQ(told.code(), "");
            EXPECT_TRUE(test::verifies(told, 0, node));
            EXPECT_TRUE(test::verifies(told, 1, *signer_));
            EXPECT_EQ(told.records.size(), 3u);
            EXPECT_EQ(told.signers.at(1).original_length(), original.size());
            EXPECT_EQ(parcel.substr(told.signers.at(1).original_offset(), original.size()), original);
            EXPECT_EQ(told.verdict.manifest(), manifest());
            EXPECT_EQ(told.verdict.parsed_manifest().sequence(), 7u);
            EXPECT_EQ(told.verdict.parsed_manifest().counts().stored(), 3u);
            EXPECT_EQ(told.verdict.parsed_manifest().submission(), "s-1");
            EXPECT_EQ(told.verdict.parsed_manifest().received_day(), 20779u);
        }
    }
}

// Whether a report was late was decided where it was handed in; the level above says nothing of its own day.
TEST_F(SessionTest, WarnsOfLatenessOnlyWhereTheFileWasHandedIn) {
    const Signer node;
    const auto original = signer_->sign(kHeader + row(1, "事实", "2026/01/05"));
    EXPECT_EQ(vault_.inspect(original).findings(), Strings{"2 CF_JDRQ XF-4044"});
    const auto told = vault_.inspect(node.sign(original + manifest()), true);
    EXPECT_EQ(told.code(), "");
    EXPECT_EQ(told.findings(), Strings{});
    EXPECT_EQ(told.verdict.warned(), 0u);
    EXPECT_TRUE(told.last_parts.at(0).has_due()) << "the vault marks it";
}

TEST_F(SessionTest, RefusesParcelsForOneNamedReason) {
    const Signer node;
    const auto original = signer_->sign(table(3));
    const auto code = [&](const std::string& content, const std::string& options = "-binary -nodetach -outform DER") {
        const auto told = vault_.inspect(node.sign(content, options), true);
        const auto& problem = told.verdict.problem();
        return problem.code() + (problem.arguments_size() > 0 ? " " + problem.arguments(0) : "");
    };
    EXPECT_EQ(code(original), "XF-7003 none");
    EXPECT_EQ(code(original + "{}\n"), "XF-7003 received_day");
    EXPECT_EQ(code(original + "{\n"), "XF-7003 not JSON");
    EXPECT_EQ(code(original + " " + manifest()), "XF-7003 not canonical");
    EXPECT_EQ(code(original + manifest() + "\n"), "XF-7003 not canonical");
    EXPECT_EQ(code(original + manifest(std::string(201, 'n'))), "XF-7003 name");
    EXPECT_EQ(code(original + std::string(20000, ' ')), "XF-7003 size");
    EXPECT_EQ(code(table(3) + manifest()), "XF-7006 XF-3001");
    EXPECT_EQ(code(signer_->sign("not a table") + manifest()), "XF-7006 XF-3022");
    EXPECT_EQ(code(original.substr(0, 100)), "XF-7006 XF-3003");
    EXPECT_EQ(code(original + manifest(), "-binary -nodetach -stream -outform DER").substr(0, 7), "XF-3017")
        << "a parcel's own layer is in one piece";
    EXPECT_EQ(vault_.inspect(original, false).code(), "") << "and the instance goes on";
}

TEST_F(SessionTest, DescribesCatalogs) {
    const auto replies = vault_.load(boundary::LoadPack::CATALOG, "policies/packs/administrative-licence.yaml");
    boundary::CatalogDescription whole = replies[0].pack_loaded().catalog();
    for (std::size_t i = 1; i < replies.size(); ++i) {
        for (const auto& field : replies[i].pack_loaded().catalog().fields()) {
            *whole.add_fields() = field;
        }
    }
    EXPECT_EQ(whole.name(), "administrative-licence");
    EXPECT_EQ(whole.version(), "2018.1");
    EXPECT_EQ(whole.title_zh(), "行政许可");
    EXPECT_EQ(whole.fields_size(), 28);
    EXPECT_EQ(whole.deciding_unit_field(), "XK_XKJGDM");
    EXPECT_EQ(whole.source_unit_field(), "XK_LYDWDM");
    EXPECT_EQ(whole.subject_field(), "XK_XDR_SHXYM");
    const auto text = test::read_file(std::string{XINFU_SOURCE_DIR} + "/policies/packs/administrative-licence.yaml");
    const auto digest = crypto::sha256(as_bytes(text));
    EXPECT_EQ(whole.pack_digest(), as_text(digest));
    EXPECT_EQ(whole.fields(2).required(), "conditional");
    EXPECT_NE(whole.fields(2).rule().find("Required when the category is not"), std::string::npos);
}

TEST_F(SessionTest, ReadsTheOtherPacksAndNamesTheirMistakes) {
    const auto access = vault_.load(boundary::LoadPack::ACCESS, "policies/packs/access.yaml");
    ASSERT_TRUE(access[0].has_access_policy());
    EXPECT_GE(access[0].access_policy().roles_size(), 11);
    EXPECT_GE(access[0].access_policy().exclusions_size(), 5);
    EXPECT_EQ(vault_.load(boundary::LoadPack::CALENDAR, "policies/packs/workdays.yaml")[0].calendar().version(),
              "2026.1");
    for (const auto kind : {boundary::LoadPack::CATALOG, boundary::LoadPack::ACCESS, boundary::LoadPack::CALENDAR}) {
        const auto replies = vault_.load_text(kind, "pack: other\nx: 1\n");
        EXPECT_EQ(replies[0].problem().code(), "XF-9101");
        EXPECT_NE(replies[0].problem().arguments(0).find("2:1 unknown key \"x\""), std::string::npos);
    }
}

TEST_F(SessionTest, ReadsReceipts) {
    crypto::TlogProof proof;
    const std::string leaf =
        R"({"action":"submit","node":"province","object":{"digest":"0123","id":"s-9","type":"submission"},)"
        R"("origin":{"digest":"abcd","index":5,"node":"city"},"result":"accepted","v":1})";
    proof.extra = to_bytes(leaf);
    proof.index = 12;
    proof.hashes.resize(4);
    proof.hashes[1][0] = 7;
    proof.checkpoint =
        "province/log\n13\nZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMTI=\n\n— province/log Zm9vYmFyZm9vYmFy\n";
    boundary::InspectorRequest request;
    request.mutable_read_receipt()->set_text(crypto::encode_tlog_proof(proof));
    vault_.send(request);
    const auto reply = vault_.receive();
    ASSERT_TRUE(reply.has_receipt()) << reply.problem().code();
    EXPECT_EQ(reply.receipt().leaf(), leaf);
    EXPECT_EQ(reply.receipt().index(), 12u);
    EXPECT_EQ(reply.receipt().proof_size(), 4);
    EXPECT_EQ(reply.receipt().checkpoint(), proof.checkpoint);
    EXPECT_EQ(reply.receipt().action(), "submit");
    EXPECT_EQ(reply.receipt().result(), "accepted");
    EXPECT_EQ(reply.receipt().origin_node(), "city");
    EXPECT_EQ(reply.receipt().origin_index(), 5u);
    EXPECT_EQ(reply.receipt().origin_digest(), "abcd");
    EXPECT_EQ(reply.receipt().object_digest(), "0123");
    EXPECT_EQ(reply.receipt().submission(), "s-9");
    for (const std::string text : {"", "nonsense", "c2sp.org/tlog-proof@v2\n"}) {
        request.mutable_read_receipt()->set_text(text);
        vault_.send(request);
        EXPECT_EQ(vault_.receive().problem().code(), "XF-7016");
    }
}

TEST_F(SessionTest, ReadsOnwardStates) {
    boundary::InspectorRequest request;
    request.mutable_read_onward()->set_part(R"({"id":"s-9","state":"accepted","acknowledgements":[{"level":"nation",)");
    vault_.send(request);
    request.mutable_read_onward()->set_part(R"("node":"nation","state":"delivered","time":"2026","receipt":"c2sp"}]})");
    request.mutable_read_onward()->set_last(true);
    vault_.send(request);
    const auto reply = vault_.receive();
    ASSERT_TRUE(reply.has_onward());
    EXPECT_EQ(reply.onward().state(), "accepted");
    ASSERT_EQ(reply.onward().levels_size(), 1);
    EXPECT_EQ(reply.onward().levels(0).state(), "delivered");
    EXPECT_EQ(reply.onward().levels(0).receipt(), "c2sp");
    for (const std::string text : {"", "[]", "{\"state\":1}", "{\"state\":\"x\",\"acknowledgements\":[1]}"}) {
        request.mutable_read_onward()->set_part(text);
        vault_.send(request);
        EXPECT_EQ(vault_.receive().problem().code(), "XF-7017") << text;
    }
}

TEST_F(SessionTest, ReadsRevocationLists) {
    const Signer authority;
    test::write_file(authority.folder() / "ca.cnf",
                     "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber="
                     "number\ndefault_crl_days=7\n");
    std::string index;
    for (int i = 1; i <= 6000; ++i) {
        char serial[32];
        std::snprintf(serial, sizeof serial, "%016X", 0x1000 + i);
        index += "R\t301231000000Z\t261101000000Z\t" + std::string{serial} + "\tunknown\t/CN=x\n";
    }
    test::write_file(authority.folder() / "index.txt", index);
    test::write_file(authority.folder() / "number", "01\n");
    authority.run("ca -config ca.cnf -gencrl -keyfile key.pem -cert cert.pem -out list.pem");
    const auto text = test::read_file(authority.folder() / "list.pem");
    boundary::InspectorRequest request;
    for (std::size_t at = 0; at < text.size(); at += 40000) {
        request.mutable_read_revocation_list()->set_part(text.substr(at, 40000));
        request.mutable_read_revocation_list()->set_last(at + 40000 >= text.size());
        vault_.send(request);
    }
    int serials = 0;
    boundary::InspectorReply reply;
    do {
        reply = vault_.receive();
        ASSERT_TRUE(reply.has_revocation_list()) << reply.problem().code();
        if (serials == 0) {
            EXPECT_EQ(reply.revocation_list().signature_algorithm(), "1.2.840.10045.4.3.2");
            EXPECT_TRUE(reply.revocation_list().to_be_signed().empty()) << "it would not fit a packet";
            EXPECT_EQ(reply.revocation_list().to_be_signed_sha256().size(), 32u);
            EXPECT_EQ(reply.revocation_list().next_update_s() - reply.revocation_list().this_update_s(), 7 * 86400);
        }
        serials += reply.revocation_list().revoked_serials_size();
    } while (reply.revocation_list().more());
    EXPECT_EQ(serials, 6000);
    request.mutable_read_revocation_list()->set_part("no list");
    request.mutable_read_revocation_list()->set_last(true);
    vault_.send(request);
    EXPECT_EQ(vault_.receive().problem().code(), "XF-1018");
}

}  // namespace
}  // namespace xinfu::inspector
