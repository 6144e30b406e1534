// The canonical encodings of X.690, with examples from its section 8 and from certificates.
#include "crypto/der.hpp"

#include <gtest/gtest.h>

#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

using test::hex;

TEST(Der, TakesOnlyMinimalDefiniteLengths) {
    EXPECT_TRUE(is_der(hex("3003020101")));
    for (const auto* text : {"", "30", "308103020101", "30820003020101", "3080020101", "30800201010000", "3004020101",
                             "300302010100", "3f0100", "30 "}) {
        EXPECT_FALSE(is_der(std::string_view(text).ends_with(' ') ? hex("30") : hex(text))) << text;
    }
    Bytes deep = hex("0500");
    for (int level = 0; level < kDerDepthMax - 1; ++level) {
        deep = der_encode(kDerSequence, {deep});
    }
    EXPECT_TRUE(is_der(deep));
    for (int level = 0; level < 3; ++level) {
        deep = der_encode(kDerSequence, {deep});
    }
    EXPECT_FALSE(is_der(deep));
}

TEST(Der, WritesAndReadsObjectIdentifiers) {
    EXPECT_EQ(to_hex(der_oid("1.2.840.113549.1.7.2")), "06092a864886f70d010702");
    EXPECT_EQ(to_hex(der_oid("2.5.4.97")), "0603550461");
    EXPECT_EQ(to_hex(der_oid("2.999.3")), "0603883703");  // X.690 section 8.19.5's example
    EXPECT_EQ(oid_to_text(hex("883703")), "2.999.3");
    EXPECT_EQ(oid_to_text(hex("2a864886f70d010702")), "1.2.840.113549.1.7.2");
    EXPECT_FALSE(oid_to_text(hex("2a8048")));  // padded arc
    EXPECT_FALSE(oid_to_text(hex("2a86")));    // cut
    EXPECT_FALSE(oid_to_text({}));
}

TEST(Der, WritesAndReadsNumbers) {
    EXPECT_EQ(to_hex(der_integer(0)), "020100");
    EXPECT_EQ(to_hex(der_integer(127)), "02017f");
    EXPECT_EQ(to_hex(der_integer(128)), "02020080");
    EXPECT_EQ(to_hex(der_integer(256)), "02020100");
    EXPECT_EQ(der_number(*der_single(hex("02020080"), kDerInteger)), 128u);
    EXPECT_FALSE(der_number(*der_single(hex("020180"), kDerInteger)));    // negative
    EXPECT_FALSE(der_number(*der_single(hex("0202007f"), kDerInteger)));  // padded
}

TEST(Der, WritesAndReadsTimes) {
    const UtcSeconds time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(4) +
                            std::chrono::minutes(5) + std::chrono::seconds(6);
    EXPECT_EQ(as_text(ByteView(der_encode_time(time)).subspan(2)), "261122040506Z");
    EXPECT_EQ(der_time(*der_single(der_encode_time(time), kDerUtcTime)), time);
    const UtcSeconds later = std::chrono::sys_days(std::chrono::year(2126) / 1 / 2);
    EXPECT_EQ(as_text(ByteView(der_encode_time(later)).subspan(2)), "21260102000000Z");
    EXPECT_EQ(der_time(*der_single(der_encode_time(later), kDerGeneralizedTime)), later);
    for (const auto* text : {"2611220405Z", "261122040506", "261322040506Z", "260230040506Z", "261122240506Z",
                             "261122040506+", "2611220405060Z"}) {
        const auto element = der_encode(kDerUtcTime, {as_bytes(text)});
        EXPECT_FALSE(der_time(*der_single(element, kDerUtcTime))) << text;
    }
}

TEST(Der, WritesLengthsOfEverySize) {
    EXPECT_EQ(to_hex(der_header(0x30, 127)), "307f");
    EXPECT_EQ(to_hex(der_header(0x30, 128)), "308180");
    EXPECT_EQ(to_hex(der_header(0x30, 65536)), "3083010000");
    EXPECT_EQ(to_hex(der_header(0x30, 1ull << 34)), "30850400000000");
}

}  // namespace
}  // namespace xinfu::crypto
