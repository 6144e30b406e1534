// Identifiers: the numbers by which Chinese law names organisations and people, and what makes one wrong.
//
// Sources: GB 32100-2015 with amendment 1 (unified social credit code), GB 11714-1997 (organisation code),
//          GS 15-2006 (registration number; ISO 7064 MOD 11,10), GB 11643-1999 (identity number).
// Trust:   every input is hostile; all functions are total.
#pragma once

#include <string>
#include <string_view>

namespace xinfu::policies {

enum class UsccDefect {
    none,
    form,               // not 18 characters of 0-9, A-Y without I, O, S, V, Z
    authority,          // no registering authority and kind of organisation begin like this (also: all zeros)
    check_character,    // modulo 31, over all 18
    organisation_part,  // modulo 11, characters 9 to 17
};
// The first defect in the order above. `code` is taken as it is: see normalise_code.
UsccDefect check_uscc(std::string_view code);

bool is_organisation_code(std::string_view code);      // 9 characters, without hyphen
bool is_registration_number(std::string_view digits);  // 15 digits with check digit, or 13 of the older form
bool is_tax_number(std::string_view code);             // 15, 17, 18 or 20 digits and capitals

// 17 digits and a check character, with a date of birth that exists.
bool is_identity_number(std::string_view number);
// The 18-character form of a 15-digit number; empty when it is none.
std::string upgrade_identity_number(std::string_view number);

// Half-width, upper case, without white space and hyphens at either end or between: "９１４４…" and
// "71526726-x" become what was meant. Appends nothing it does not know: other bytes are kept, and the checks
// above refuse them. Answers whether `normalised` differs from `raw`.
bool normalise_code(std::string_view raw, std::string& normalised);

// The first run in free text that is an identity number (18 characters, check character and date of birth);
// empty when there is none.
std::string_view find_identity_number(std::string_view text);

}  // namespace xinfu::policies
