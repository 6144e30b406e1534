// Each field by itself: its text, type, length and list; and whether it had to be there.
#include <algorithm>
#include <array>
#include <charconv>

#include "policies/cell_damage.hpp"
#include "policies/identifiers.hpp"
#include "policies/mask.hpp"
#include "policies/record_checks.hpp"
#include "policies/text.hpp"
#include "policies/values.hpp"

namespace xinfu::policies {
namespace {

std::string hexadecimal(std::uint32_t character) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), character, 16).ptr;
    std::string text{digits.data(), end};
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text.size() < 4 ? std::string(4 - text.size(), '0') + text : text;
}

std::string joined(const std::vector<std::string>& values) {
    std::string text;
    for (const auto& value : values) {
        text += text.empty() ? "" : "; ";
        text += value;
    }
    return text;
}

// Takes the next item of a list that people separate by ';' or '；'.
std::string_view take_item(std::string_view& list) {
    std::size_t size = 0;
    std::size_t end = 0;
    for (; end < list.size(); ++end) {
        if (list[end] == ';') {
            size = 1;
            break;
        }
        if (list.compare(end, 3, "；") == 0) {
            size = 3;
            break;
        }
    }
    const auto item = trim(list.substr(0, end));
    list.remove_prefix(std::min(list.size(), end + size));
    return item;
}

// A number that is right again with the zeros that a spreadsheet dropped; empty: it is not that.
std::string with_leading_zeros(CodeFormat format, std::string_view number) {
    const bool digits = std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    const auto padded = [&](std::size_t size) { return std::string(size - number.size(), '0').append(number); };
    if (digits && format == CodeFormat::organisation_code && number.size() >= 5 && number.size() < 9 &&
        is_organisation_code(padded(9))) {
        return padded(9);
    }
    // Thirteen digits are an older form.
    if (digits && format == CodeFormat::registration_number && number.size() == 14 &&
        is_registration_number(padded(15))) {
        return padded(15);
    }
    return {};
}

std::size_t index_in(const std::vector<std::string>& values, std::string_view word) {
    const auto found = std::ranges::find(values, word);
    return found == values.end() ? kNoField : static_cast<std::size_t>(found - values.begin());
}

}  // namespace

bool has_value(std::string_view joined_values, std::string_view item) {
    while (!joined_values.empty()) {
        const auto end = std::min(joined_values.find(';'), joined_values.size());
        if (joined_values.substr(0, end) == item) {
            return true;
        }
        joined_values.remove_prefix(std::min(joined_values.size(), end + 1));
    }
    return false;
}

void RecordUnderCheck::find(std::size_t field, std::string_view code, Severity severity,
                            std::initializer_list<std::string_view> arguments) {
    Finding finding;
    finding.field = field;
    finding.code = code;
    finding.severity = severity;
    finding.arguments.assign(arguments.begin(), arguments.end());
    finding.raw = field == kNoField ? std::string_view{} : cells[field];
    checked.findings.push_back(std::move(finding));
    if (severity == Severity::error) {
        checked.defective = true;
        if (field != kNoField) {
            checked.wrong[field] = 1;
        }
    } else {
        checked.warned = true;
    }
}

bool RecordUnderCheck::holds(const std::vector<Condition>& conditions) const {
    return std::ranges::all_of(conditions, [this](const Condition& condition) {
        if (wrong(condition.field)) {
            return false;
        }
        const auto text = value(condition.field);
        const auto is_one = [&](const std::string& wanted) { return text == wanted; };
        const auto is_among = [&](const std::string& wanted) { return has_value(text, wanted); };
        switch (condition.test) {
            case Condition::Test::is: return std::ranges::any_of(condition.values, is_one);
            case Condition::Test::is_not: return !text.empty() && std::ranges::none_of(condition.values, is_one);
            case Condition::Test::has: return std::ranges::any_of(condition.values, is_among);
            case Condition::Test::filled: return !text.empty();
            case Condition::Test::empty: return text.empty();
        }
        return false;
    });
}

bool RecordUnderCheck::fits_length(std::size_t index, std::string_view text) {
    const auto& field = catalog.fields[index];
    if (text.size() <= field.length_max) {
        return true;  // never more characters than octets
    }
    const auto characters = count_characters(text);
    if (characters <= field.length_max) {
        return true;
    }
    find(index, "XF-4004", Severity::error, {std::to_string(characters), std::to_string(field.length_max)});
    return false;
}

