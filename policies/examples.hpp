// Examples: for a finding on a record, a value that brings it and one that does not. Each is tried by a test.
#pragma once

#include <span>
#include <string_view>

namespace xinfu::policies {

struct CodeExample {
    std::string_view code;     // "XF-4nnn"
    std::string_view catalog;  // in which
    std::string_view field;
    std::string_view wrong;
    std::string_view right;        // empty: to be left empty, or nothing to correct
    std::string_view given_field;  // while this field has this value; empty: whatever the others are
    std::string_view given_value;
    std::string_view earlier{};  // an earlier record of the file, otherwise the same, has this value of the field
};

std::span<const CodeExample> all_examples();             // ascending by code
const CodeExample* find_example(std::string_view code);  // nullptr: none

}  // namespace xinfu::policies
