#include "policies/text.hpp"

#include <cstring>

namespace xinfu::policies {
namespace {

std::uint8_t octet(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]);
}

bool is_continuation(std::uint8_t c) {
    return (c & 0xC0) == 0x80;
}

constexpr std::uint64_t kHighBits = 0x8080808080808080u;

// How many octets from here on are well-formed characters of three octets, twelve at a time; those that begin
// with E0 or ED, where more has to be looked at, end the run.
std::size_t ideographs(const char* text, std::size_t size) {
    constexpr unsigned char kMaskOctets[8] = {0xF0, 0xC0, 0xC0, 0xF0, 0xC0, 0xC0, 0, 0};
    constexpr unsigned char kFormOctets[8] = {0xE0, 0x80, 0x80, 0xE0, 0x80, 0x80, 0, 0};
    std::uint64_t mask;
    std::uint64_t form;
    std::memcpy(&mask, kMaskOctets, 8);
    std::memcpy(&form, kFormOctets, 8);
    std::size_t at = 0;
    while (at + 14 <= size) {
        std::uint64_t first;
        std::uint64_t second;
        std::memcpy(&first, text + at, 8);
        std::memcpy(&second, text + at + 6, 8);
        bool special = false;
        for (const std::size_t lead : {0u, 3u, 6u, 9u}) {
            const auto octet_there = static_cast<unsigned char>(text[at + lead]);
            special |= (octet_there == 0xE0) | (octet_there == 0xED);
        }
        if (((first & mask) ^ form) | ((second & mask) ^ form) | static_cast<std::uint64_t>(special)) {
            break;
        }
        at += 12;
    }
    return at;
}

bool is_forbidden(std::uint32_t c) {
    if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD) {
        return true;
    }
    if (c < 0x2000) {
        return c == 0x061C || c == 0x115F || c == 0x1160 || c == 0x180E;
    }
    return (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
           c == 0x3164 || (c >= 0xE000 && c <= 0xF8FF) || c == 0xFEFF || c == 0xFFA0 || c == 0xFFFD ||
           (c & 0xFFFEu) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF) || (c >= 0xE0000 && c <= 0xE007F) || c >= 0xF0000;
}

bool is_space_at(std::string_view text, std::size_t at, std::size_t& size) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        size = 1;
        return true;
    }
    if (text.substr(at, 3) == "\u3000") {
        size = 3;
        return true;
    }
    size = 2;
    return text.substr(at, 2) == "\u00a0";
}

}  // namespace

Character character_at(std::string_view text, std::size_t at) {
    const auto lead = octet(text, at);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size == 1 || at + size > text.size()) {
        return {lead, 1};
    }
    std::uint32_t character = lead & (0xFFu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        character = (character << 6) | (octet(text, at + i) & 0x3Fu);
    }
    return {character, size};
}

std::size_t find_malformed_utf8(std::string_view text) {
    const std::size_t size = text.size();
    std::size_t at = 0;
    while (at < size) {
        if (at + 8 <= size) {
            std::uint64_t eight;
            std::memcpy(&eight, text.data() + at, 8);
            if ((eight & kHighBits) == 0) {
                at += 8;
                continue;
            }
        }
        const auto lead = octet(text, at);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        if ((lead & 0xF0) == 0xE0) {  // nearly all Chinese text
            if (const auto run = ideographs(text.data() + at, size - at); run > 0) {
                at += run;
                continue;
            }
            if (at + 3 > size) {
                return at;
            }
            const auto second = octet(text, at + 1);
            const auto third = octet(text, at + 2);
            const bool well_formed = is_continuation(second) && is_continuation(third) &&
                                     !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second >= 0xA0);
            if (!well_formed) {
                return at;
            }
            at += 3;
            continue;
        }
        if (lead >= 0xC2 && lead <= 0xDF) {
            if (at + 2 > size || !is_continuation(octet(text, at + 1))) {
                return at;
            }
            at += 2;
            continue;
        }
        if (lead < 0xF0 || lead > 0xF4 || at + 4 > size) {
            return at;
        }
        const auto second = octet(text, at + 1);
        const bool in_range = !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second >= 0x90);
        if (!in_range || !is_continuation(second) || !is_continuation(octet(text, at + 2)) ||
            !is_continuation(octet(text, at + 3))) {
            return at;
        }
        at += 4;
    }
    return std::string_view::npos;
}

