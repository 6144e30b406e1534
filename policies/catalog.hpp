// Catalog: a kind of record that may be handed in, its fields and its checks, as a pack describes them. The
// words are Frictionless Table Schema's where it has them.
//
// Format:  docs/formats/packs.md
// Threads: a Catalog never changes once loaded; share it freely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/pack.hpp"
#include "policies/working_days.hpp"

namespace re2 {
class RE2;
}

namespace xinfu::policies {

enum class Severity { error, warning };
enum class FieldType { text, code, date, timestamp, decimal, enumeration, multi_enumeration, personal };
// `subject`: a unified code, an organisation code, or a natural person's identity number. `digest`: 64 hexadecimal
// digits.
enum class CodeFormat { plain, uscc, organisation_code, registration_number, tax_number, subject, digest };
enum class Required { always, conditional, optional };
enum class Visibility { everyone, government, authorised, secret };
enum class CheckClass { completeness, accuracy, reasonableness };

inline constexpr std::size_t kNoField = static_cast<std::size_t>(-1);

// One predicate over a field; a list of them holds when all do.
struct Condition {
    enum class Test { is, is_not, has, filled, empty };  // `is`, `is_not`, `has`: any of the values
    std::size_t field = kNoField;
    Test test = Test::filled;
    std::vector<std::string> values;
};

struct Field {
    std::string code;  // "CF_XDR_MC"
    std::string title;
    std::string title_zh;
    FieldType type = FieldType::text;
    CodeFormat format = CodeFormat::plain;
    Severity organisation_part = Severity::error;  // of a wrong GB 11714 check character inside a unified code
    std::uint32_t length_max = 0;                  // code points
    Required required = Required::optional;
    std::vector<Condition> when;  // with Required::conditional
    std::string when_text;        // "the category is not a natural person"
    std::string when_text_zh;
    std::vector<std::string> values;         // enumerations
    std::vector<std::string> former_values;  // accepted while the date in `former_by` lies before `former_before`
    Day former_before{};
    std::size_t former_by = kNoField;
    int digits_max = 0;  // decimals
    int scale_max = 0;
    std::string rule;  // a sentence for people
    std::string rule_zh;
    Visibility visibility = Visibility::everyone;
    std::string mask;  // policies/mask.hpp
};

struct Check {
    enum class Kind {
        not_future,           // field <= today
        not_before,           // field >= date
        order,                // field >= other
        not_past,             // field >= today
        stand_in_date,        // field is none of `dates`
        stand_in_text,        // field is none of `words`
        reported_within,      // today <= field + working_days
        positive,             // field > 0
        below,                // field < limit
        pattern,              // field matches
        uscc_category,        // the code's first characters fit the category in `other`
        organisation_inside,  // field equals characters 9 to 17 of `other`
        identity_document,    // field has the form of the kind of document in `other`
        only_when,            // field is empty unless `when` holds
        explained,            // where `when` holds, field is filled
        no_identity_number,   // free text contains no identity number
        identity_number,      // field is an identity number, whatever its document
        one_of,               // at least one of the fields is filled
        at_most,              // field <= other + working_days
        at_least,             // field >= other + working_days
        characters,           // field has none of the kinds in `refused`
        determined_by,        // field is the same in all records of a file that have the same `other` (and `within`)
    };
    // Kinds of characters that a text may contain but that a name, say, hardly means.
    static constexpr unsigned kPictographs = 1;  // emoji and the like
    static constexpr unsigned kFullWidth = 2;    // full-width letters and digits
    static constexpr unsigned kNotChinese = 4;   // anything but Chinese characters and '·'

    Kind kind = Kind::not_future;
    std::string code;  // "XF-4nnn"
    CheckClass check_class = CheckClass::accuracy;
    Severity severity = Severity::error;
    std::vector<std::size_t> fields;
    std::size_t other = kNoField;
    std::size_t within = kNoField;
    Day date{};
    std::vector<Day> dates;
    std::vector<std::string> words;
    int working_days = 0;
    unsigned refused = 0;
    std::string limit;  // decimal text
    std::shared_ptr<const re2::RE2> expression;
    std::string example;
    std::vector<std::pair<std::string, std::string>> prefixes;  // code prefix, category; others fit `otherwise`
    std::vector<Condition> when;
    std::string when_text;
    std::string when_text_zh;
};

struct Catalog {
    std::string name;     // "administrative-penalty"
    std::string version;  // "2018.1"
    std::string title;
    std::string title_zh;
    std::string basis;                   // legal basis, as people cite it
    std::optional<Day> effective_from;   // first and last day on which it may be used; absent: open
    std::optional<Day> effective_until;  // two versions may be in force on the same day
    bool accept_valid = false;
    std::vector<std::string> approvals;
    std::vector<Field> fields;
    std::vector<Check> checks;
    std::size_t deciding_unit = kNoField;
    std::size_t source_unit = kNoField;
    std::size_t number = kNoField;            // the decision's number
    std::size_t subject_code = kNoField;      // organisations; with format `subject` everybody
    std::size_t subject_person = kNoField;    // natural persons; absent: the code names them too
    std::size_t subject_category = kNoField;  // which of the two: an enumeration; absent: the code unless it is empty
    std::string natural_person;               // the category that means a natural person

    bool in_force(Day day) const {
        return (!effective_from || *effective_from <= day) && (!effective_until || day <= *effective_until);
    }
    std::size_t find(std::string_view field_code) const;  // kNoField: none
    // By field code or Chinese title, with an optional trailing '*'. Titles with a bracketed remark are also
    // found without it. kNoField: none.
    std::size_t find_column(std::string_view header_cell) const;
};

Loaded<Catalog> load_catalog(std::string_view yaml);

// One finding on a record.
struct Finding {
    std::size_t field = kNoField;  // kNoField: the record as a whole
    std::string_view code;         // of the code table or of the catalog
    Severity severity = Severity::error;
    std::vector<std::string> arguments;
    std::string_view raw;  // the value as it came; lives as long as the cells
};

// What check_record makes of one record. Kept and reused from record to record, so that it stops allocating.
struct CheckedRecord {
    std::vector<std::string_view> values;  // by field; normalised; empty: absent. Point into cells or scratch.
    std::vector<Finding> findings;
    std::string_view subject;  // empty when there is an error about it
    std::string_view number;
    std::string_view deciding_unit;
    std::string_view source_unit;
    bool defective = false;       // has an error
    bool warned = false;          // has a warning
    std::optional<Deadline> due;  // of a check of reported_within whose term may be over by today

    std::vector<std::string> scratch;  // by field; where normalising changes a value
    std::vector<std::uint8_t> wrong;   // by field; 1: has an error of its own
};

// Of the catalog's checks those that one record answers; determined_by needs the others of its file, and is in
// file_checks.hpp. Total: any bytes in `cells` (by field; empty: absent; valid UTF-8 is the caller's promise only for
// the counting of characters) give normalised values and findings. Same cells, catalog, calendar and day: same answer.
void check_record(const Catalog& catalog, const WorkingDays& calendar, Day today,
                  const std::vector<std::string_view>& cells, CheckedRecord& checked);

std::string_view name(FieldType type);
std::string_view name(Required required);
std::string_view name(Visibility visibility);

}  // namespace xinfu::policies