bool RecordUnderCheck::is_clean(std::size_t index, std::string_view text, bool allow_lines) {
    const auto character = find_forbidden(text, allow_lines);
    if (character != 0) {
        find(index, code_of_forbidden(character), Severity::error,
             {hexadecimal(character == 0xFFFFFFFFu ? 0 : character)});
    }
    return character == 0;
}

// What a spreadsheet did to the cell, whatever the field's type.
bool RecordUnderCheck::is_damaged(std::size_t index, std::string_view cell) {
    if (const auto shown = spreadsheet_error(cell); !shown.empty()) {
        find(index, "XF-4085", Severity::error, {shown});
        return true;
    }
    if (is_scientific(cell)) {
        find(index, "XF-4078", Severity::error);
        return true;
    }
    return false;
}

void RecordUnderCheck::read_text(std::size_t index, std::string_view cell) {
    const auto scan = scan_text(cell);
    if (scan.suspicious) {
        if (!is_clean(index, cell, true)) {
            return;
        }
        if (const auto damage = find_text_damage(cell); !damage.code.empty()) {
            find(index, damage.code, Severity::error, {damage.marks});
            return;
        }
        if (normalise_line_ends(cell, checked.scratch[index])) {
            cell = checked.scratch[index];
        }
    }
    if (scan.characters > catalog.fields[index].length_max && !fits_length(index, cell)) {
        return;
    }
    checked.values[index] = cell;
}

void RecordUnderCheck::read_code(std::size_t index, std::string_view cell) {
    const auto& field = catalog.fields[index];
    auto& normalised = checked.scratch[index];
    if (field.format == CodeFormat::plain) {
        if (is_clean(index, cell, false) && fits_length(index, cell)) {
            checked.values[index] = cell;
        }
        return;
    }
    const bool changed = normalise_code(cell, normalised) && field.format != CodeFormat::digest;
    if (!is_clean(index, normalised, false) || !fits_length(index, normalised)) {
        return;
    }
    std::string_view argument;
    if (const auto defect = judge_code(index, normalised, argument); !defect.empty()) {
        const auto padded = with_leading_zeros(field.format, normalised);
        if (has_lost_digits(normalised)) {
            find(index, "XF-4079", Severity::error);
        } else if (!padded.empty()) {
            find(index, "XF-4080", Severity::error, {padded});
        } else if (argument.empty()) {
            find(index, defect, Severity::error);
        } else {
            find(index, defect, Severity::error, {argument});
        }
        return;
    }
    if (changed) {
        const auto shown = mask_by(field.mask, normalised, [](auto) { return std::string_view{}; });
        find(index, "XF-4012", Severity::warning, {shown});
    }
    checked.values[index] = normalised;
}

