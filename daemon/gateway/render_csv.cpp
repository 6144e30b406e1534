#include "daemon/gateway/render.hpp"
#include "policies/codes.hpp"

namespace xinfu::gateway {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool begins_formula(std::string_view text) {
    const auto first = text.find_first_not_of(" \n");
    if (first == std::string_view::npos) {
        return false;
    }
    text.remove_prefix(first);
    if (std::string_view("=+-@\t\r|%").find(text.front()) != std::string_view::npos) {
        return true;
    }
    for (const std::string_view wide : {"＝", "＋", "－", "＠", "｜", "％"}) {
        if (text.starts_with(wide)) {
            return true;
        }
    }
    return false;
}

std::string cell(std::string_view text) {
    std::string safe;
    // A spreadsheet runs what begins like a formula, Chinese ones also in wide characters, and senders choose these
    // values.
    if (begins_formula(text)) {
        safe = "'";
    }
    safe += text;
    if (safe.find_first_of("\",\r\n") == std::string::npos) {
        return safe;
    }
    std::string quoted = "\"";
    for (const char c : safe) {
        quoted += c;
        if (c == '"') {
            quoted += c;
        }
    }
    return quoted + "\"";
}

}  // namespace

std::string csv_row(const std::vector<std::string>& cells) {
    std::string row;
    for (std::size_t n = 0; n < cells.size(); ++n) {
        row += n == 0 ? "" : ",";
        row += cell(cells[n]);
    }
    return row + "\r\n";
}

std::string defects_csv_head() {
    return std::string(kByteOrderMark) + csv_row({"行号", "字段", "值（已脱敏）", "原因", "级别", "代码"});
}

std::string defect_csv_row(const boundary::Defect& defect, const std::map<std::string, std::string>& titles) {
    const auto title = titles.find(defect.field());
    const auto* text = policies::find_code(defect.code());
    const std::vector<std::string> arguments(defect.arguments().begin(), defect.arguments().end());
    return csv_row({defect.line() == 0 ? std::string{} : std::to_string(defect.line()),
                    title == titles.end() ? defect.field() : title->second, defect.masked_value(),
                    text ? policies::fill_in(text->detail_zh, arguments) : defect.code(),
                    defect.severity() == boundary::SEVERITY_WARNING ? "提示" : "错误", defect.code()});
}

Response render_template(const boundary::CatalogDescription& catalog) {
    std::vector<std::string> titles;
    for (const auto& field : catalog.fields()) {
        // The customary mark of a column that must be filled; it is ignored when the file comes back.
        titles.push_back(field.title_zh() + (field.required() == "always" ? "*" : ""));
    }
    return {.status = 200,
            .content_type = "text/csv; charset=utf-8",
            .body = std::string(kByteOrderMark) + csv_row(titles),
            .headers = {{"Content-Disposition", "attachment; filename=\"" + catalog.name() + ".csv\""}},
            .close = false};
}

}  // namespace xinfu::gateway
