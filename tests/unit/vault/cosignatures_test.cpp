// What a witness may answer, and what follows from it: AUD-03, AUD-05.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "crypto/note.hpp"
#include "daemon/vault/cosignatures.hpp"
#include "storage/witness.hpp"
#include "tests/unit/vault/parcels_fixture.hpp"

namespace xinfu::vault::test {
namespace {

class Cosigning : public OutgoingParcels {
protected:
    Cosigning() {
        config_.routes.front().witness_key = witness_.verifier_key();
        put("a", sign(rows(100, 1)));
        put("b", sign(rows(101, 1)));  // so that there is something that a last run left
        rebind();
        cosignatures_->on_rolled_back = [this](const boundary::Problem& why, bool serving) {
            rolled_back_ = why.arguments(1) + (serving ? " while serving" : " at the start");
        };
    }
    // The next question to the witness, whatever else there is to do.
    boundary::Post next_post() {
        for (;;) {
            auto task = next();
            if (task.has_post()) {
                task_ = task;
                return task.post();
            }
            report(task, task.has_put() ? 503 : 200, "waiting\n");
        }
    }
    static std::string text_of(const boundary::Post& post) {
        const std::string& body = post.body();
        const auto begin = body.find("\n\n") + 2;  // behind the proof
        return body.substr(begin, body.rfind("\n\n") + 1 - begin);
    }
    static std::string first_line(const boundary::Post& post) { return post.body().substr(0, post.body().find('\n')); }
    std::uint64_t size_of(const boundary::Post& post) { return must(crypto::parse_checkpoint(text_of(post))).size; }
    void answer(std::uint32_t status, const std::string& body) { report(task_, status, body); }
    std::optional<storage::Committed> cosigned() {
        const auto snapshot = must(ledger_->engine().snapshot());
        return must(storage::newest_cosigned(*snapshot));
    }
    std::string objection() {
        const auto why = cosignatures_->objection();
        return why ? why->code() : "";
    }

