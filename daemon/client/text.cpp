#include "daemon/client/text.hpp"

#include <cstdio>
#include <cstdlib>

#include "policies/codes.hpp"

namespace xinfu::client {

bool speaks_chinese() {
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const char* value = std::getenv(name);
        if (value != nullptr && *value != '\0') {
            return std::string_view(value).starts_with("zh");
        }
    }
    return false;
}

const std::string& in_language(const Text& text) {
    return speaks_chinese() && !text.zh.empty() ? text.zh : text.en;
}

void say(const Text& text) {
    std::fputs((in_language(text) + "\n").c_str(), stdout);
    std::fflush(stdout);
}

void note(const Text& text) {
    std::fputs((in_language(text) + "\n").c_str(), stderr);
}

Stop stop_with_code(Exit exit, std::string_view code, const std::vector<std::string>& arguments) {
    Stop stop{exit, {}, std::string(code)};
    if (const policies::CodeText* text = policies::find_code(code)) {
        stop.text = {policies::fill_in(text->detail, arguments), policies::fill_in(text->detail_zh, arguments)};
    }
    return stop;
}

}  // namespace xinfu::client
