#include "policies/differences.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xinfu::policies {
namespace {

constexpr std::size_t kCellsMax = 4'000'000;

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (line.find_first_not_of(" \t") != std::string_view::npos) {
            lines.push_back(line);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

}  // namespace

std::vector<LineDifference> line_differences(std::string_view before, std::string_view after) {
    const auto old_lines = lines_of(before);
    const auto new_lines = lines_of(after);
    const std::size_t width = new_lines.size() + 1;
    const bool small = (old_lines.size() + 1) * width <= kCellsMax;
    // common[i, j]: lines in common of what follows i in the one and j in the other.
    std::vector<std::uint32_t> common(small ? (old_lines.size() + 1) * width : 0);
    if (small) {
        for (std::size_t i = old_lines.size(); i-- > 0;) {
            for (std::size_t j = new_lines.size(); j-- > 0;) {
                common[i * width + j] = old_lines[i] == new_lines[j]
                                            ? common[(i + 1) * width + j + 1] + 1
                                            : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
            }
        }
    }
    std::vector<LineDifference> differences;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < old_lines.size() || j < new_lines.size()) {
        if (small && i < old_lines.size() && j < new_lines.size() && old_lines[i] == new_lines[j]) {
            ++i;
            ++j;
        } else if (i < old_lines.size() &&
                   (j == new_lines.size() || !small || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            differences.push_back({std::string(old_lines[i++]), {}});
        } else {
            differences.push_back({{}, std::string(new_lines[j++])});
        }
    }
    return differences;
}

}  // namespace xinfu::policies
