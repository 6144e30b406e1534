#include "daemon/inspector/operation.hpp"

#include <algorithm>

#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kNumberDigitsMax = 15;

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= kNumberDigitsMax && text.front() != '0' &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "<32 lower-case hexadecimal digits>-<line>"
bool is_record_name(std::string_view text) {
    return text.size() > kIdDigits + 1 && text[kIdDigits] == '-' &&
           text.substr(0, kIdDigits).find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           is_number(text.substr(kIdDigits + 1));
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

}  // namespace

std::optional<std::size_t> operation_column(std::string_view header_cell) {
    auto cell = policies::trim(header_cell);
    if (cell.ends_with('*')) {
        cell = policies::trim(cell.substr(0, cell.size() - 1));
    }
    const auto found = std::ranges::find(kOperationColumns, cell);
    return found == kOperationColumns.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(found - kOperationColumns.begin()));
}

boundary::RecordOperation read_operation(const std::array<std::string_view, 4>& cells,
                                         std::vector<OperationDefect>& defects) {
    boundary::RecordOperation operation;
    const auto wrong = [&](std::size_t column, std::string_view code, std::vector<std::string> arguments = {}) {
        defects.push_back({kOperationColumns[column], code, std::move(arguments)});
    };
    const auto word = lower(policies::trim(cells[0]));
    if (word == "correct" || word == "withdraw") {
        operation.set_kind(word == "correct" ? boundary::RecordOperation::CORRECT
                                             : boundary::RecordOperation::WITHDRAW);
    } else {
        wrong(0, "XF-4100");
    }
    auto name = lower(policies::trim(cells[1]));
    if (is_record_name(name)) {
        operation.set_record(std::move(name));
    } else {
        wrong(1, "XF-4101");
    }
    const auto version = policies::trim(cells[2]);
    if (is_number(version)) {
        operation.set_version(std::stoull(std::string(version)));
    } else {
        wrong(2, "XF-4102");
    }
    std::string reason;
    const auto text = policies::trim(cells[3]);
    const std::string_view shown = policies::normalise_line_ends(text, reason) ? std::string_view(reason) : text;
    if (shown.empty() || policies::count_characters(shown) > kReasonCharactersMax ||
        policies::find_forbidden(shown, true) != 0) {
        wrong(3, "XF-4103", {std::to_string(kReasonCharactersMax)});
    } else {
        operation.set_reason(std::string(shown));
    }
    return operation;
}

}  // namespace xinfu::inspector