    crypto::WitnessSigner witness_ = must(crypto::WitnessSigner::from_seed("province/witness", Bytes(32, 7)));
    boundary::Task task_;
    std::string rolled_back_;
};

TEST_F(Cosigning, AsksAtTheStartAboutWhatTheLastRunLeft) {
    const auto before = ledger_->head().tree_size;
    put("f1", sign(rows(1, 1)));
    EXPECT_EQ(objection(), "XF-6013");
    const auto post = next_post();
    EXPECT_EQ(post.path(), "/v1/log/witness/add-checkpoint");
    EXPECT_EQ(first_line(post), "old 0");
    EXPECT_EQ(size_of(post), before);
    answer(200, witness_.cosign(text_of(post), 1'790'000'000));
    EXPECT_EQ(objection(), "");
    ASSERT_TRUE(cosigned());
    EXPECT_EQ(cosigned()->tree_size, before);
    const auto key = must(crypto::NoteVerifier::parse(witness_.verifier_key()));
    const auto log = must(crypto::NoteVerifier::parse(log_key_));
    EXPECT_EQ(must(crypto::open_note(*cosigned()->checkpoint, {&log, &key})).verified.size(), 2U);
    const auto more = next_post();
    EXPECT_EQ(first_line(more), "old " + std::to_string(before));
    EXPECT_GT(size_of(more), before);
}

TEST_F(Cosigning, NoLineButTheWitnessesOwnOverThisCheckpointCounts) {
    const auto other = must(crypto::WitnessSigner::from_seed("province/witness", Bytes(32, 8)));
    const auto renamed = must(crypto::WitnessSigner::from_seed("nation/witness", Bytes(32, 7)));
    const auto post = next_post();
    std::string text = text_of(post);
    answer(200, other.cosign(text, 1) + renamed.cosign(text, 1) + witness_.cosign(text + "\n", 1));
    EXPECT_FALSE(cosigned());
    ASSERT_TRUE(cosignatures_->warning());
    EXPECT_EQ(cosignatures_->warning()->code(), "XF-7021");
    EXPECT_EQ(objection(), "") << "who does not sign does not stop the node";
}

TEST_F(Cosigning, TheRightLineIsFoundAmongOthers) {
    const auto other = must(crypto::WitnessSigner::from_seed("nation/witness", Bytes(32, 8)));
    const auto text = text_of(next_post());
    answer(200, other.cosign(text, 1) + witness_.cosign(text, 2));
    EXPECT_TRUE(cosigned());
}

TEST_F(Cosigning, AWitnessThatHasMoreStopsTheNode) {
    const auto size = size_of(next_post());
    answer(409, std::to_string(size + 3) + "\n");
    EXPECT_EQ(objection(), "XF-6012");
    EXPECT_EQ(rolled_back_, std::to_string(size + 3) + " at the start");
    EXPECT_TRUE(cosignatures_->holds("province"));
    rebind();  // with nobody to ask
    EXPECT_EQ(objection(), "XF-6012") << "it is remembered";
    const auto post = next_post();
    answer(200, witness_.cosign(text_of(post), 1));
    EXPECT_EQ(objection(), "") << "a signature over what is here says otherwise";
    rebind();
    EXPECT_EQ(objection(), "XF-6013");
}

// What others had co-signed meanwhile: two ways to one witness, or somebody who carried the newer checkpoint there.
TEST_F(Cosigning, AWitnessThatIsAheadOfTheQuestionButNotOfTheLogStopsNobody) {
    const auto size = size_of(next_post());
    put("c", sign(rows(102, 1)));
    answer(409, std::to_string(size + 1) + "\n");
    EXPECT_EQ(rolled_back_, "");
    const auto post = next_post();
    EXPECT_EQ(first_line(post), "old " + std::to_string(size + 1));
    EXPECT_GT(size_of(post), size);
}

TEST_F(Cosigning, AWitnessThatHasOthersStopsTheNode) {
    const auto post = next_post();
    answer(200, witness_.cosign(text_of(post), 1));
    put("f1", sign(rows(1, 1)));
    next_post();
    answer(422, "not a continuation");
    EXPECT_EQ(objection(), "XF-6012");
    EXPECT_EQ(rolled_back_, std::to_string(size_of(post)) + " while serving");
}

TEST_F(Cosigning, AWitnessThatHasLessIsProvenToFromThere) {
    const auto size = size_of(next_post());
    ASSERT_GT(size, 1U);
    answer(409, "1\n");
    EXPECT_EQ(rolled_back_, "");
    const auto post = next_post();
    EXPECT_EQ(first_line(post), "old 1");
    EXPECT_EQ(size_of(post), size);
    EXPECT_NE(post.body().find('\n'), post.body().find("\n\n")) << "with a proof";
}

TEST_F(Cosigning, OutOfReachItHoldsTheStartForSomeSecondsOnly) {
    next_post();
    answer(0, "");
    EXPECT_EQ(objection(), "XF-6013") << "the way may only just be coming up";
    EXPECT_TRUE(cosignatures_->holds("province")) << "no parcel before the witness has answered";
    EXPECT_EQ(first_line(next_post()), "old 0") << "it is asked again";
    answer(503, "");
    const auto until = std::chrono::steady_clock::now() + Cosignatures::kStartWaitMax + std::chrono::seconds(2);
    while (!objection().empty() && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(objection(), "");
    EXPECT_FALSE(cosigned());
}

TEST_F(Cosigning, AnswersThatSayNothingAreAWarning) {
    for (const auto& [status, body] : {std::pair<std::uint32_t, std::string>{404, "{}"},
                                       {422, "{}"},
                                       {422, "17\n"},
                                       {409, "not a continuation"},
                                       {403, "{}"},
                                       {200, "rubbish\n"},
                                       {200, "17\n"},
                                       {409, "rubbish\n"},
                                       {409, "-3\n"},
                                       {200, ""}}) {
        rebind();
        next_post();
        answer(status, body);
        EXPECT_EQ(objection(), "") << status << body;
        ASSERT_TRUE(cosignatures_->warning()) << status << body;
        EXPECT_EQ(cosignatures_->warning()->code(), "XF-7021");
        EXPECT_FALSE(cosigned());
    }
}

}  // namespace
}  // namespace xinfu::vault::test