// What is wrong with a normalised code; empty: nothing that refuses it. A subject's older number gets its newer form, a
// digest small letters.
std::string_view RecordUnderCheck::judge_code(std::size_t index, std::string& code, std::string_view& argument) {
    const auto& field = catalog.fields[index];
    switch (field.format) {
        case CodeFormat::uscc:
            switch (check_uscc(code)) {
                case UsccDefect::none: return {};
                case UsccDefect::form: return "XF-4020";
                case UsccDefect::authority: argument = std::string_view{code}.substr(0, 8); return "XF-4023";
                case UsccDefect::check_character: return "XF-4021";
                case UsccDefect::organisation_part: break;
            }
            if (field.organisation_part == Severity::error) {
                return "XF-4022";
            }
            find(index, "XF-4022", Severity::warning);
            return {};
        case CodeFormat::organisation_code: return is_organisation_code(code) ? "" : "XF-4024";
        case CodeFormat::registration_number:
            // Since 2015 the unified code stands in its place; older numbers of other forms exist and are let be.
            return (code.size() == 15 && !is_registration_number(code)) ||
                           !with_leading_zeros(field.format, code).empty()
                       ? "XF-4026"
                       : "";
        case CodeFormat::tax_number: return is_tax_number(code) ? "" : "XF-4029";
        case CodeFormat::subject: {
            if (auto upgraded = upgrade_identity_number(code); !upgraded.empty()) {
                code = std::move(upgraded);
            }
            const bool organisation = check_uscc(code) == UsccDefect::none || is_organisation_code(code);
            return organisation || is_identity_number(code) ? "" : "XF-4106";
        }
        case CodeFormat::digest:
            std::ranges::transform(code, code.begin(),
                                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
            return code.size() == 64 && code.find_first_not_of("0123456789abcdef") == std::string::npos ? ""
                                                                                                        : "XF-4111";
        case CodeFormat::plain: break;
    }
    return {};
}

void RecordUnderCheck::read_personal(std::size_t index, std::string_view cell) {
    auto& normalised = checked.scratch[index];
    const bool changed = normalise_code(cell, normalised);
    if (!is_clean(index, normalised, false) || !fits_length(index, normalised)) {
        return;
    }
    if (has_lost_digits(normalised) && !is_identity_number(normalised)) {
        find(index, "XF-4079", Severity::error);
        return;
    }
    if (changed) {
        // A finding travels further than the record: the number stays hidden in it.
        find(index, "XF-4012", Severity::warning,
             {mask_by(catalog.fields[index].mask, normalised, [](auto) { return std::string_view{}; })});
    }
    std::string_view argument;
    if (const auto defect = judge_code(index, normalised, argument); !defect.empty()) {
        find(index, defect, Severity::error);
        return;
    }
    checked.values[index] = normalised;
}

void RecordUnderCheck::read_day(std::size_t index, std::string_view cell) {
    const auto date = read_date(cell);
    if (!date) {
        if (const auto serial = date_serial(cell)) {
            find(index, "XF-4082", Severity::error, {date_text(*serial)});
        } else {
            find(index, is_unclear_date(cell) ? "XF-4084" : "XF-4006", Severity::error);
        }
        return;
    }
    if (date->has_time) {
        find(index, "XF-4083", Severity::error);
        return;
    }
    if (date->canonical) {
        checked.values[index] = cell;
    } else {
        checked.scratch[index] = date_text(date->day);
        checked.values[index] = checked.scratch[index];
    }
}

// A date and a time of day to the second, kept as YYYY-MM-DD HH:MM:SS.
void RecordUnderCheck::read_time(std::size_t index, std::string_view cell) {
    constexpr std::size_t kTimeSize = 8;
    const auto at = std::min(cell.find_first_of(" T"), cell.size());
    const auto date = read_date(cell.substr(0, at));
    const auto time = trim(cell.substr(std::min(at + 1, cell.size())));
    const auto two = [&time](std::size_t from, int most) {
        const char tens = time[from];
        const char ones = time[from + 1];
        const bool digits = tens >= '0' && tens <= '9' && ones >= '0' && ones <= '9';
        return digits && (tens - '0') * 10 + (ones - '0') <= most;
    };
    const bool fits =
        date && time.size() == kTimeSize && time[2] == ':' && time[5] == ':' && two(0, 23) && two(3, 59) && two(6, 59);
    if (!fits) {
        find(index, "XF-4112", Severity::error);
        return;
    }
    checked.scratch[index] = date_text(date->day) + " " + std::string{time};
    checked.values[index] = checked.scratch[index];
}

void RecordUnderCheck::read_amount(std::size_t index, std::string_view cell) {
    const auto& field = catalog.fields[index];
    const auto digits = read_decimal(cell, checked.scratch[index]);
    if (!digits) {
        find(index, has_thousands_separators(cell) ? "XF-4081" : "XF-4007", Severity::error);
        return;
    }
    const auto whole_max = static_cast<std::size_t>(field.digits_max - field.scale_max);
    if (digits->whole_digits > whole_max || digits->fraction_digits > static_cast<std::size_t>(field.scale_max)) {
        find(index, "XF-4008", Severity::error, {std::to_string(field.digits_max), std::to_string(field.scale_max)});
        return;
    }
    checked.values[index] = checked.scratch[index];
}

void RecordUnderCheck::read_word(std::size_t index, std::string_view cell) {
    const auto& field = catalog.fields[index];
    if (index_in(field.values, cell) == kNoField && index_in(field.former_values, cell) == kNoField) {
        find(index, "XF-4009", Severity::error, {joined(field.values)});
        return;
    }
    checked.values[index] = cell;
}

// The values in the pack's order, whatever the order and separators in the file: two ways to write the same
// give the same record.
void RecordUnderCheck::read_words(std::size_t index, std::string_view cell) {
    const auto& field = catalog.fields[index];
    std::uint64_t present = 0;
    while (!cell.empty()) {
        const auto item = take_item(cell);
        if (item.empty()) {
            continue;
        }
        auto at = index_in(field.values, item);
        if (at == kNoField) {
            const auto former = index_in(field.former_values, item);
            if (former == kNoField) {
                find(index, "XF-4009", Severity::error, {joined(field.values)});
                return;
            }
            at = field.values.size() + former;
        }
        const auto bit = std::uint64_t{1} << at;
        if ((present & bit) != 0) {
            find(index, "XF-4010", Severity::warning);
        }
        present |= bit;
    }
    auto& text = checked.scratch[index];
    text.clear();
    for (std::size_t i = 0; i < field.values.size() + field.former_values.size(); ++i) {
        if ((present >> i & 1) != 0) {
            text += text.empty() ? "" : ";";
            text += i < field.values.size() ? field.values[i] : field.former_values[i - field.values.size()];
        }
    }
    checked.values[index] = text;
}

// Words of an older list count only for decisions of that time.
void RecordUnderCheck::check_former_values(std::size_t index) {
    const auto& field = catalog.fields[index];
    if (value(index).empty() || field.former_values.empty()) {
        return;
    }
    const auto date = value(field.former_by);
    if (!date.empty() && day_of(date) < field.former_before) {
        return;
    }
    for (const auto& former : field.former_values) {
        if (index_in(field.values, former) == kNoField && has_value(value(index), former)) {
            find(index, "XF-4009", Severity::error, {joined(field.values)});
            return;
        }
    }
}

void RecordUnderCheck::read_field(std::size_t index) {
    if (cells[index].empty()) {
        return;
    }
    const auto type = catalog.fields[index].type;
    const auto [cell, noticed] = peel(cells[index], type == FieldType::text);
    if (cell.empty()) {
        return;
    }
    if (noticed) {
        find(index, "XF-4077", Severity::warning);
    }
    // A mark of damage begins with '#', a digit or '-'; few texts do.
    if (cell.front() <= '9' && cell.front() >= '#' && is_damaged(index, cell)) {
        return;
    }
    switch (type) {
        case FieldType::text: return read_text(index, cell);
        case FieldType::code: return read_code(index, cell);
        case FieldType::personal: return read_personal(index, cell);
        case FieldType::date: return read_day(index, cell);
        case FieldType::timestamp: return read_time(index, cell);
        case FieldType::decimal: return read_amount(index, cell);
        case FieldType::enumeration: return read_word(index, cell);
        case FieldType::multi_enumeration: return read_words(index, cell);
    }
}

void RecordUnderCheck::read_fields() {
    for (std::size_t i = 0; i < catalog.fields.size(); ++i) {
        read_field(i);
    }
    for (std::size_t i = 0; i < catalog.fields.size(); ++i) {
        check_former_values(i);
    }
}

void RecordUnderCheck::check_presence() {
    for (std::size_t i = 0; i < catalog.fields.size(); ++i) {
        const auto& field = catalog.fields[i];
        if (!value(i).empty() || wrong(i) || field.required == Required::optional) {
            continue;
        }
        if (field.required == Required::always) {
            find(i, "XF-4002", Severity::error);
        } else if (holds(field.when)) {
            find(i, "XF-4003", Severity::error, {field.when_text, field.when_text_zh});
        }
    }
}

void RecordUnderCheck::name_record() {
    const auto of = [this](std::size_t field) { return field == kNoField ? std::string_view{} : value(field); };
    std::size_t subject = catalog.subject_code;
    if (catalog.subject_category != kNoField) {
        subject =
            value(catalog.subject_category) == catalog.natural_person ? catalog.subject_person : catalog.subject_code;
    } else if (of(subject).empty() && !wrong(subject) && catalog.subject_person != kNoField) {
        subject = catalog.subject_person;
    }
    const bool category_wrong = catalog.subject_category != kNoField && wrong(catalog.subject_category);
    if (!category_wrong && !wrong(subject)) {
        checked.subject = value(subject);
    }
    checked.number = value(catalog.number);
    checked.deciding_unit = value(catalog.deciding_unit);
    checked.source_unit = value(catalog.source_unit);
}

void check_record(const Catalog& catalog, const WorkingDays& calendar, Day today,
                  const std::vector<std::string_view>& cells, CheckedRecord& checked) {
    const auto count = catalog.fields.size();
    checked.values.assign(count, {});
    checked.wrong.assign(count, 0);
    checked.scratch.resize(count);
    checked.findings.clear();
    checked.subject = checked.number = checked.deciding_unit = checked.source_unit = {};
    checked.defective = checked.warned = false;
    checked.due.reset();
    RecordUnderCheck record{catalog, calendar, today, cells, checked};
    record.read_fields();
    record.check_presence();
    record.run_checks();
    record.name_record();
}

}  // namespace xinfu::policies
