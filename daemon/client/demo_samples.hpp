// Sample files of the demo: valid, made up, with dates relative to today.
#pragma once

#include <string>

namespace xinfu::client {

// CSV in UTF-8 with field codes in the header and three records of this unit.
std::string sample_penalties(const std::string& unit, const std::string& unit_name);
std::string sample_licences(const std::string& unit, const std::string& unit_name);

}  // namespace xinfu::client
