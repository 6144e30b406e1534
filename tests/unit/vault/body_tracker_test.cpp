// CHK-02: what an inspector says of a body is believed only where it can be true.
#include "daemon/vault/body_tracker.hpp"

#include <gtest/gtest.h>

namespace xinfu::vault {
namespace {

boundary::Progress progress(std::initializer_list<std::array<std::uint64_t, 3>> spans, std::uint64_t consumed) {
    boundary::Progress made;
    for (const auto& [layer, offset, length] : spans) {
        auto* span = made.add_spans();
        span->set_layer(static_cast<std::uint32_t>(layer));
        span->set_offset(offset);
        span->set_length(length);
    }
    made.set_consumed(consumed);
    return made;
}

crypto::Digest sha(std::string_view text) {
    return crypto::sha256(as_bytes(text));
}

TEST(BodyTracker, DigestsExactlyThePiecesThatAreContent) {
    BodyTracker tracker(false);
    tracker.sent(as_bytes("<ab><cd>"));
    ASSERT_TRUE(tracker.progress(progress({{0, 1, 2}}, 4)));
    ASSERT_TRUE(tracker.progress(progress({{0, 5, 2}}, 8)));
    EXPECT_EQ(tracker.content_digest(), sha("abcd"));
    EXPECT_EQ(tracker.content_size(), 4U);
    EXPECT_TRUE(tracker.all_consumed());
}

TEST(BodyTracker, ComputesOtherDigestsWhenNothingWasAnnouncedAndOnlyAnnouncedOnesElse) {
    BodyTracker open(false);
    open.sent(as_bytes("abc"));
    ASSERT_TRUE(open.progress(progress({{0, 0, 3}}, 3)));
    // FIPS 180-4 example: SHA-384 of "abc".
    EXPECT_EQ(to_hex(open.digest_of(0, crypto::kOidSha384).value()),
              "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
              "8086072ba1e7cc2358baeca134c825a7");
    BodyTracker announced(false);
    announced.sent(as_bytes("abc"));
    auto said = progress({{0, 0, 3}}, 3);
    said.add_announced()->add_digest_algorithms(std::string(crypto::kOidSha256));
    ASSERT_TRUE(announced.progress(said));
    EXPECT_FALSE(announced.digest_of(0, crypto::kOidSha384));
    EXPECT_TRUE(announced.digest_of(0, crypto::kOidSha256));
}

TEST(BodyTracker, RefusesPiecesThatCannotBe) {
    const struct {
        const char* what;
        boundary::Progress said;
    } cases[] = {
        {"overlapping", progress({{0, 0, 4}, {0, 3, 2}}, 0)},
        {"going back", progress({{0, 4, 2}, {0, 0, 2}}, 0)},
        {"beyond what was sent", progress({{0, 6, 3}}, 0)},
        {"an offset beyond", progress({{0, 9, 1}}, 0)},
        {"a length that wraps", progress({{0, 4, ~std::uint64_t{0} - 2}}, 0)},
        {"of no bytes", progress({{0, 2, 0}}, 0)},
        {"of a layer that is not there", progress({{1, 0, 2}}, 0)},
        {"consumed beyond what was sent", progress({}, 9)},
    };
    for (const auto& [what, said] : cases) {
        BodyTracker tracker(false);
        tracker.sent(as_bytes("abcdefgh"));
        EXPECT_FALSE(tracker.progress(said)) << what;
    }
    BodyTracker tracker(false);
    tracker.sent(as_bytes("abcdefgh"));
    ASSERT_TRUE(tracker.progress(progress({{0, 0, 2}}, 4)));
    EXPECT_FALSE(tracker.progress(progress({{0, 3, 2}}, 4))) << "before what was given up";
    EXPECT_FALSE(tracker.progress(progress({}, 3))) << "consumed goes back";
}

TEST(BodyTracker, SendsOneWindowAheadAndNoMore) {
    BodyTracker tracker(false);
    EXPECT_EQ(tracker.room(), kWindowSizeBytes);
    tracker.sent(Bytes(kWindowSizeBytes, 'x'));
    EXPECT_EQ(tracker.room(), 0U);
    ASSERT_TRUE(tracker.progress(progress({{0, 0, 1000}}, 1000)));
    EXPECT_EQ(tracker.room(), 1000U);
    // The window slides over a body many times its size.
    std::uint64_t sent = kWindowSizeBytes;
    for (int i = 0; i < 300; ++i) {
        const std::size_t room = tracker.room();
        tracker.sent(Bytes(room, 'x'));
        sent += room;
        ASSERT_TRUE(tracker.progress(progress({{0, sent - 10000, 10}}, sent - 5000)));
    }
    EXPECT_EQ(tracker.sent_size(), sent);
}

class ParcelTracker : public ::testing::Test {
protected:
    // outer: "[", original "{DATA}", manifest "M\n", "]"; the original's content is "DATA".
    ParcelTracker() {
        tracker.sent(as_bytes("[{DATA}M\n]"));
        EXPECT_TRUE(tracker.progress(progress({{0, 1, 8}, {1, 2, 4}}, 10)));
    }
    BodyTracker tracker{true};
};

TEST_F(ParcelTracker, SplitsTheOuterContentAndLetsTheOriginalBeContinued) {
    ASSERT_TRUE(tracker.split(1, 6, as_bytes("M\n")));
    const Bytes outer = tracker.digest_of(0, crypto::kOidSha256).value();
    EXPECT_EQ(to_hex(outer), to_hex(sha("{DATA}M\n")));
    EXPECT_EQ(tracker.content_digest(), sha("DATA"));
    crypto::Sha256 onward = tracker.original_state();
    onward.update(as_bytes("other manifest\n"));
    EXPECT_EQ(onward.finish(), sha("{DATA}other manifest\n"));
}

TEST_F(ParcelTracker, RefusesAnotherManifestPlaceOrLength) {
    EXPECT_FALSE(tracker.split(1, 6, as_bytes("N\n")));
    EXPECT_FALSE(tracker.split(2, 6, as_bytes("M\n")));
    EXPECT_FALSE(tracker.split(1, 5, as_bytes("M\n")));
    EXPECT_FALSE(tracker.split(1, 8, {}));
}

TEST(BodyTracker, FindsTheManifestBehindALargeOriginal) {
    BodyTracker tracker(true);
    std::string original(5 * kManifestSizeBytesMax + 123, 'o');
    const std::string manifest = "{\"a\":1}\n";
    const std::string body = original + manifest;
    for (std::size_t at = 0; at < body.size();) {
        const auto piece = std::string_view(body).substr(at, 10007);
        tracker.sent(as_bytes(piece));
        ASSERT_TRUE(tracker.progress(progress({{0, at, piece.size()}}, at + piece.size())));
        at += piece.size();
    }
    ASSERT_TRUE(tracker.split(0, original.size(), as_bytes(manifest)));
    crypto::Sha256 state = tracker.original_state();
    EXPECT_EQ(state.finish(), sha(original));
}

TEST(BodyTracker, RefusesAParcelWhoseContentIsInPieces) {
    BodyTracker tracker(true);
    tracker.sent(as_bytes("[ab.cd]"));
    EXPECT_FALSE(tracker.progress(progress({{0, 1, 2}, {0, 4, 2}}, 7)));
}

}  // namespace
}  // namespace xinfu::vault
