// The shipped packs and test vectors, as the tests find them in the source tree.
#pragma once

#include <fstream>
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

}  // namespace xinfu::policies::test
