// The parts of the code table, each in a file of its own; codes.cpp joins them. Inside policies/ only.
#pragma once

#include <span>

#include "policies/codes.hpp"

namespace xinfu::policies::tables {

std::span<const CodeText> identity();  // 1xxx and 2xxx
std::span<const CodeText> package();   // 3xxx
std::span<const CodeText> files();     // 3070 to 3099
std::span<const CodeText> records();
std::span<const CodeText> values();    // 4xxx
std::span<const CodeText> service();   // 5xxx to 7xxx
std::span<const CodeText> evidence();  // 8xxx and 9xxx

}  // namespace xinfu::policies::tables
