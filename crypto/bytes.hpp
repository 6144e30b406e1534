// Bytes: the two shapes in which octets are passed around, and their textual forms.
//
// Sources: hexadecimal and base64 with padding, RFC 4648 sections 8 and 4.
// Errors:  decoding answers an empty optional for anything but the canonical form.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xinfu {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(std::string_view text) {
    return {text.begin(), text.end()};
}

std::string to_hex(ByteView bytes);  // lower case
std::optional<Bytes> from_hex(std::string_view text);
std::string to_base64(ByteView bytes);
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace xinfu
