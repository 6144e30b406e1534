// Files under tests/vectors/, and short words for bytes in tests.
#pragma once

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"

namespace xinfu::test {

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string vector_path(const std::string& name) {
    return std::string(XINFU_SOURCE_DIR) + "/tests/vectors/" + name;
}
inline std::string read_vector(const std::string& name) {
    return read_file(vector_path(name));
}

inline Bytes hex(std::string_view text) {
    return from_hex(text).value();
}

template <std::size_t N>
std::array<std::uint8_t, N> hex_array(std::string_view text) {
    const Bytes bytes = hex(text);
    std::array<std::uint8_t, N> array{};
    if (bytes.size() != N) {
        throw std::runtime_error("hexadecimal of another size");
    }
    std::ranges::copy(bytes, array.begin());
    return array;
}

}  // namespace xinfu::test
