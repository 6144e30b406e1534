// The shipped program behind its walls. A forbidden system call would kill it.
#include <sys/resource.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

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
    EXPECT_LT(used.ru_maxrss, 64 * 1024) << "KiB; all of it, libraries and packs included";
    const auto seconds = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    RecordProperty("processor_megabytes_per_second", static_cast<int>(33e6 / seconds / 1e6));
    std::printf(
        "%.0f MB/s of processor time (of which in the kernel %.0f %%), %ld KiB at most\n",
        static_cast<double>(body.size()) / seconds / 1e6,
        100 * (static_cast<double>(used.ru_stime.tv_sec) + static_cast<double>(used.ru_stime.tv_usec) / 1e6) / seconds,
        used.ru_maxrss);
}

}  // namespace
}  // namespace xinfu::inspector
