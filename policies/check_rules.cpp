// The catalog's checks across fields. Each looks only at values that are right by themselves.
#include <algorithm>

#include <re2/re2.h>

#include "policies/identifiers.hpp"
#include "policies/record_checks.hpp"
#include "policies/values.hpp"

namespace xinfu::policies {
namespace {

using Kind = Check::Kind;

bool is_capital_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

bool only_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Forms of the documents that the national template names, after normalising. Unknown kinds have any form.
bool document_fits(std::string_view kind, std::string_view number) {
    if (kind == "护照号") {
        return number.size() >= 5 && number.size() <= 20 && std::ranges::all_of(number, is_capital_or_digit);
    }
    if (kind == "港澳居民来往内地通行证") {
        const bool letter = number.starts_with('H') || number.starts_with('M');
        return letter && (number.size() == 9 || number.size() == 11) && only_digits(number.substr(1));
    }
    if (kind == "台湾居民来往大陆通行证") {
        const auto digits = number.size() == 11 ? number.substr(0, 10) : number;
        return (digits.size() == 8 || digits.size() == 10) && only_digits(digits) && is_capital_or_digit(number.back());
    }
    if (kind == "外国人永久居留身份证") {
        const bool older = number.size() == 15 && only_digits(number.substr(3)) &&
                           std::ranges::all_of(number.substr(0, 3), is_capital_or_digit);
        const bool newer = number.size() == 18 && number.front() == '9' && only_digits(number.substr(0, 17)) &&
                           is_capital_or_digit(number.back());  // since December 2023
        return older || newer;
    }
    return true;
}

}  // namespace

void RecordUnderCheck::check_date(const Check& check, std::size_t field) {
    const auto day = day_of(value(field));
    switch (check.kind) {
        case Kind::not_future:
            if (day > today) {
                find(field, check.code, check.severity);
            }
            return;
        case Kind::not_before:
            if (day < check.date) {
                find(field, check.code, check.severity, {date_text(check.date)});
            }
            return;
        case Kind::order:
            if (!value(check.other).empty() && !wrong(check.other) && day < day_of(value(check.other))) {
                const auto& other = catalog.fields[check.other];
                find(field, check.code, check.severity, {other.title, other.title_zh});
            }
            return;
        case Kind::not_past:
            if (day < today) {
                find(field, check.code, check.severity);
            }
            return;
        case Kind::stand_in_date:
            if (std::ranges::find(check.dates, day) != check.dates.end()) {
                find(field, check.code, check.severity, {value(field)});
            }
            return;
        case Kind::reported_within: {
            // Not late on any calendar: fewer days have passed than working days are allowed.
            if (today - day <= std::chrono::days{check.working_days}) {
                return;
            }
            const auto deadline = calendar.add(day, check.working_days);
            const auto days = std::to_string(check.working_days);
            if (!checked.due || deadline.last_day < checked.due->last_day) {
                checked.due = deadline;
            }
            if (today > deadline.last_day) {
                find(field, check.code, check.severity, {date_text(deadline.last_day), days});
            }
            if (deadline.provisional && today > deadline.earliest) {
                // The notice may bring holidays or working weekends: nobody knows yet.
                find(field, "XF-4047", Severity::warning, {date_text(deadline.earliest)});
            }
            return;
        }
        case Kind::at_most:
        case Kind::at_least: {
            if (value(check.other).empty() || wrong(check.other)) {
                return;
            }
            const auto& other = catalog.fields[check.other];
            const auto due = calendar.add(day_of(value(check.other)), check.working_days);
            // On a calendar that is not published only what is wrong on every calendar is said.
            const bool fits = check.kind == Kind::at_most ? day <= due.last_day
                                                          : day >= (due.provisional ? due.earliest : due.last_day);
            if (!fits) {
                find(field, check.code, check.severity,
                     {std::to_string(check.working_days), other.title, other.title_zh});
            }
            return;
        }
        default: return;
    }
}

namespace {

// Which of the kinds of Check occur in valid UTF-8.
unsigned kinds_of_characters(std::string_view text) {
    unsigned kinds = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        std::uint32_t character = size == 1 ? lead : lead & (0xFFu >> (size + 1));
        for (std::size_t i = 1; i < size && at + i < text.size(); ++i) {
            character = character << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
        }
        at += size;
        const bool chinese = (character >= 0x4E00 && character <= 0x9FFF) ||
                             (character >= 0x3400 && character <= 0x4DBF) || character == 0x3007 ||
                             (character >= 0x20000 && character <= 0x323AF) || character == 0xB7;
        kinds |= chinese ? 0 : Check::kNotChinese;
        const bool full_width = (character >= 0xFF10 && character <= 0xFF19) ||
                                (character >= 0xFF21 && character <= 0xFF3A) ||
                                (character >= 0xFF41 && character <= 0xFF5A);
        kinds |= full_width ? Check::kFullWidth : 0;
        const bool pictograph = (character >= 0x1F000 && character <= 0x1FAFF) ||
                                (character >= 0x2600 && character <= 0x27BF) || character == 0xFE0F;
        kinds |= pictograph ? Check::kPictographs : 0;
    }
    return kinds;
}

}  // namespace

