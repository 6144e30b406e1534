// ENC-01, CHK-02: what an inspector says of an envelope is believed only where it can be true, and nothing before the
// tag.
#include "daemon/vault/envelope_tracker.hpp"

#include <gtest/gtest.h>

#include "daemon/boundary/error.hpp"
#include "daemon/vault/armour.hpp"
#include "daemon/vault/body_tracker.hpp"

namespace xinfu::vault {
namespace {

const Bytes kKey(32, 7);
const Bytes kNonce(12, 9);

// Ten octets of shell, the cipher text, and twenty octets behind it.
class EnvelopeTrackerTest : public testing::Test {
protected:
    EnvelopeTrackerTest() {
        crypto::GcmSealer sealer(kKey, kNonce);
        body_.assign(10, 's');
        sealer.update(as_bytes(content_), body_);
        tag_ = sealer.finish(body_);
        cipher_end_ = body_.size();
        body_.insert(body_.end(), 20, 's');
        tracker_.sent(body_);
    }
    boundary::Progress say(std::uint64_t offset, std::uint64_t length, std::uint64_t consumed, bool with_tag = false) {
        boundary::Progress progress;
        if (length != 0) {
            progress.add_cipher()->set_offset(offset);
            progress.mutable_cipher(0)->set_length(length);
        }
        progress.set_envelope_consumed(consumed);
        if (with_tag) {
            progress.set_tag(tag_.data(), tag_.size());
        }
        return progress;
    }
    bool takes(const boundary::Progress& progress) {
        const auto taken = tracker_.progress(progress, package_);
        EXPECT_TRUE(taken || taken.error() == boundary::Errc::unexpected);
        return taken.has_value();
    }

    std::string content_ = std::string(1000, 'a') + "the end";
    Bytes body_;
    Bytes tag_;
    std::uint64_t cipher_end_ = 0;
    EnvelopeTracker tracker_;
    Bytes package_;
};

TEST_F(EnvelopeTrackerTest, OpensExactlyTheCipherSpansAndEndsWithTheTag) {
    tracker_.begin(kKey, kNonce);
    ASSERT_TRUE(takes(say(10, 500, 510)));
    EXPECT_EQ(package_.size(), 496u) << "whole blocks";
    ASSERT_TRUE(takes(say(510, cipher_end_ - 510, cipher_end_)));
    EXPECT_FALSE(tracker_.opened());
    EXPECT_FALSE(tracker_.all_consumed());
    ASSERT_TRUE(takes(say(0, 0, body_.size(), true)));
    EXPECT_TRUE(tracker_.opened());
    EXPECT_TRUE(tracker_.all_consumed());
    EXPECT_EQ(as_text(package_), content_);
    EXPECT_FALSE(takes(say(0, 0, body_.size(), true))) << "a second tag";
    EXPECT_FALSE(takes(say(cipher_end_, 1, body_.size()))) << "a text behind the tag";
}

TEST_F(EnvelopeTrackerTest, RefusesATagThatIsNotOfThisText) {
    tracker_.begin(kKey, kNonce);
    ASSERT_TRUE(takes(say(10, cipher_end_ - 11, cipher_end_)));  // one octet too few
    EXPECT_FALSE(takes(say(0, 0, body_.size(), true)));
    EXPECT_FALSE(tracker_.opened());
    EXPECT_FALSE(takes(say(0, 0, body_.size(), true)));
}

TEST_F(EnvelopeTrackerTest, RefusesSpansThatCannotBe) {
    EXPECT_FALSE(takes(say(10, 10, 20))) << "before the key";
    tracker_.begin(kKey, kNonce);
    EXPECT_FALSE(takes(say(body_.size(), 1, 0))) << "beyond what was sent";
    EXPECT_FALSE(takes(say(10, ~std::uint64_t{0}, 0)));
    EXPECT_FALSE(takes(say(0, 0, body_.size() + 1)));
    ASSERT_TRUE(takes(say(10, 10, 15)));
    EXPECT_FALSE(takes(say(19, 10, 15))) << "overlapping";
    EXPECT_FALSE(takes(say(14, 1, 15))) << "given up already";
    EXPECT_FALSE(takes(say(0, 0, 14))) << "going back";
    boundary::Progress short_tag = say(0, 0, 15);
    short_tag.set_tag("1234");
    EXPECT_FALSE(takes(short_tag));
}

TEST_F(EnvelopeTrackerTest, TakesOneWindowAheadAndNoMore) {
    EXPECT_EQ(tracker_.room(), kWindowSizeBytes - body_.size());
    ASSERT_TRUE(takes(say(0, 0, body_.size())));
    EXPECT_EQ(tracker_.room(), kWindowSizeBytes);
}

TEST(Armour, IsTakenOffOrLeftAloneHoweverTheBodyIsCut) {
    const std::string armoured = "-----BEGIN CMS-----\nMTIz\n-----END CMS-----\n";
    for (const std::string& body :
         {armoured, std::string("-----BEGIN"), std::string("-"), std::string("0\x80xyz"), std::string()}) {
        for (const std::size_t size : {1u, 2u, 10u, 11u, 12u, 1000u}) {
            Armour armour;
            std::string out;
            for (std::size_t at = 0; at < body.size(); at += size) {
                out += as_text(armour.take(as_bytes(body).subspan(at, std::min(size, body.size() - at))).value());
            }
            out += as_text(armour.finish().value());
            EXPECT_EQ(armour.armoured(), body == armoured);
            EXPECT_EQ(out, armour.armoured() ? "123" : body) << size;
        }
    }
}

TEST(Armour, NamesWhatIsWrong) {
    const std::pair<std::string, std::string> cases[] = {{"-----BEGIN KEY-----", "XF-3040"},
                                                         {"-----BEGIN CMS-----\n*", "XF-3030"},
                                                         {"-----BEGIN CMS-----\nAAAA\n-----END CMS-----x", "XF-3004"}};
    for (const auto& [body, code] : cases) {
        Armour armour;
        const auto taken = armour.take(as_bytes(body));
        ASSERT_FALSE(taken) << body;
        EXPECT_EQ(armour.problem(taken.error()).code(), code);
    }
    Armour armour;
    ASSERT_TRUE(armour.take(as_bytes("-----BEGIN CMS-----\nAAAA")));
    const auto finished = armour.finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(armour.problem(finished.error()).code(), "XF-3003");
}

}  // namespace
}  // namespace xinfu::vault
