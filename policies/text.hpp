// Text: the two questions asked of every octet of every record, answered fast: is it UTF-8, and does it
// contain characters that have no business in a record.
//
// Sources: RFC 3629 (no overlong forms, no surrogates, nothing above U+10FFFF).
// Trust:   hostile input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xinfu::policies {

// The offset of the first octet that does not belong to a well-formed character; npos when all do.
std::size_t find_malformed_utf8(std::string_view text);

struct TextScan {
    std::size_t characters = 0;  // code points
    bool suspicious = false;     // may contain what find_forbidden or find_text_damage finds; look closer
};
TextScan scan_text(std::string_view text);

struct Character {
    std::uint32_t value;
    std::size_t size;  // octets
};
// Precondition: `at` is inside. Of what is not valid UTF-8 some character is answered, never octets beyond the end.
Character character_at(std::string_view text, std::size_t at);

// The first character of valid UTF-8 that a record may not contain: controls except LF, CR and tab (those
// three only where `allow_lines`), characters without width, bidirectional marks, U+FEFF, U+FFFD, private use,
// noncharacters. 0: none. NUL is answered as U+FFFFFFFF.
std::uint32_t find_forbidden(std::string_view text, bool allow_lines);

std::size_t count_characters(std::string_view text);

// Without white space (ASCII, U+00A0, U+3000) at either end.
std::string_view trim(std::string_view text);

// CR LF and lone CR as LF. Answers false, and leaves `out` alone, when there is no CR.
bool normalise_line_ends(std::string_view text, std::string& out);

}  // namespace xinfu::policies
