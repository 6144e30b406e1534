#include "daemon/client/terminal.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "crypto/canonical_json.hpp"

namespace xinfu::client {
namespace {

struct Character {
    std::uint32_t point = 0;
    std::size_t size = 1;
    bool valid = false;
};

Character first_of(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (text.size() < size || !crypto::is_utf8(text.substr(0, size))) {
        return {};
    }
    std::uint32_t point = size == 1 ? lead : lead & (0x7Fu >> size);
    for (const char next : text.substr(1, size - 1)) {
        point = point << 6 | (static_cast<unsigned char>(next) & 0x3Fu);
    }
    return {point, size, true};
}

// Controls (C0, DEL, C1), marks of direction (Unicode UAX #9), what has no width, separators of lines, tags, variation
// selectors that no reader sees, and what stands for no character.
bool is_hidden(std::uint32_t point) {
    constexpr std::pair<std::uint32_t, std::uint32_t> kRanges[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x34F, 0x34F},   {0x61C, 0x61C},     {0x115F, 0x1160},
        {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},
        {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF},
    };
    return std::ranges::any_of(kRanges,
                               [point](const auto& range) { return point >= range.first && point <= range.second; });
}

template <class... Numbers>
void append(std::string& out, const char* format, Numbers... numbers) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), format, numbers...);
    out += text.data();
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const Character next = first_of(text);
        if (!next.valid) {
            append(out, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(text.front())));
        } else if (next.point == '\\') {
            out += "\\\\";
        } else if (is_hidden(next.point)) {
            append(out, "\\u{%X}", next.point);
        } else {
            out += text.substr(0, next.size);
        }
        text.remove_prefix(next.size);
    }
    return out;
}

std::string printable_json(std::string_view json) {
    std::string out;
    while (!json.empty()) {
        const Character next = first_of(json);
        if (!next.valid) {
            out += "\\ufffd";
        } else if (!is_hidden(next.point)) {
            out += json.substr(0, next.size);
        } else if (next.point < 0x10000) {
            append(out, "\\u%04x", next.point);
        } else {
            append(out, "\\u%04x", 0xD800 + ((next.point - 0x10000) >> 10));
            append(out, "\\u%04x", 0xDC00 + ((next.point - 0x10000) & 0x3FF));
        }
        json.remove_prefix(next.size);
    }
    return out;
}

}  // namespace xinfu::client
