// SHA-256: FIPS 180-4's examples. HMAC: RFC 4231 sections 4.2, 4.3 and 4.7.
#include "crypto/digest.hpp"

#include <gtest/gtest.h>

#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

TEST(Sha256, GivesTheStandardsDigests) {
    EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, GivesTheSameHoweverTheBytesArrive) {
    Sha256 digest;
    const std::string thousand_a(1000, 'a');
    for (int i = 0; i < 1000; ++i) {
        digest.update(as_bytes(thousand_a));
    }
    EXPECT_EQ(to_hex(digest.finish()), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, ForksItsStateWhenCopied) {
    Sha256 one;
    one.update(as_bytes("a"));
    Sha256 other(one);
    one.update(as_bytes("bc"));
    other.update(as_bytes("bc"));
    EXPECT_EQ(one.finish(), sha256(as_bytes("abc")));
    EXPECT_EQ(other.finish(), sha256(as_bytes("abc")));
    EXPECT_EQ(other.finish(), sha256({}));  // and starts over
}

TEST(HmacSha256, GivesTheStandardsTagsForManyMessagesUnderOneKey) {
    HmacSha256 keyed(as_bytes("Jefe"));
    for (int again = 0; again < 2; ++again) {
        EXPECT_EQ(to_hex(keyed.of(as_bytes("what do ya want for nothing?"))),
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        EXPECT_EQ(keyed.of(as_bytes("another")), hmac_sha256(as_bytes("Jefe"), as_bytes("another")));
    }
}

TEST(HmacSha256, GivesTheStandardsTags) {
    EXPECT_EQ(to_hex(hmac_sha256(Bytes(20, 0x0b), as_bytes("Hi There"))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(EqualConstantTime, ComparesContentAndSize) {
    EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace xinfu::crypto
