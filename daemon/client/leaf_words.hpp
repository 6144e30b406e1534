// LeafWords: the log's words for acts and results, for people. A word that is not known is said as it is.
//
// Threads: pure functions.
#pragma once

#include <string_view>

#include "daemon/client/text.hpp"

namespace xinfu::client {

Text words_of_action(std::string_view action);
Text words_of_result(std::string_view result);

}  // namespace xinfu::client
