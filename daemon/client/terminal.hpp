// Terminal: texts that others wrote, as they may be shown. A name or a purpose can hold what moves the cursor, hides a
// word or turns the order of letters round; none of that reaches the terminal.
//
// Threads: pure functions.
// Trust:   the texts are hostile.
#pragma once

#include <string>
#include <string_view>

namespace xinfu::client {

// One line. Control characters, marks of direction, characters without width and those that end a line become
// "\u{202E}", octets that are not UTF-8 "\xFF", and a backslash two, so that no escape can be made up.
std::string printable(std::string_view text);

// The same of JSON: the same value, in which these characters are escaped. Outside of texts there are none.
std::string printable_json(std::string_view json);

}  // namespace xinfu::client
