#include "daemon/client/demo_samples.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

namespace xinfu::client {
namespace {

// Days as the catalogs count them, in Asia/Shanghai, which has no summer time.
std::string day_before_today(int days) {
    const auto shanghai = std::chrono::system_clock::now() + std::chrono::hours(8);
    const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(shanghai) - std::chrono::days(days));
    char text[32];
    std::snprintf(text, sizeof text, "%04d/%02u/%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                  static_cast<unsigned>(day.day()));
    return text;
}

struct Company {
    std::string_view name;
    std::string_view code;  // unified social credit code of division 219900
    std::string_view representative;
};
constexpr std::array<Company, 3> kCompanies{{{"示例甲贸易有限公司", "91219900000005012E", "钱某甲"},
                                             {"示例乙食品有限公司", "912199000000050209", "孙某乙"},
                                             {"示例丙运输有限公司", "912199000000050396", "李某丙"}}};

using Row = std::vector<std::pair<std::string_view, std::string>>;

std::string to_csv(const std::vector<Row>& rows) {
    std::string header;
    std::string body;
    for (const Row& row : rows) {
        std::string line;
        for (const auto& [code, value] : row) {
            line += (line.empty() ? "" : ",") + value;
            if (&row == &rows.front()) {
                header += (header.empty() ? "" : ",") + std::string(code);
            }
        }
        body += line + "\r\n";
    }
    return header + "\r\n" + body;
}

}  // namespace

std::string sample_penalties(const std::string& unit, const std::string& unit_name) {
    std::vector<Row> rows;
    int number = 100;
    for (const Company& company : kCompanies) {
        ++number;
        rows.push_back(
            {{"CF_XDR_MC", std::string(company.name)},
             {"CF_XDR_LB", "法人及非法人组织"},
             {"CF_XDR_SHXYM", std::string(company.code)},
             {"CF_FRDB", std::string(company.representative)},
             {"CF_WSH", "示市监罚〔" + day_before_today(2).substr(0, 4) + "〕" + std::to_string(number) + "号"},
             {"CF_WFXW", "未按规定公示价格"},
             {"CF_SY", "当事人在经营场所销售商品未按规定明码标价"},
             {"CF_YJ", "《中华人民共和国价格法》第四十二条"},
             {"CF_CFLB", "警告;罚款"},
             {"CF_NR", "给予警告并处罚款二千元"},
             {"CF_NR_FK", "0.2"},
             {"CF_JDRQ", day_before_today(2)},
             {"CF_YXQ", "2099/12/31"},
             {"CF_GSJZQ", day_before_today(-365)},
             {"CF_CFJG", unit_name},
             {"CF_CFJGDM", unit},
             {"CF_SJLY", unit_name},
             {"CF_SJLYDM", unit},
             {"BZ", ""}});
    }
    return to_csv(rows);
}

std::string sample_licences(const std::string& unit, const std::string& unit_name) {
    std::vector<Row> rows;
    int number = 200;
    for (const Company& company : kCompanies) {
        ++number;
        rows.push_back(
            {{"XK_XDR_MC", std::string(company.name)},
             {"XK_XDR_LB", "法人及非法人组织"},
             {"XK_XDR_SHXYM", std::string(company.code)},
             {"XK_FRDB", std::string(company.representative)},
             {"XK_XKWS", "食品经营许可决定书"},
             {"XK_WSH", "示市监许准〔" + day_before_today(2).substr(0, 4) + "〕" + std::to_string(number) + "号"},
             {"XK_XKLB", "普通"},
             {"XK_NR", "准予从事预包装食品销售"},
             {"XK_JDRQ", day_before_today(2)},
             {"XK_YXQZ", day_before_today(2)},
             {"XK_YXQZI", day_before_today(-1800)},
             {"XK_XKJG", unit_name},
             {"XK_XKJGDM", unit},
             {"XK_ZT", "1"},
             {"XK_LYDW", unit_name},
             {"XK_LYDWDM", unit},
             {"BZ", ""}});
    }
    return to_csv(rows);
}

}  // namespace xinfu::client
