// What others wrote does not command the terminal.
#include "daemon/client/terminal.hpp"

#include <gtest/gtest.h>

#include "daemon/client/json.hpp"

namespace xinfu::client {
namespace {

TEST(Terminal, ShowsWhatIsHiddenAndLeavesTheRest) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"处罚 <b>\"x\"</b> é 𠀀", "处罚 <b>\"x\"</b> é 𠀀"},
        {"\x1b[31m\a\r\n\t", R"(\u{1B}[31m\u{7}\u{D}\u{A}\u{9})"},
        {"\x7f\xc2\x9b", R"(\u{7F}\u{9B})"},
        {"a\xe2\x80\xae\xe2\x81\xa6z\xe2\x80\x8b", R"(a\u{202E}\u{2066}z\u{200B})"},
        {"\xf3\xa0\x81\x81", R"(\u{E0041})"},
        {"\\u{202E}", R"(\\u{202E})"},
        {"a\xff\xc3(\xe4\xb8", R"(a\xFF\xC3(\xE4\xB8)"},
        {std::string_view("\0", 1), R"(\u{0})"},
        {"", ""},
    };
    for (const auto& [text, shown] : cases) {
        EXPECT_EQ(printable(text), shown);
    }
}

TEST(Terminal, KeepsTheValueOfJson) {
    const json::object value{{"a\xe2\x80\xae", "\x1b\x7f\xc2\x9b 处 \xf3\xa0\x81\x81 \\ \""}};
    const std::string shown = printable_json(json::serialize(value));
    EXPECT_EQ(shown.find_first_of("\x1b\x7f"), std::string::npos);
    EXPECT_EQ(shown.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_NE(shown.find("处"), std::string::npos);
    EXPECT_EQ(json::parse(shown), json::value(value));
}

}  // namespace
}  // namespace xinfu::client
