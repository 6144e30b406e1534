#include "policies/text.hpp"

#include <gtest/gtest.h>

namespace xinfu::policies {
namespace {

constexpr auto kNone = std::string_view::npos;

std::string encode(std::uint32_t c) {
    std::string text;
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += static_cast<char>(0xC0 | (c >> 6));
        text += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        text += static_cast<char>(0xE0 | (c >> 12));
        text += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        text += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        text += static_cast<char>(0xF0 | (c >> 18));
        text += static_cast<char>(0x80 | (c >> 12 & 0x3F));
        text += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        text += static_cast<char>(0x80 | (c & 0x3F));
    }
    return text;
}

TEST(Text, AcceptsEveryScalarValueAndNoSurrogate) {
    for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
        const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        ASSERT_EQ(find_malformed_utf8(encode(c)) == kNone, !surrogate) << std::hex << c;
    }
    EXPECT_EQ(find_malformed_utf8(encode(0x110000)), 0u);
}

// The malformed sequences of the Unicode Standard, table 3-8 to 3-10, and RFC 3629 section 10.
TEST(Text, RefusesMalformedSequencesAtTheirFirstOctet) {
    for (const std::string_view bad : {"\x80",
                                       "\xBF",
                                       "\xC0\xAF",
                                       "\xC1\xBF",
                                       "\xE0\x80\xAF",
                                       "\xE0\x9F\xBF",
                                       "\xED\xA0\x80",
                                       "\xED\xBF\xBF",
                                       "\xF0\x80\x80\xAF",
                                       "\xF0\x8F\xBF\xBF",
                                       "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80",
                                       "\xFE",
                                       "\xFF",
                                       "\xE4\xB8",
                                       "\xE4",
                                       "\xF0\x9F\x92",
                                       "\xC3",
                                       "\xE4\xB8\x41",
                                       "\xC3\xC3"}) {
        for (std::size_t before = 0; before < 20; ++before) {
            const auto text = std::string(before, 'x') + std::string{bad};
            EXPECT_EQ(find_malformed_utf8(text), before);
            EXPECT_EQ(find_malformed_utf8("中" + text + std::string(9, 'y')), before + 3);
        }
    }
}

TEST(Text, CountsCodePoints) {
    EXPECT_EQ(count_characters(""), 0u);
    EXPECT_EQ(count_characters("a"), 1u);
    EXPECT_EQ(count_characters("中文a\U0001F600"), 4u);
    for (std::size_t n = 0; n < 700; n += 7) {
        std::string text;
        for (std::size_t i = 0; i < n; ++i) {
            text += i % 3 == 0 ? "字" : i % 3 == 1 ? "x" : "é";
        }
        EXPECT_EQ(count_characters(text), n);
    }
}

// The fast scan may be wrong in one direction only: it never overlooks a character that is not allowed.
TEST(Text, ScanNeverOverlooksAForbiddenCharacter) {
    for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) {
            continue;
        }
        const auto alone = encode(c);
        if (find_forbidden(alone, false) == 0) {
            continue;
        }
        for (const std::size_t before : {0u, 1u, 16u, 239u, 240u}) {
            for (const std::size_t after : {0u, 1u, 2u, 5u}) {
                const auto text = std::string(before, 'x') + alone + std::string(after, 'y');
                const bool at_the_end = after < 2 && alone.size() > 2 - after;
                ASSERT_TRUE(scan_text(text).suspicious || at_the_end) << std::hex << c << ' ' << before << ' ' << after;
            }
        }
    }
}

TEST(Text, NamesTheForbiddenCharacter) {
    EXPECT_EQ(find_forbidden("正常文本。“引号”—…", false), 0u);
    EXPECT_EQ(find_forbidden("a\u200Bb", true), 0x200Bu);
    EXPECT_EQ(find_forbidden("a\u202Eb", true), 0x202Eu);
    EXPECT_EQ(find_forbidden("\uFEFFb", true), 0xFEFFu);
    EXPECT_EQ(find_forbidden("a\nb\tc\r\n", true), 0u);
    EXPECT_EQ(find_forbidden("a\nb", false), 0x0Au);
    EXPECT_EQ(find_forbidden(std::string_view{"a\0b", 3}, true), 0xFFFFFFFFu);
    EXPECT_EQ(find_forbidden("a\x7F", true), 0x7Fu);
}

TEST(Text, TrimsChineseAndAsciiSpace) {
    EXPECT_EQ(trim(" \t\u3000值 值\u00a0\r\n"), "值 值");
    EXPECT_EQ(trim("\u3000\u3000"), "");
    EXPECT_EQ(trim("ー"), "ー") << "shares its last octets with no space";
}

TEST(Text, MakesLineEndsOne) {
    std::string out;
    EXPECT_FALSE(normalise_line_ends("a\nb", out));
    EXPECT_TRUE(normalise_line_ends("a\r\nb\rc\n", out));
    EXPECT_EQ(out, "a\nb\nc\n");
}

}  // namespace
}  // namespace xinfu::policies
