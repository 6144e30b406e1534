// Differences: what changes between two texts, line by line, for people who have to approve of it.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xinfu::policies {

struct LineDifference {
    std::string before;  // empty: the line is new
    std::string after;   // empty: it is gone
};

// The least number of lines that differ (longest common subsequence), in the order of the texts; lines that only
// consist of blanks are passed over. Of texts whose numbers of lines multiply to more than four million all lines
// differ.
std::vector<LineDifference> line_differences(std::string_view before, std::string_view after);

}  // namespace xinfu::policies
