// Each field by itself: its text, type, length and list; and whether it had to be there.
#include <algorithm>
#include <array>
#include <charconv>

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

// Takes the next item of a list that people separate by ';', '；' or '、'.
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

void RecordUnderCheck::read_text(std::size_t index, std::string_view cell) {
    const auto scan = scan_text(cell);
    if (scan.suspicious) {
        if (const auto character = find_forbidden(cell, true); character != 0) {
            find(index, "XF-4005", Severity::error, {hexadecimal(character == 0xFFFFFFFFu ? 0 : character)});
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
        if (find_forbidden(cell, false) != 0) {
            find(index, "XF-4005", Severity::error, {hexadecimal(find_forbidden(cell, false))});
        } else if (fits_length(index, cell)) {
            checked.values[index] = cell;
        }
        return;
    }
    const bool changed = normalise_code(cell, normalised);
    if (!fits_length(index, normalised)) {
        return;
    }
    std::string_view defect;
    std::string_view argument;
    switch (field.format) {
        case CodeFormat::uscc:
            switch (check_uscc(normalised)) {
                case UsccDefect::none: break;
                case UsccDefect::form: defect = "XF-4020"; break;
                case UsccDefect::authority:
                    defect = "XF-4023";
                    argument = std::string_view{normalised}.substr(0, 8);
                    break;
                case UsccDefect::check_character: defect = "XF-4021"; break;
                case UsccDefect::organisation_part: defect = "XF-4022"; break;
            }
            break;
        case CodeFormat::organisation_code: defect = is_organisation_code(normalised) ? "" : "XF-4024"; break;
        case CodeFormat::registration_number:
            // Since 2015 the unified code stands in its place; older numbers of other forms exist and are let
            // be.
            defect = normalised.size() == 15 && !is_registration_number(normalised) ? "XF-4026" : "";
            break;
        case CodeFormat::tax_number: defect = is_tax_number(normalised) ? "" : "XF-4029"; break;
        case CodeFormat::plain: break;
    }
    if (!defect.empty()) {
        if (argument.empty()) {
            find(index, defect, Severity::error);
        } else {
            find(index, defect, Severity::error, {argument});
        }
        return;
    }
    if (find_forbidden(normalised, false) != 0) {
        find(index, "XF-4005", Severity::error, {hexadecimal(find_forbidden(normalised, false))});
        return;
    }
    if (changed) {
        find(index, "XF-4012", Severity::warning, {normalised});
    }
    checked.values[index] = normalised;
}

void RecordUnderCheck::read_personal(std::size_t index, std::string_view cell) {
    auto& normalised = checked.scratch[index];
    const bool changed = normalise_code(cell, normalised);
    if (const auto character = find_forbidden(normalised, false); character != 0) {
        find(index, "XF-4005", Severity::error, {hexadecimal(character)});
        return;
    }
    if (!fits_length(index, normalised)) {
        return;
    }
    if (changed) {
        // A finding travels further than the record: the number stays hidden in it.
        find(index, "XF-4012", Severity::warning,
             {mask_by(catalog.fields[index].mask, normalised, [](auto) { return std::string_view{}; })});
    }
    checked.values[index] = normalised;
}

void RecordUnderCheck::read_day(std::size_t index, std::string_view cell) {
    const auto date = read_date(cell);
    if (!date) {
        find(index, "XF-4006", Severity::error);
        return;
    }
    if (date->time_dropped) {
        find(index, "XF-4046", Severity::warning);
    }
    if (date->canonical) {
        checked.values[index] = cell;
    } else {
        checked.scratch[index] = date_text(date->day);
        checked.values[index] = checked.scratch[index];
    }
}

void RecordUnderCheck::read_amount(std::size_t index, std::string_view cell) {
    const auto& field = catalog.fields[index];
    const auto digits = read_decimal(cell, checked.scratch[index]);
    if (!digits) {
        find(index, "XF-4007", Severity::error);
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
    const auto cell = trim(cells[index]);
    if (cell.empty()) {
        return;
    }
    switch (catalog.fields[index].type) {
        case FieldType::text: return read_text(index, cell);
        case FieldType::code: return read_code(index, cell);
        case FieldType::personal: return read_personal(index, cell);
        case FieldType::date: return read_day(index, cell);
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
    const auto category = value(catalog.subject_category);
    const auto subject = category == catalog.natural_person ? catalog.subject_person : catalog.subject_code;
    if (!wrong(catalog.subject_category) && !wrong(subject)) {
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
    RecordUnderCheck record{catalog, calendar, today, cells, checked};
    record.read_fields();
    record.check_presence();
    record.run_checks();
    record.name_record();
}

}  // namespace xinfu::policies
