#include "policies/catalog.hpp"

#include <algorithm>

#include "policies/text.hpp"

namespace xinfu::policies {
namespace {

// "行政相对人代码_1(统一社会信用代码)" is also found as "行政相对人代码_1".
std::string_view without_remark(std::string_view title) {
    const auto ascii = title.find('(');
    const auto wide = title.find("（");
    return trim(title.substr(0, std::min(ascii, wide)));
}

}  // namespace

std::size_t Catalog::find(std::string_view field_code) const {
    const auto found = std::ranges::find(fields, field_code, &Field::code);
    return found == fields.end() ? kNoField : static_cast<std::size_t>(found - fields.begin());
}

std::size_t Catalog::find_column(std::string_view header_cell) const {
    auto cell = trim(header_cell);
    for (const std::string_view star : {"*", "＊"}) {
        if (cell.ends_with(star)) {
            cell = trim(cell.substr(0, cell.size() - star.size()));
        }
    }
    if (cell.empty()) {
        return kNoField;
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto& field = fields[i];
        const bool same_code = std::ranges::equal(field.code, cell, [](char a, char b) {
            return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 'a' + 'A') : b);
        });
        if (same_code || field.title_zh == cell) {
            return i;
        }
    }
    std::size_t found = kNoField;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (without_remark(fields[i].title_zh) == without_remark(cell)) {
            if (found != kNoField) {
                return kNoField;  // two titles differ in their remark only: it is needed
            }
            found = i;
        }
    }
    return found;
}

std::string_view name(FieldType type) {
    switch (type) {
        case FieldType::text: return "text";
        case FieldType::code: return "code";
        case FieldType::date: return "date";
        case FieldType::timestamp: return "timestamp";
        case FieldType::decimal: return "decimal";
        case FieldType::enumeration: return "enum";
        case FieldType::multi_enumeration: return "multi_enum";
        case FieldType::personal: return "personal";
    }
    return "";
}

std::string_view name(Required required) {
    switch (required) {
        case Required::always: return "always";
        case Required::conditional: return "conditional";
        case Required::optional: return "optional";
    }
    return "";
}

std::string_view name(Visibility visibility) {
    switch (visibility) {
        case Visibility::everyone: return "public";
        case Visibility::government: return "government";
        case Visibility::authorised: return "authorised";
        case Visibility::secret: return "secret";
    }
    return "";
}

}  // namespace xinfu::policies
