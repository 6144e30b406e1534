// The encodings offices use. Expected bytes are iconv's: tests/vectors/text/make.sh.
#include "daemon/inspector/text_decoder.hpp"

#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

namespace xinfu::inspector {
namespace {

std::string vector_file(const std::string& name) {
    std::ifstream file(std::string{XINFU_SOURCE_DIR} + "/tests/vectors/text/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Decoded {
    std::string text;
    std::string code;
    std::vector<std::string> arguments;
    bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t piece_size) {
    Decoded decoded;
    TextDecoder decoder([&](std::string_view text) -> std::optional<Refusal> {
        decoded.text += text;
        return std::nullopt;
    });
    std::optional<Refusal> refusal;
    for (std::size_t at = 0; at < bytes.size() && !refusal; at += piece_size) {
        refusal = decoder.feed(bytes.substr(at, piece_size));
    }
    if (!refusal) {
        refusal = decoder.finish();
    }
    if (refusal) {
        decoded.code = refusal->code;
        decoded.arguments = refusal->arguments;
    }
    return decoded;
}

Decoded decode(std::string_view bytes) {
    const auto whole = decode(bytes, bytes.size() + 1);
    for (const std::size_t piece : {1u, 2u, 3u, 5u, 7u, 64u, 65536u}) {
        EXPECT_EQ(decode(bytes, piece), whole) << "in pieces of " << piece;
    }
    return whole;
}

std::string tabs_to_commas(std::string text) {
    for (char& c : text) {
        c = c == '\t' ? ',' : c;
    }
    return text;
}

TEST(TextDecoder, ReadsWhatIconvWrote) {
    const auto expected = vector_file("table.utf8.csv");
    EXPECT_EQ(decode(expected).text, expected);
    EXPECT_EQ(decode("\xEF\xBB\xBF" + expected).text, expected);
    EXPECT_EQ(decode(vector_file("table.gb18030.csv")), (Decoded{expected, "", {}}));
    EXPECT_EQ(tabs_to_commas(decode(vector_file("table.utf16le.txt")).text), expected);
    EXPECT_EQ(tabs_to_commas(decode(vector_file("table.utf16be.txt")).text), expected);
}

TEST(TextDecoder, ReadsLargeGb18030InConstantPieces) {
    std::string bytes;
    std::string expected;
    const auto gb = vector_file("table.gb18030.csv");
    const auto utf8 = vector_file("table.utf8.csv");
    for (int i = 0; i < 3000; ++i) {
        bytes += gb;
        expected += utf8;
    }
    for (const std::size_t piece : {1000u, 65536u, 131072u}) {
        EXPECT_TRUE(decode(bytes, piece).text == expected) << piece;
    }
}

// Twenty-four codes, by the edition of 2022, whichever ICU is installed.
TEST(TextDecoder, KnowsTheEditionOf2022) {
    std::istringstream lines(vector_file("gb18030-2022.txt"));
    std::string code;
    std::string utf8;
    std::string bytes;
    std::string expected;
    const auto octets = [](const std::string& hexadecimal) {
        std::string text;
        for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2) {
            text += static_cast<char>(std::stoi(hexadecimal.substr(i, 2), nullptr, 16));
        }
        return text;
    };
    int count = 0;
    while (lines >> code >> utf8) {
        bytes += octets(code) + "\n";
        expected += octets(utf8) + "\n";
        ++count;
    }
    EXPECT_EQ(count, 24);
    // Plain ideographs before them settle the encoding.
    EXPECT_EQ(decode("\xD6\xD0\xCE\xC4\n" + bytes).text, "中文\n" + expected);
}

TEST(TextDecoder, TellsShortWordsApart) {
    // Each is well-formed UTF-8 of two-octet characters, and an ordinary word in GB 18030.
    EXPECT_EQ(tell_encoding("\xC4\xBE\xC6\xB7", true), Encoding::gb18030) << "木品";
    EXPECT_EQ(tell_encoding("caf\xC3\xA9", true), Encoding::gb18030) << "and one Latin word loses: no table is in it";
    EXPECT_EQ(tell_encoding("中文", true), Encoding::utf8);
    EXPECT_EQ(tell_encoding("中\xC2\xB7文", true), Encoding::utf8);
    EXPECT_EQ(tell_encoding("中文\xE4\xB8", false), Encoding::utf8) << "cut by the window";
    EXPECT_EQ(tell_encoding("中文中文\xFF中文", true), Encoding::utf8) << "damaged UTF-8 stays UTF-8";
}

TEST(TextDecoder, NamesTheLine) {
    const auto damaged = decode("\xD6\xD0\n\xCE\xC4\n\xD6\xFF\n");
    EXPECT_EQ(damaged.code, "XF-3070");
    EXPECT_EQ(damaged.arguments, std::vector<std::string>{"3"});
    EXPECT_EQ(decode("a\n\xD6\xD0\xD6").code, "XF-3070") << "cut inside a character";
    const auto half =
        decode(std::string_view{"\xFF\xFE"
                                "a\0\n\0\0\xD8"
                                "b\0",
                                10});
    EXPECT_EQ(half.code, "XF-3071");
    EXPECT_EQ(half.arguments, std::vector<std::string>{"2"});
    EXPECT_EQ(decode(std::string_view{"\xFF\xFE"
                                      "a\0b",
                                      5})
                  .code,
              "XF-3071")
        << "odd number of octets";
}

TEST(TextDecoder, TakesLittle) {
    EXPECT_EQ(decode("").text, "");
    EXPECT_EQ(decode("a").text, "a");
    EXPECT_EQ(decode("\xFF\xFE").text, "");
    EXPECT_EQ(decode("\xEF\xBB\xBF").text, "");
    EXPECT_EQ(decode("\xD6\xD0").text, "中");
}

TEST(TextDecoder, StopsWhenItsReaderRefuses) {
    int calls = 0;
    TextDecoder decoder([&](std::string_view) -> std::optional<Refusal> {
        ++calls;
        return Refusal{"XF-3023", {"1"}};
    });
    EXPECT_TRUE(decoder.feed("abcd"));
    EXPECT_TRUE(decoder.feed("abcd"));
    EXPECT_TRUE(decoder.finish());
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace xinfu::inspector
