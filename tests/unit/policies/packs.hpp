// The shipped packs and test vectors, as the tests find them in the source tree.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "policies/access.hpp"
#include "policies/catalog.hpp"
#include "policies/working_days.hpp"

namespace xinfu::policies::test {

inline std::string read_source_file(const std::string& path) {
    std::ifstream file(std::string{XINFU_SOURCE_DIR} + "/" + path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// Rows of a tab-separated file, without its header.
inline std::vector<std::vector<std::string>> read_rows(const std::string& path) {
    std::istringstream lines(read_source_file(path));
    std::vector<std::vector<std::string>> rows;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::vector<std::string> row;
        std::istringstream cells(line);
        for (std::string cell; std::getline(cells, cell, '\t');) {
            row.push_back(cell);
        }
        rows.push_back(row);
    }
    return rows;
}

inline const Catalog& penalty() {
    static const Catalog catalog =
        load_catalog(read_source_file("policies/packs/administrative-penalty.yaml")).value.value();
    return catalog;
}
inline const Catalog& licence() {
    static const Catalog catalog =
        load_catalog(read_source_file("policies/packs/administrative-licence.yaml")).value.value();
    return catalog;
}
inline const WorkingDays& calendar() {
    static const WorkingDays days = load_working_days(read_source_file("policies/packs/workdays.yaml")).value.value();
    return days;
}
inline const AccessPolicy& access() {
    static const AccessPolicy policy = load_access(read_source_file("policies/packs/access.yaml")).value.value();
    return policy;
}

inline Day day(int year, int month, int dom) {
    return Day{std::chrono::year{year} / month / dom};
}

// A record by field code.
using Cells = std::map<std::string, std::string>;

// A penalty without any finding on 2026-11-22.
inline Cells good_penalty() {
    return {{"CF_XDR_MC", "示例商贸有限公司"},
            {"CF_XDR_LB", "法人及非法人组织"},
            {"CF_XDR_SHXYM", "91350100M000100Y43"},
            {"CF_FRDB", "张三"},
            {"CF_WSH", "丹市监处罚〔2026〕12号"},
            {"CF_WFXW", "未按规定公示信息"},
            {"CF_SY", "当事人未按规定公示年度报告"},
            {"CF_YJ", "《企业信息公示暂行条例》第十八条"},
            {"CF_CFLB", "警告;罚款"},
            {"CF_NR", "警告并处罚款0.5万元"},
            {"CF_NR_FK", "0.5"},
            {"CF_JDRQ", "2026-11-18"},
            {"CF_YXQ", "2099-12-31"},
            {"CF_CFJG", "示例市场监督管理局"},
            {"CF_CFJGDM", "11100000MB0143028R"},
            {"CF_SJLY", "示例市场监督管理局"},
            {"CF_SJLYDM", "11100000MB0143028R"}};
}
inline Cells natural_person() {
    auto cells = good_penalty();
    cells["CF_XDR_MC"] = "某某";
    cells["CF_XDR_LB"] = "自然人";
    cells.erase("CF_XDR_SHXYM");
    cells.erase("CF_FRDB");
    cells["CF_XDR_ZJLX"] = "身份证";
    cells["CF_XDR_ZJHM"] = "219900190001010013";
    return cells;
}

}  // namespace xinfu::policies::test
