// Pack: a YAML text with rules, read strictly. Unknown keys, wrong types and missing values are mistakes, all
// of them reported at once with line and column.
//
// Trust:   hostile until the digest of the text was approved; read only inside an inspector.
// Errors:  as mistakes; yaml-cpp's exceptions stop in the .cpp files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace xinfu::policies {

inline constexpr std::size_t kPackSizeBytesMax = 1024 * 1024;
inline constexpr std::size_t kPackMistakesMax = 100;  // then reading stops

struct Mistake {
    std::size_t line;    // 1-based; 0: the text as a whole
    std::size_t column;  // 1-based, in bytes
    std::string text;    // English
};

// Either a value or at least one mistake.
template <class T>
struct Loaded {
    std::optional<T> value;
    std::vector<Mistake> mistakes;
};

// "12:3 unknown key \"lenght\"; 15:9 ..." cut at a whole mistake so that it has at most `size_max` bytes.
std::string describe(const std::vector<Mistake>& mistakes, std::size_t size_max = 4000);

}  // namespace xinfu::policies
