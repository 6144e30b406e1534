// The two halves of check_record: each field by itself, then the catalog's checks across fields. Inside
// policies/ only.
#pragma once

#include <initializer_list>

#include "policies/catalog.hpp"

namespace xinfu::policies {

// One record under inspection.
struct RecordUnderCheck {
    const Catalog& catalog;
    const WorkingDays& calendar;
    Day today;
    const std::vector<std::string_view>& cells;
    CheckedRecord& checked;

    std::string_view value(std::size_t field) const { return checked.values[field]; }
    bool wrong(std::size_t field) const { return checked.wrong[field] != 0; }
    void find(std::size_t field, std::string_view code, Severity severity,
              std::initializer_list<std::string_view> arguments = {});
    // All conditions hold. A condition on a field that is itself wrong never does: one mistake, one finding.
    bool holds(const std::vector<Condition>& conditions) const;

    void read_fields();  // normalises; types, lengths, lists
    void check_presence();
    void run_checks();
    void name_record();  // subject, number, units

private:
    void read_field(std::size_t index);
    void read_text(std::size_t index, std::string_view cell);
    void read_code(std::size_t index, std::string_view cell);
    void read_personal(std::size_t index, std::string_view cell);
    void read_day(std::size_t index, std::string_view cell);
    void read_time(std::size_t index, std::string_view cell);
    std::string_view judge_code(std::size_t index, std::string& code, std::string_view& argument);
    void read_amount(std::size_t index, std::string_view cell);
    void read_word(std::size_t index, std::string_view cell);
    void read_words(std::size_t index, std::string_view cell);
    void check_former_values(std::size_t index);
    bool fits_length(std::size_t index, std::string_view text);
    bool is_damaged(std::size_t index, std::string_view cell);
    bool is_clean(std::size_t index, std::string_view text, bool allow_lines);

    void run_check(const Check& check);
    void check_date(const Check& check, std::size_t field);
    void check_identity_document(const Check& check, std::size_t field);
    void check_identity_number(const Check& check, std::size_t field);
    void check_one_of(const Check& check);
    void check_category(const Check& check, std::size_t field);
};

// Is `item` one of a multi-enumeration's values, joined by ';'?
bool has_value(std::string_view joined, std::string_view item);

}  // namespace xinfu::policies
