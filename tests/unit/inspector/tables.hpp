// Tables for tests, as rows of cells, and ways to write them down. Unit and subject are those of the standard's
// example and of a public authority; no record of anybody.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/inspector/vault_side.hpp"

namespace xinfu::inspector::test {

using Cells = std::vector<std::string>;

inline Cells penalty_titles() {
    return {"行政相对人名称*",
            "行政相对人类别*",
            "行政相对人代码_1(统一社会信用代码)",
            "法定代表人",
            "行政处罚决定书文号",
            "违法行为类型",
            "违法事实",
            "处罚依据",
            "处罚类别",
            "处罚内容",
            "罚款金额（万元）",
            "处罚决定日期",
            "处罚有效期",
            "处罚机关",
            "处罚机关统一社会信用代码",
            "数据来源单位",
            "数据来源单位统一社会信用代码"};
}

// The header in field codes and `count` records.
inline std::vector<Cells> penalties(int count) {
    std::vector<Cells> rows{{"CF_XDR_MC", "CF_XDR_LB", "CF_XDR_SHXYM", "CF_FRDB", "CF_WSH", "CF_WFXW", "CF_SY", "CF_YJ",
                             "CF_CFLB", "CF_NR", "CF_NR_FK", "CF_JDRQ", "CF_YXQ", "CF_CFJG", "CF_CFJGDM", "CF_SJLY",
                             "CF_SJLYDM"}};
    for (int i = 1; i <= count; ++i) {
        rows.push_back({"示例商贸有限公司", "法人及非法人组织", "91350100M000100Y43", "张三",
                        "丹市监处罚〔2026〕" + std::to_string(i) + "号", "未按规定公示信息",
                        "当事人未按规定公示年度报告", "《企业信息公示暂行条例》第十八条", "警告;罚款", "罚款0.5万元",
                        "0.5", "2026/11/18", "2099/12/31", "示例市场监督管理局", "11100000MB0143028R",
                        "示例市场监督管理局", "11100000MB0143028R"});
    }
    return rows;
}

inline std::string separated(const std::vector<Cells>& rows, const std::string& separator) {
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool quoted = row[i].find_first_of(separator + "\"\n") != std::string::npos;
            text += (i == 0 ? "" : separator) + (quoted ? "\"" + row[i] + "\"" : row[i]);
        }
        text += "\r\n";
    }
    return text;
}

inline std::string by_iconv(const std::string& text, const std::string& encoding, const Signer& signer) {
    const auto folder = signer.folder();
    write_file(folder / "iconv.in", text);
    const auto command = "cd " + folder.string() + " && iconv -f UTF-8 -t " + encoding + " iconv.in > iconv.out";
    if (std::system(command.c_str()) != 0) {
        throw std::runtime_error(command);
    }
    return read_file(folder / "iconv.out");
}

}  // namespace xinfu::inspector::test
