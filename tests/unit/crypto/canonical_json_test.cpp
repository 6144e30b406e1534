// RFC 8785: sections 3.2.2.2 (strings) and 3.2.3 (order of keys) give the examples.
#include "crypto/canonical_json.hpp"

#include <gtest/gtest.h>

#include <array>

#include <unicode/utf8.h>

namespace xinfu::crypto {
namespace {

std::string as_json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

TEST(CanonicalJson, WritesTheStandardsString) {
    EXPECT_EQ(as_json("\xe2\x82\xac$\x0f\nA'B\"\\\\\"/"), "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

TEST(CanonicalJson, EscapesControlCharactersQuotesAndBackslashesOnly) {
    EXPECT_EQ(as_json(std::string_view("\0\b\t\n\f\r\x1f \x7f", 9)), "\"\\u0000\\b\\t\\n\\f\\r\\u001f \x7f\"");
    // At each place of a word, since eight bytes are looked at together.
    for (std::size_t at = 0; at < 24; ++at) {
        std::string text(24, 'x');
        text[at] = '"';
        EXPECT_EQ(as_json(text), "\"" + std::string(at, 'x') + "\\\"" + std::string(23 - at, 'x') + "\"");
    }
    std::string above;
    for (int c = 0x80; c < 0x100; ++c) {
        above.push_back(static_cast<char>(c));
    }
    EXPECT_EQ(as_json(above), "\"" + above + "\"");
}

TEST(JsonObject, OrdersKeysAsTheStandardsExample) {
    JsonObject object;
    object.text("\xe2\x82\xac", "Euro Sign")
        .text("\r", "Carriage Return")
        .text("\xef\xac\xb3", "Hebrew Letter Dalet With Dagesh")
        .text("1", "One")
        .text("\xf0\x9f\x98\x80", "Emoji: Grinning Face")
        .text("\xc2\x80", "Control")
        .text("\xc3\xb6", "Latin Small Letter O With Diaeresis");
    EXPECT_EQ(object.encode(),
              "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
              "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
              "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
              "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(JsonObject, WritesEveryKindOfMember) {
    JsonObject inner;
    inner.number("b", -1).number("a", 9007199254740991);
    JsonObject object;
    object.object("o", inner).texts("t", {"x", "y\""}).boolean("f", false).text_if("none", "").raw("n", "[1]");
    EXPECT_EQ(object.encode(), R"({"f":false,"n":[1],"o":{"a":9007199254740991,"b":-1},"t":["x","y\""]})");
    EXPECT_EQ(JsonObject().encode(), "{}");
}

TEST(JsonObjectDeathTest, AbortsOnARepeatedKey) {
    JsonObject object;
    object.number("a", 1).number("a", 2);
    EXPECT_DEATH((void)object.encode(), "");
    EXPECT_DEATH(object.number("b", std::int64_t{1} << 53), "");
}

TEST(CanonicalRecord, LeavesOutEmptyFieldsAndOrdersTheRest) {
    const std::array<TextField, 4> fields{
        {{"CF_XDR_MC", "\xe7\x94\xb2"}, {"CF_BZ", ""}, {"CF_WSH", "1"}, {"CF_A", "q\"q"}}};
    std::string out = "kept ";
    append_canonical_record(out, fields);
    EXPECT_EQ(out, "kept {\"CF_A\":\"q\\\"q\",\"CF_WSH\":\"1\",\"CF_XDR_MC\":\"\xe7\x94\xb2\"}");
}

TEST(CanonicalLess, OrdersBySixteenBitUnits) {
    EXPECT_TRUE(canonical_less("", "a"));
    EXPECT_TRUE(canonical_less("a", "aa"));
    EXPECT_FALSE(canonical_less("a", "a"));
    EXPECT_TRUE(canonical_less("\xf0\x90\x80\x80", "\xee\x80\x80"));  // U+10000 is D800 DC00, before U+E000
    EXPECT_TRUE(canonical_less("\xed\x9f\xbf", "\xf0\x90\x80\x80"));  // U+D7FF
    EXPECT_TRUE(canonical_less("\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"));
    EXPECT_FALSE(canonical_less("\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"));
}

bool is_utf8_by_icu(std::string_view text) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto size = static_cast<std::int32_t>(text.size());
    for (std::int32_t at = 0; at < size;) {
        UChar32 character = 0;
        U8_NEXT(octets, at, size, character);
        if (character < 0) {
            return false;
        }
    }
    return true;
}

TEST(IsUtf8, AgreesWithIcuAboutEveryThreeOctets) {
    std::uint64_t differing = 0;
    std::string alone(3, '\0');
    std::string among = "\u4fe1...\u7b26abcdefgh";  // where words are looked at whole
    for (unsigned first = 0x80; first < 0x100; ++first) {
        for (unsigned second = 0; second < 0x100; ++second) {
            for (unsigned third = 0; third < 0x100; ++third) {
                alone = {static_cast<char>(first), static_cast<char>(second), static_cast<char>(third)};
                among.replace(3, 3, alone);
                differing += is_utf8(alone) != is_utf8_by_icu(alone);
                differing += is_utf8(among) != is_utf8_by_icu(among);
            }
        }
    }
    EXPECT_EQ(differing, 0U);
}

TEST(IsUtf8, AgreesWithIcuAboutFourOctetsAndAboutTextCutAnywhere) {
    for (unsigned first = 0xe0; first < 0x100; ++first) {
        for (unsigned second = 0; second < 0x100; ++second) {
            for (const unsigned third : {0x00U, 0x7fU, 0x80U, 0x9fU, 0xa0U, 0xbfU, 0xc0U}) {
                for (const unsigned fourth : {0x61U, 0x7fU, 0x80U, 0xbfU, 0xc0U, 0xe4U}) {
                    const std::string text = {static_cast<char>(first), static_cast<char>(second),
                                              static_cast<char>(third), static_cast<char>(fourth)};
                    ASSERT_EQ(is_utf8(text), is_utf8_by_icu(text))
                        << std::hex << first << ' ' << second << ' ' << third;
                }
            }
        }
    }
    const std::string whole = "\u4fe1\u7528 a \u00e9 \U0001f600\u7b26\u53f7\uff0c\u4e2d\u56fd";
    for (std::size_t begin = 0; begin < whole.size(); ++begin) {
        for (std::size_t size = 0; size <= whole.size() - begin; ++size) {
            const auto part = std::string_view(whole).substr(begin, size);
            ASSERT_EQ(is_utf8(part), is_utf8_by_icu(part)) << begin << ", " << size;
        }
    }
}

TEST(IsUtf8, AcceptsShortestFormsOfScalarValuesOnly) {
    for (const char* text : {"", "abcdefghij", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                             "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "12345678\xe4\xbf\xa1\xe7\xac\xa6"}) {
        EXPECT_TRUE(is_utf8(text)) << text;
    }
    for (const char* text :
         {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe4\xbf", "\xf0\x8f\xbf\xbf",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "12345678\xe4\xbf", "\xc2\x41", "\xf0\x90\x80\x41"}) {
        EXPECT_FALSE(is_utf8(text)) << text;
    }
}

}  // namespace
}  // namespace xinfu::crypto