void RecordUnderCheck::check_identity_number(const Check& check, std::size_t field) {
    if (auto upgraded = upgrade_identity_number(value(field)); !upgraded.empty()) {
        checked.scratch[field] = std::move(upgraded);
        checked.values[field] = checked.scratch[field];
        return;
    }
    if (!is_identity_number(value(field))) {
        find(field, check.code, check.severity);
    }
}

void RecordUnderCheck::check_identity_document(const Check& check, std::size_t field) {
    const auto kind = value(check.other);
    if (wrong(check.other)) {
        return;
    }
    if (kind.empty() || kind == "身份证") {
        check_identity_number(check, field);
        return;
    }
    if (!document_fits(kind, value(field))) {
        find(field, "XF-4028", check.severity, {kind});
    }
}

void RecordUnderCheck::check_category(const Check& check, std::size_t field) {
    const auto category = value(check.other);
    if (category.empty() || wrong(check.other)) {
        return;
    }
    if (category == catalog.natural_person) {
        // One field for both: then a natural person's is an identity number.
        if (field == catalog.subject_person && !is_identity_number(value(field))) {
            find(field, check.code, check.severity, {value(field).substr(0, 2)});
        }
        return;
    }
    if (field == catalog.subject_person && is_identity_number(value(field))) {
        find(field, "XF-4107", check.severity);
        return;
    }
    for (const auto& [begins, means] : check.prefixes) {
        if (value(field).starts_with(begins)) {
            if (category != means) {
                find(field, check.code, check.severity, {value(field).substr(0, 2)});
            }
            return;
        }
    }
}

void RecordUnderCheck::check_one_of(const Check& check) {
    const bool any =
        std::ranges::any_of(check.fields, [this](std::size_t field) { return !value(field).empty() || wrong(field); });
    if (any || check.fields.empty()) {
        return;
    }
    std::string names;
    std::string names_zh;
    for (const auto field : check.fields) {
        names += (names.empty() ? "" : ", ") + catalog.fields[field].title;
        names_zh += (names_zh.empty() ? "" : "、") + catalog.fields[field].title_zh;
    }
    find(check.fields.front(), check.code, check.severity, {names, names_zh});
}

void RecordUnderCheck::run_check(const Check& check) {
    if (check.kind == Kind::one_of) {
        check_one_of(check);
        return;
    }
    if (check.kind == Kind::determined_by) {
        return;  // file_checks.cpp
    }
    for (const auto field : check.fields) {
        if (check.kind == Kind::explained) {
            if (value(field).empty() && !wrong(field) && holds(check.when)) {
                find(field, check.code, check.severity, {check.when_text, check.when_text_zh});
            }
            continue;
        }
        if (value(field).empty() || wrong(field)) {
            continue;
        }
        switch (check.kind) {
            case Kind::not_future:
            case Kind::not_before:
            case Kind::order:
            case Kind::not_past:
            case Kind::stand_in_date:
            case Kind::at_most:
            case Kind::at_least:
            case Kind::reported_within: check_date(check, field); break;
            case Kind::positive:
                if (compare_decimals(value(field), "0") <= 0) {
                    find(field, check.code, check.severity);
                }
                break;
            case Kind::below:
                if (compare_decimals(value(field), check.limit) >= 0) {
                    find(field, check.code, check.severity, {check.limit});
                }
                break;
            case Kind::stand_in_text:
                if (std::ranges::find(check.words, value(field)) != check.words.end()) {
                    find(field, check.code, check.severity);
                }
                break;
            case Kind::pattern:
                if (!RE2::FullMatch(re2::StringPiece{value(field).data(), value(field).size()}, *check.expression)) {
                    find(field, check.code, check.severity, {check.example});
                }
                break;
            case Kind::uscc_category: check_category(check, field); break;
            case Kind::organisation_inside:
                if (value(check.other).size() == 18 && value(field) != value(check.other).substr(8, 9)) {
                    find(field, check.code, check.severity);
                }
                break;
            case Kind::identity_document: check_identity_document(check, field); break;
            case Kind::only_when: {
                // Silent when the answer hangs on a field that is wrong itself.
                const bool known = std::ranges::none_of(
                    check.when, [&](const Condition& condition) { return wrong(condition.field); });
                if (known && !holds(check.when)) {
                    find(field, check.code, check.severity, {check.when_text, check.when_text_zh});
                }
                break;
            }
            case Kind::no_identity_number:
                if (!find_identity_number(value(field)).empty()) {
                    find(field, check.code, check.severity);
                }
                break;
            case Kind::identity_number: check_identity_number(check, field); break;
            case Kind::characters:
                if ((kinds_of_characters(value(field)) & check.refused) != 0) {
                    find(field, check.code, check.severity);
                }
                break;
            case Kind::one_of:
            case Kind::determined_by:
            case Kind::explained: break;
        }
    }
}

void RecordUnderCheck::run_checks() {
    for (const auto& check : catalog.checks) {
        run_check(check);
    }
}

}  // namespace xinfu::policies
