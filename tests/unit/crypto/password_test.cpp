// The known string is from the Argon2 reference implementation's own tests.
#include "crypto/password.hpp"

#include <gtest/gtest.h>

#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kReference =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

TEST(VerifyPassword, AgreesWithTheReferenceImplementation) {
    EXPECT_TRUE(verify_password("password", kReference).value());
    EXPECT_FALSE(verify_password("Password", kReference).value());
    EXPECT_FALSE(verify_password("", kReference).value());
}

TEST(HashPassword, UsesTheAgreedCostAndAFreshSalt) {
    const std::string one = hash_password("\xe5\x8f\xa3\xe4\xbb\xa4");
    EXPECT_TRUE(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << one;
    EXPECT_NE(one, hash_password("\xe5\x8f\xa3\xe4\xbb\xa4"));
    EXPECT_TRUE(verify_password("\xe5\x8f\xa3\xe4\xbb\xa4", one).value());
    EXPECT_FALSE(verify_password("other", one).value());
}

TEST(VerifyPassword, RefusesOtherFormsAndCostsBeyondTheBound) {
    const std::string tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    for (const std::string& text : std::vector<std::string>{
             std::string(), std::string("$argon2i$v=19$m=65536,t=2,p=1") + tail,
             "$argon2id$v=16$m=65536,t=2,p=1" + tail, "$argon2id$v=19$m=262145,t=2,p=1" + tail,
             "$argon2id$v=19$m=65536,t=11,p=1" + tail, "$argon2id$v=19$m=65536,t=0,p=1" + tail,
             "$argon2id$v=19$m=65536,t=2,p=2" + tail, "$argon2id$v=19$m=4,t=2,p=1" + tail,
             "$argon2id$v=19$t=2,m=65536,p=1" + tail, "$argon2id$v=19$m=99999999999,t=2,p=1" + tail,
             std::string("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"),
             std::string("$argon2id$v=19$m=65536,t=2,p=1$c29t$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
             std::string("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXP"), std::string(kReference) + "="}) {
        EXPECT_EQ(verify_password("password", text).error(), Errc::password_malformed) << text;
    }
}

}  // namespace
}  // namespace xinfu::crypto
