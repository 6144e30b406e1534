// Envelope certificates that follow each other: ENC-01.
#include "daemon/vault/envelope_certificates.hpp"

#include <gtest/gtest.h>

#include "crypto/certificate_authority.hpp"
#include "tests/unit/vault/fixture.hpp"

namespace xinfu::vault::test {
namespace {

using std::chrono::days;

class EnvelopeCertificates : public ::testing::Test {
protected:
    static crypto::UtcSeconds day(int number) { return crypto::UtcSeconds{days{20000 + number}}; }

    static crypto::DistinguishedName name(std::string common_name) {
        crypto::DistinguishedName subject;
        subject.common_name = std::move(common_name);
        return subject;
    }
    crypto::EnvelopeKey issued(const crypto::SigningKey& key, int from_day) {
        crypto::IssueOptions options;
        options.not_before = day(from_day);
        options.not_after = day(from_day + 1000);
        options.encryption = true;
        return must(
            crypto::EnvelopeKey::create(key, must(authority_.issue(name("envelopes"), key.public_key(), options))));
    }

    crypto::CertificateAuthority authority_ =
        must(crypto::CertificateAuthority::create(name("test authority"), day(-1000), day(9000)));
    const crypto::SigningKey old_ = crypto::SigningKey::generate_p256();
    const crypto::SigningKey new_ = crypto::SigningKey::generate_p256();
    const crypto::SigningKey rsa_ = crypto::SigningKey::generate_rsa();
};

TEST_F(EnvelopeCertificates, AnOldOneCountsForTheOverlapAfterItsSuccessorBegan) {
    const std::vector<crypto::EnvelopeKey> keys{issued(new_, 50), issued(old_, 0), issued(rsa_, 10)};
    EXPECT_EQ(opens_until(keys, keys[1], days{90}), day(140));
    EXPECT_EQ(opens_until(keys, keys[1], days{1}), day(51));
    EXPECT_EQ(opens_until(keys, keys[0], days{90}), std::nullopt);
    EXPECT_EQ(opens_until(keys, keys[2], days{90}), std::nullopt) << "the other kind has no successor";
}

TEST_F(EnvelopeCertificates, TheFirstSuccessorCounts) {
    const std::vector<crypto::EnvelopeKey> keys{issued(old_, 0), issued(new_, 50), issued(new_, 500)};
    EXPECT_EQ(opens_until(keys, keys[0], days{90}), day(140));
    EXPECT_EQ(opens_until(keys, keys[1], days{90}), day(590));
}

TEST_F(EnvelopeCertificates, SendersAreGivenTheOneThatBeganLast) {
    const std::vector<crypto::EnvelopeKey> keys{issued(new_, 50), issued(old_, 0), issued(rsa_, 10)};
    EXPECT_EQ(newest(keys, crypto::KeyKind::p256, day(50)), &keys[0]);
    EXPECT_EQ(newest(keys, crypto::KeyKind::p256, day(49)), &keys[1]) << "the new one has not begun";
    EXPECT_EQ(newest(keys, crypto::KeyKind::p256, day(-1)), nullptr);
    EXPECT_EQ(newest(keys, crypto::KeyKind::rsa, day(50)), &keys[2]);
    EXPECT_EQ(newest({}, crypto::KeyKind::rsa, day(50)), nullptr);
}

}  // namespace
}  // namespace xinfu::vault::test