// Written so that the compiler turns it into vector code: no branch depends on the text. `suspicious` may be
// set for innocent text (find_forbidden decides), never missed for guilty text.
TextScan scan_text(std::string_view text) {
    const auto* p = reinterpret_cast<const std::uint8_t*>(text.data());
    const std::size_t size = text.size();
    constexpr std::size_t kBlock = 240;  // counts of one block fit 8 bits
    TextScan scan;
    std::uint8_t found = 0;
    std::size_t at = 0;
    while (at + 2 < size) {
        const std::size_t end = at + kBlock < size - 2 ? at + kBlock : size - 2;
        std::uint8_t characters = 0;
        for (std::size_t i = at; i < end; ++i) {
            const std::uint8_t a = p[i];
            const std::uint8_t b = p[i + 1];
            const std::uint8_t c = p[i + 2];
            characters = static_cast<std::uint8_t>(characters + ((a & 0xC0) != 0x80 ? 1 : 0));
            // Controls and DEL; '?'; all of two octets, few of which stand in Chinese text; U+1000-1FFF; U+200B-200F
            // and U+2028-202E; U+2060-206F; box drawing; bopomofo and Hangul jamo; U+951F; U+E000-EFFF; from U+F000
            // all but the wide forms; all of four octets.
            found |= static_cast<std::uint8_t>(
                (a < 0x20) | (a == 0x7F) | (a == '?') | ((a >= 0xC2) & (a <= 0xE1) & (a != 0xE0)) |
                ((a == 0xE2) & (((b == 0x80) & (((c >= 0x8B) & (c <= 0x8F)) | ((c >= 0xA8) & (c <= 0xAE)))) |
                                ((b == 0x81) & (c >= 0xA0)) | ((b & 0xFE) == 0x94))) |
                ((a == 0xE3) & ((b & 0xFE) == 0x84)) | ((a == 0xE9) & (b == 0x94) & (c == 0x9F)) | (a == 0xEE) |
                ((a == 0xEF) & ((b & 0xFE) != 0xBC)) | (a >= 0xF0));
        }
        scan.characters += characters;
        at = end;
    }
    for (; at < size; ++at) {
        scan.characters += is_continuation(p[at]) ? 0 : 1;
        found |= static_cast<std::uint8_t>((p[at] < 0x20) | (p[at] == 0x7F) | (p[at] == '?') | (p[at] >= 0xC2));
    }
    scan.suspicious = found != 0;
    return scan;
}

std::uint32_t find_forbidden(std::string_view text, bool allow_lines) {
    for (std::size_t at = 0; at < text.size();) {
        const auto [character, size] = character_at(text, at);
        const bool line = character == '\n' || character == '\r' || character == '\t';
        if (is_forbidden(character) && !(allow_lines && line)) {
            return character == 0 ? 0xFFFFFFFFu : character;
        }
        at += size;
    }
    return 0;
}

std::size_t count_characters(std::string_view text) {
    return scan_text(text).characters;
}

std::string_view trim(std::string_view text) {
    std::size_t size = 0;
    while (!text.empty() && is_space_at(text, 0, size)) {
        text.remove_prefix(size);
    }
    while (!text.empty()) {
        if (is_space_at(text, text.size() - 1, size) && size == 1) {
            text.remove_suffix(1);
        } else if (text.ends_with("\u3000")) {
            text.remove_suffix(3);
        } else if (text.ends_with("\u00a0")) {
            text.remove_suffix(2);
        } else {
            break;
        }
    }
    return text;
}

bool normalise_line_ends(std::string_view text, std::string& out) {
    if (text.find('\r') == std::string_view::npos) {
        return false;
    }
    out.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r') {
            out += text[i];
        } else if (i + 1 >= text.size() || text[i + 1] != '\n') {
            out += '\n';
        }
    }
    return true;
}

}  // namespace xinfu::policies
