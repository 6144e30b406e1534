// ENC-01, CHK-02. A file in an envelope is taken on the vault's own proof that nothing in it was changed, and an
// inspector that says otherwise than the envelope's tag is not believed.
#include <gtest/gtest.h>

#include "crypto/envelope_key.hpp"
#include "crypto/gcm_stream.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {
namespace {

using Outcome = boundary::SubmissionOutcome;

class AcceptEnvelope : public IntakeTest {
protected:
    std::string seal(const std::string& package) {
        const auto envelope = must(crypto::Envelope::create(recipient_, package.size(), crypto::system_random()));
        Bytes body = envelope.prefix;
        crypto::GcmSealer sealer(envelope.content_key.view(), envelope.nonce);
        sealer.update(as_bytes(package), body);
        const Bytes suffix = crypto::Envelope::suffix(sealer.finish(body));
        body.insert(body.end(), suffix.begin(), suffix.end());
        return std::string(as_text(body));
    }
    // Whole blocks of the cipher, so that an inspector needs no tag to know all of it.
    std::string package_of_whole_blocks() {
        for (std::string value = "fine";; value += "e") {
            std::string package = sign(row(1, value));
            if (package.size() % 16 == 0) {
                return package;
            }
        }
    }

    const crypto::Certificate recipient_ = open_envelopes();
};

TEST_F(AcceptEnvelope, WhatIsInsideIsTakenLikeAnyOtherFile) {
    const Answer answer = put("a.p7m", seal(sign(rows(1, 2))));
    EXPECT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    EXPECT_EQ(visible_records(), 2U);
}

TEST_F(AcceptEnvelope, AnInspectorsLieAboutTheTagIsNotBelieved) {
    const struct {
        const char* what;
        std::function<void(boundary::Progress&)> change_it;
    } cases[] = {
        {"another tag than the right one",
         [](auto& progress) { (*progress.mutable_tag())[3] = static_cast<char>(progress.tag()[3] ^ 1); }},
        {"no tag at all", [](auto& progress) { progress.clear_tag(); }},
        {"a shorter tag", [](auto& progress) { progress.mutable_tag()->resize(12); }},
        {"another text",
         [](auto& progress) { progress.mutable_cipher(0)->set_length(progress.cipher(0).length() - 16); }},
    };
    for (const auto& lie : cases) {
        misbehave([&lie](boundary::InspectorReply& reply) {
            if (reply.has_progress()) {
                lie.change_it(*reply.mutable_progress());
            }
            return true;
        });
        const Answer answer = put("a.p7m", seal(package_of_whole_blocks()));
        EXPECT_EQ(answer.code, "XF-9002") << lie.what;
        EXPECT_EQ(answer.outcome.receipt(), "") << lie.what;
        EXPECT_EQ(visible_records(), 0U) << lie.what;
        EXPECT_EQ(objects(), 0U) << lie.what;
    }
}

TEST_F(AcceptEnvelope, AWrongTagThatAnInspectorCallsRightIsNotBelieved) {
    std::string body = seal(package_of_whole_blocks());
    body.back() = static_cast<char>(body.back() ^ 1);  // the plain inspector passes on what it finds
    EXPECT_EQ(put("a.p7m", body).code, "XF-9002");
    EXPECT_EQ(visible_records(), 0U);
    EXPECT_EQ(objects(), 0U);
}

}  // namespace
}  // namespace xinfu::vault::test
