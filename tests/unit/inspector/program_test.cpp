// The shipped program behind its walls. A forbidden system call would kill it.
#include <sys/resource.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include "tests/unit/inspector/tables.hpp"
#include "tests/unit/inspector/vault_side.hpp"

namespace xinfu::inspector {
namespace {

std::string large_row(int number) {
    std::string facts;
    for (int i = 0; i < 1200; ++i) {
        facts += "违";
    }
    return "示例商贸有限公司,法人及非法人组织,91350100M000100Y43,张三,丹市监处罚〔2026〕" + std::to_string(number) +
           "号,未按规定公示信息," + facts +
           ",《企业信息公示暂行条例》第十八条,罚款,罚款0.5万元,0.5,2026/11/18,2099/12/31,示例市场监督管理局,"
           "11100000MB0143028R,示例市场监督管理局,11100000MB0143028R\n";
}

std::string large_table(int rows) {
    std::string text =
        "CF_XDR_MC,CF_XDR_LB,CF_XDR_SHXYM,CF_FRDB,CF_WSH,CF_WFXW,CF_SY,CF_YJ,CF_CFLB,CF_NR,CF_NR_FK,CF_JDRQ,"
        "CF_YXQ,"
        "CF_CFJG,CF_CFJGDM,CF_SJLY,CF_SJLYDM\n";
    for (int i = 1; i <= rows; ++i) {
        text += large_row(i);
    }
    return text;
}

TEST(InspectorProgram, ReadsALargeFileBehindItsWallsInConstantMemory) {
    const test::Signer signer;
    const auto body = signer.sign(large_table(8000), "-binary -nodetach -stream -outform DER");  // 32 MB
    rusage used{};
    {
        test::VaultSide vault(XINFU_INSPECTOR, &used);
        const auto told = vault.inspect(body, false, 100000);
        EXPECT_EQ(told.code(), "");
        EXPECT_EQ(told.verdict.records(), 8000u);
        EXPECT_EQ(told.records.size(), 8000u);
        EXPECT_TRUE(test::verifies(told, 0, signer));
        EXPECT_EQ(vault.inspect(body.substr(0, 1000000)).code(), "XF-3003");
        EXPECT_EQ(vault.inspect("no CMS").code(), "XF-3001");
    }
#ifndef XINFU_SANITIZED  // a sanitizer keeps shadows of its own
    EXPECT_LT(used.ru_maxrss, 64 * 1024) << "KiB; all of it, libraries and packs included";
#endif
    const auto seconds = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    RecordProperty("processor_megabytes_per_second", static_cast<int>(33e6 / seconds / 1e6));
    std::printf(
        "%.0f MB/s of processor time (of which in the kernel %.0f %%), %ld KiB at most\n",
        static_cast<double>(body.size()) / seconds / 1e6,
        100 * (static_cast<double>(used.ru_stime.tv_sec) + static_cast<double>(used.ru_stime.tv_usec) / 1e6) / seconds,
        used.ru_maxrss);
}

// ICU finds its tables although no file can be opened.
TEST(InspectorProgram, ReadsGb18030AndUtf16BehindItsWalls) {
    const test::Signer signer;
    const auto table = large_table(3);
    test::VaultSide vault(XINFU_INSPECTOR, nullptr);
    for (const std::string encoding : {"GB18030", "UTF-16LE"}) {
        const auto content = (encoding == "UTF-16LE" ? "\xFF\xFE" : "") + test::by_iconv(table, encoding, signer);
        const auto told = vault.inspect(signer.sign(content));
        EXPECT_EQ(told.code(), "") << encoding;
        EXPECT_EQ(told.records.size(), 3u) << encoding;
        EXPECT_EQ(told.defects.size(), 0u) << encoding;
    }
}

// A workbook is unpacked and its XML parsed without opening anything, and a bomb ends as a refusal, not as the process.
TEST(InspectorProgram, ReadsWorkbooksAndXmlBehindItsWalls) {
    const test::Signer signer;
    const auto rows = test::penalties(3);
    test::write_file(signer.folder() / "rows", test::separated(rows, "\t"));
    const auto workbook = [&](const std::string& kind) {
        const auto command = "cd " + signer.folder().string() +
                             " && tr -d '\\r' < rows | /usr/bin/python3 " XINFU_SOURCE_DIR
                             "/tests/unit/inspector/make_workbook.py " +
                             kind + " book.xlsx";
        EXPECT_EQ(std::system(command.c_str()), 0);
        return test::read_file(signer.folder() / "book.xlsx");
    };
    test::VaultSide vault(XINFU_INSPECTOR, nullptr);
    EXPECT_EQ(vault.inspect(signer.sign(workbook("typed"))).records.size(), 3u);
    EXPECT_EQ(vault.inspect(signer.sign(workbook("bomb"))).code(), "XF-3092");
    EXPECT_EQ(vault.inspect(signer.sign("<a><b><CF_SY>x</CF_SY></b></a>")).verdict.defective(), 1u);
    EXPECT_EQ(vault.inspect(signer.sign("{\"CF_SY\":\"x\"}")).verdict.defective(), 1u);
    EXPECT_EQ(vault.inspect(signer.sign(workbook("plain"))).records.size(), 3u) << "and it goes on";
}

}  // namespace
}  // namespace xinfu::inspector
