// What the command says: sentences in English and Chinese, and how it ends.
//
// Errors: Stop is the client's one exception: a verb ends with it, main() prints it and exits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xinfu::client {

struct Text {
    std::string en;
    std::string zh;
};

// LC_ALL, else LC_MESSAGES, else LANG begins with "zh".
bool speaks_chinese();
const std::string& in_language(const Text& text);

void say(const Text& text);   // a line on standard output
void note(const Text& text);  // a line on standard error: what happens meanwhile

// The contract's exit codes.
enum class Exit : int {
    done = 0,
    refused = 1,      // refused or invalid, with the reason
    usage = 2,        // wrong usage or unreadable path
    unreachable = 3,  // cannot reach, or temporary
    evidence = 4,     // evidence does not match, cannot be parsed, or has an unknown version
};

struct Stop {
    Exit exit;
    Text text;
    std::string code;  // "XF-nnnn", when there is one
};

// A Stop in the words of policies/codes.hpp.
Stop stop_with_code(Exit exit, std::string_view code, const std::vector<std::string>& arguments = {});

}  // namespace xinfu::client
