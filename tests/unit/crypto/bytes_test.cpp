// RFC 4648 section 10 gives the pairs.
#include "crypto/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace xinfu {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kPairs{{{"", ""},
                                                                               {"f", "Zg=="},
                                                                               {"fo", "Zm8="},
                                                                               {"foo", "Zm9v"},
                                                                               {"foob", "Zm9vYg=="},
                                                                               {"fooba", "Zm9vYmE="},
                                                                               {"foobar", "Zm9vYmFy"}}};

TEST(Base64, EncodesAndDecodesTheStandardsPairs) {
    for (const auto& [plain, encoded] : kPairs) {
        EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
        EXPECT_EQ(from_base64(encoded), to_bytes(plain)) << encoded;
    }
}

TEST(Base64, RefusesEverySecondSpelling) {
    for (const char* text :
         {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", " Zm9v", "Zm-_", "Zg==Zg==", "Zm=v"}) {
        EXPECT_FALSE(from_base64(text)) << text;
    }
}

TEST(Hex, WritesLowerCaseAndReadsNothingElse) {
    EXPECT_EQ(to_hex(as_bytes("foobar")), "666f6f626172");
    EXPECT_EQ(from_hex("666f6f626172"), to_bytes("foobar"));
    for (const char* text : {"6", "666F", "0x66", "6g", " 66"}) {
        EXPECT_FALSE(from_hex(text)) << text;
    }
}

}  // namespace
}  // namespace xinfu
