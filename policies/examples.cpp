#include "policies/examples.hpp"

#include <algorithm>

namespace xinfu::policies {
namespace {

constexpr std::string_view kPenalty = "administrative-penalty";
constexpr std::string_view kLevy = "administrative-levy";

constexpr CodeExample kExamples[] = {
    {"XF-4002", kPenalty, "CF_NR", "", "警告", {}, {}},
    {"XF-4003", kPenalty, "CF_NR_FK", "", "0.5", "CF_CFLB", "罚款"},
    {"XF-4004", kPenalty, "CF_XDR_SYDW", "1234567890123", "123456789012", {}, {}},
    {"XF-4006", kPenalty, "CF_JDRQ", "2026-02-30", "2026-02-28", {}, {}},
    {"XF-4007", kPenalty, "CF_NR_FK", "五千", "0.5", "CF_CFLB", "罚款"},
    {"XF-4008", kPenalty, "CF_NR_FK", "0.1234567", "0.123457", "CF_CFLB", "罚款"},
    {"XF-4009", kPenalty, "CF_XDR_LB", "企业", "法人及非法人组织", {}, {}},
    {"XF-4010", kPenalty, "CF_CFLB", "警告;警告", "警告", {}, {}},
    {"XF-4012", kPenalty, "CF_XDR_SHXYM", "91350100m000100y43", "91350100M000100Y43", {}, {}},
    {"XF-4020", kPenalty, "CF_XDR_SHXYM", "9I350100M000100Y43", "91350100M000100Y43", {}, {}},
    {"XF-4021", kPenalty, "CF_XDR_SHXYM", "91350100M000100Y44", "91350100M000100Y43", {}, {}},
    {"XF-4022", kPenalty, "CF_XDR_SHXYM", "91219900MATEJT500Y", "91219900MATEJT689Q", {}, {}},
    {"XF-4023", kPenalty, "CF_XDR_SHXYM", "000000000000000000", "91350100M000100Y43", {}, {}},
    {"XF-4024", kPenalty, "CF_XDR_ZZJG", "M000100Y5", "M000100Y4", {}, {}},
    {"XF-4025", kPenalty, "CF_XDR_ZZJG", "71526726X", "M000100Y4", "CF_XDR_SHXYM", "91350100M000100Y43"},
    {"XF-4026", kPenalty, "CF_XDR_GSZC", "110108000000017", "110108000000016", {}, {}},
    {"XF-4027", kLevy, "ZJHM", "11010519491331002X", "219900190001010013", "ZJLX", "身份证"},
    {"XF-4028", kLevy, "ZJHM", "12", "E12345678", "ZJLX", "护照号"},
    {"XF-4029", kPenalty, "CF_XDR_SWDJ", "21060012", "210600M000100Y4", {}, {}},
    {"XF-4030", kPenalty, "CF_XDR_SHXYM", "92219900MATEJT697G", "91350100M000100Y43", "CF_XDR_LB", "法人及非法人组织"},
    {"XF-4031", kPenalty, "CF_XDR_SHXYM", "91350100M000100Y43", "", "CF_XDR_LB", "自然人"},
    {"XF-4032", kPenalty, "CF_XDR_ZJLX", "身份证", "", "CF_XDR_LB", "法人及非法人组织"},
    {"XF-4033", kPenalty, "CF_SY", "当事人219900190001010013未公示年度报告", "当事人未公示年度报告", {}, {}},
    {"XF-4040", kPenalty, "CF_JDRQ", "2099-01-01", "2026-09-30", {}, {}},
    {"XF-4041", kPenalty, "CF_JDRQ", "1926-09-30", "2026-09-30", {}, {}},
    {"XF-4042", kPenalty, "CF_YXQ", "2020-01-01", "2099-12-31", "CF_JDRQ", "2026-09-30"},
    {"XF-4043", kPenalty, "CF_JDRQ", "1900-01-01", "2026-09-30", {}, {}},
    {"XF-4044", kPenalty, "CF_JDRQ", "2026-01-05", "", {}, {}},
    {"XF-4045", "administrative-licence", "XK_YXQZI", "2020-01-01", "2099-12-31", "XK_YXQZ", "2019-01-01"},
    {"XF-4050", kPenalty, "CF_NR_FK", "0", "0.5", "CF_CFLB", "罚款"},
    {"XF-4051", kPenalty, "CF_NR_FK", "20000", "2", "CF_CFLB", "罚款"},
    {"XF-4052", kPenalty, "CF_NR_FK", "0.5", "", "CF_CFLB", "警告"},
    {"XF-4060", kPenalty, "CF_SY", "暂无", "当事人未公示年度报告", {}, {}},
    {"XF-4061", kPenalty, "CF_WSH", "12号", "丹市监处罚〔2026〕12号", {}, {}},
    {"XF-4062", kPenalty, "BZ", "", "责令改正", "CF_CFLB", "其他"},
    {"XF-4104", kLevy, "TYSHXYDM", "", "91350100M000100Y43", {}, {}},
    {"XF-4105", kPenalty, "CF_XDR_MC", "示例Ａ公司", "示例A公司", {}, {}},
    {"XF-4106", "serious-dishonesty-list", "ZTDM", "12345678", "91350100M000100Y43", {}, {}},
    {"XF-4107", "credit-commitment", "CNRDM", "219900190001010013", "91350100M000100Y43", "CNRLB", "法人及非法人组织"},
    {"XF-4108", "objection", "DFRQ", "2026-10-30", "2026-10-09", "SQRQ", "2026-09-11"},
    {"XF-4109", "credit-repair-decision", "GSJSR", "2026-11-19", "2026-11-24", "GSQSR", "2026-11-18"},
    {"XF-4110", "credit-commitment", "CNBM", "2199002026", "21990020261118000001", {}, {}},
    {"XF-4111",
     "credit-repair-decision",
     "CNS",
     "66c7f0f4",
     "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
     {},
     {}},
    {"XF-4112", "record-metadata", "HJ_SJC", "2026-09-30", "2026-09-30 08:30:00", {}, {}},
    {"XF-4113", kPenalty, "CF_XDR_MC", "示例商贸公司", "示例商贸有限公司", "CF_XDR_SHXYM", "91350100M000100Y43",
     "示例商贸有限公司"},
    {"XF-4114", kPenalty, "CF_XDR_SHXYM", "91219900MATEJT689Q", "91350100M000100Y43", "CF_XDR_MC", "示例商贸有限公司",
     "91350100M000100Y43"},
};

}  // namespace

std::span<const CodeExample> all_examples() {
    return kExamples;
}

const CodeExample* find_example(std::string_view code) {
    const auto* found = std::ranges::find(kExamples, code, &CodeExample::code);
    return found == std::end(kExamples) ? nullptr : found;
}

}  // namespace xinfu::policies
