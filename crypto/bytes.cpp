#include "crypto/bytes.hpp"

#include <array>

namespace xinfu {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kBase64Values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kBase64Digits.size(); ++i) {
        values[static_cast<unsigned char>(kBase64Digits[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}();

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

}  // namespace

std::string to_hex(ByteView bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        text.push_back(kHexDigits[byte >> 4]);
        text.push_back(kHexDigits[byte & 15]);
    }
    return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return bytes;
}

std::string to_base64(ByteView bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t word =
            static_cast<std::uint32_t>(bytes[i]) << 16 | static_cast<std::uint32_t>(bytes[i + 1]) << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) {
            text.push_back(kBase64Digits[word >> shift & 63]);
        }
    }
    if (const std::size_t rest = bytes.size() - i; rest != 0) {
        const std::uint32_t word = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                   (rest == 2 ? static_cast<std::uint32_t>(bytes[i + 1]) << 8 : 0u);
        text.push_back(kBase64Digits[word >> 18 & 63]);
        text.push_back(kBase64Digits[word >> 12 & 63]);
        text.push_back(rest == 2 ? kBase64Digits[word >> 6 & 63] : '=');
        text.push_back('=');
    }
    return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    const std::size_t digits = text.size() - padding;
    Bytes bytes;
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t word = 0;
    unsigned bits = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const std::int8_t value = kBase64Values[static_cast<unsigned char>(text[i])];
        if (value < 0) {
            return std::nullopt;
        }
        word = word << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes.push_back(static_cast<std::uint8_t>(word >> bits & 255));
        }
    }
    // Bits beyond the last byte must be zero, or two texts would mean the same bytes.
    if ((word & ((1u << bits) - 1)) != 0) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace xinfu
