// What a submission means, and what remains when it comes to nothing: UP-01, UP-07, CHK-02, CHK-05, BAK-04, AUD-03.
#include "daemon/vault/accept_submission.hpp"

#include <gtest/gtest.h>

#include "crypto/tlog_proof.hpp"
#include "daemon/vault/sweep.hpp"
#include "storage/submissions.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {
namespace {

using Outcome = boundary::SubmissionOutcome;

class AcceptSubmission : public IntakeTest {
protected:
    crypto::TlogProof proof(const std::string& receipt) {
        auto parsed = must(crypto::parse_tlog_proof(receipt));
        const auto log = must(crypto::NoteVerifier::parse(log_key_));
        EXPECT_TRUE(crypto::verify_tlog_proof(parsed, {&log}));
        return parsed;
    }
    void sweep() {
        Sweep sweep(*context_, *intake_);
        on_loop([&sweep]() -> asio::awaitable<void> {
            auto sweeping = sweep.sweep();
            const auto swept = co_await std::move(sweeping);
            EXPECT_TRUE(swept);
        });
    }
    void expect_nothing_remains() {
        EXPECT_EQ(visible_records(), 0U);
        EXPECT_EQ(objects(), 0U);
        sweep();
        EXPECT_EQ(count(storage::Table::record_blocks), 0U);
        EXPECT_EQ(count(storage::Table::identity_claims), 0U);
        EXPECT_EQ(count(storage::Table::subject_index), 0U);
        EXPECT_EQ(count(storage::Table::staged), 0U);
    }
};

TEST_F(AcceptSubmission, GivesAReceiptThatVerifiesAndMakesTheRecordsVisible) {
    const std::string body = sign(rows(1, 3));
    const Answer answer = put("a.p7m", body);
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    EXPECT_EQ(answer.outcome.counts().records(), 3U);
    EXPECT_EQ(answer.outcome.counts().stored(), 3U);
    const auto receipt = proof(answer.outcome.receipt());
    const std::string leaf(as_text(receipt.extra));
    EXPECT_NE(leaf.find("\"digest\":\"" + to_hex(crypto::sha256(as_bytes(body)))), std::string::npos) << leaf;
    EXPECT_NE(leaf.find("\"content\":\"" + to_hex(crypto::sha256(as_bytes(rows(1, 3))))), std::string::npos);
    EXPECT_EQ(visible_records(), 3U);
    EXPECT_EQ(leaves_with({"\"action\":\"submit\"", "\"result\":\"accepted\""}), 1);
}

TEST_F(AcceptSubmission, RepeatsTheReceiptForTheSameContentEvenWhenSignedAnew) {
    const Answer first = put("a.p7m", sign(rows(1, 2)));
    const Answer second = put("a.p7m", sign(rows(1, 2)));
    ASSERT_EQ(second.outcome.kind(), Outcome::REPEATED) << second.code;
    EXPECT_EQ(proof(first.outcome.receipt()).index, proof(second.outcome.receipt()).index);
    EXPECT_EQ(proof(first.outcome.receipt()).extra, proof(second.outcome.receipt()).extra);
    EXPECT_EQ(first.outcome.id(), second.outcome.id());
    EXPECT_EQ(visible_records(), 2U);
}

TEST_F(AcceptSubmission, RefusesOtherContentUnderATakenName) {
    ASSERT_EQ(put("a.p7m", sign(rows(1, 1))).outcome.kind(), Outcome::CREATED);
    const Answer other = put("a.p7m", sign(rows(2, 1)));
    EXPECT_EQ(other.code, "XF-5001");
    EXPECT_EQ(proof(other.outcome.receipt()).extra.empty(), false);
    EXPECT_EQ(visible_records(), 1U);
}

TEST_F(AcceptSubmission, CountsTheSameRecordsUnderAnotherNameAsDuplicates) {
    ASSERT_EQ(put("a.p7m", sign(rows(1, 2))).outcome.kind(), Outcome::CREATED);
    const Answer again = put("b.p7m", sign(rows(1, 3)));
    ASSERT_EQ(again.outcome.kind(), Outcome::CREATED) << again.code;
    EXPECT_EQ(again.outcome.counts().duplicate(), 2U);
    EXPECT_EQ(again.outcome.counts().stored(), 1U);
    EXPECT_EQ(visible_records(), 3U);
}

TEST_F(AcceptSubmission, WantsACorrectionForAKnownRecordWithOtherBytes) {
    ASSERT_EQ(put("a.p7m", sign(rows(1, 1))).outcome.kind(), Outcome::CREATED);
    const Answer changed = put("b.p7m", sign(row(7) + row(1, "changed")));
    EXPECT_EQ(changed.code, "XF-5002");
    ASSERT_EQ(changed.defects.size(), 1U);
    EXPECT_EQ(changed.defects[0].code(), "XF-5003");
    EXPECT_EQ(changed.defects[0].line(), 2U);
    EXPECT_EQ(visible_records(), 1U);
}

TEST_F(AcceptSubmission, NamesTheEarlierLineWhenOneFileSaysTwoThings) {
    const Answer answer = put("a.p7m", sign(row(1) + row(1) + row(1, "other")));
    EXPECT_EQ(answer.code, "XF-5002");
    ASSERT_EQ(answer.defects.size(), 1U);
    EXPECT_EQ(answer.defects[0].code(), "XF-5004");
    EXPECT_EQ(answer.defects[0].line(), 3U);
    EXPECT_EQ(answer.defects[0].arguments(0), "1");
}

TEST_F(AcceptSubmission, RefusesAFileWithOneDefectLeavesItsNameFreeAndRepeatsTheRefusal) {
    const std::string content = row(1) + row(2, "bad");
    const Answer refused = put("a.p7m", sign(content));
    EXPECT_EQ(refused.outcome.kind(), Outcome::REFUSED);
    EXPECT_EQ(refused.code, "XF-5002");
    EXPECT_EQ(leaves_with({"\"action\":\"submit\"", "\"result\":\"refused\""}), 1);
    const Answer again = put("a.p7m", sign(content));
    EXPECT_EQ(proof(refused.outcome.receipt()).index, proof(again.outcome.receipt()).index);
    ASSERT_EQ(again.defects.size(), 1U);
    EXPECT_EQ(put("a.p7m", sign(row(1))).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 1U);
}

TEST_F(AcceptSubmission, TakesTheGoodRecordsWhereThePackSaysSo) {
    auto set = std::make_shared<PolicySet>(*policies_.current());
    set->catalogs[catalog_.name()].set_accept_valid(true);
    policies_.replace(set);
    const Answer answer = put("a.p7m", sign(row(1) + row(2, "bad") + row(3)));
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    EXPECT_EQ(answer.outcome.counts().stored(), 2U);
    EXPECT_EQ(answer.outcome.counts().defective(), 1U);
    EXPECT_EQ(visible_records(), 2U);
}

TEST_F(AcceptSubmission, RefusesRecordsOfAnotherUnitWhateverTheInspectorSaysOfThem) {
    misbehave([](boundary::InspectorReply& reply) {
        if (reply.has_records()) {
            for (auto& record : *reply.mutable_records()->mutable_records()) {
                record.set_deciding_unit(std::string(kUnit));
                record.set_source_unit(std::string(kUnit));
            }
        }
        return true;
    });
    const Answer answer = put("a.p7m", sign(row(1) + row(2, "fine", kOtherUnit)));
    EXPECT_EQ(answer.code, "XF-5002");
    ASSERT_EQ(answer.defects.size(), 2U);
    EXPECT_EQ(answer.defects[0].code(), "XF-4070");
    EXPECT_EQ(answer.defects[1].code(), "XF-4071");
    EXPECT_EQ(answer.defects[0].line(), 2U);
    expect_nothing_remains();
}

TEST_F(AcceptSubmission, RefusesAnotherUnitsSignatureAnUnknownOneAndAFlippedByte) {
    const Holder other = enrol_machine("m-0002", kOtherUnit, {"submitter"});
    EXPECT_EQ(put("a.p7m", sign(rows(1, 1), other)).code, "XF-3011");
    EXPECT_EQ(put("a.p7m", sign(rows(1, 1), unit_certificate(kUnit))).code, "XF-3012");
    std::string flipped = sign(rows(1, 1));
    flipped[flipped.find("No. 1")] ^= 1;
    EXPECT_EQ(put("a.p7m", flipped).code, "XF-3009");
    expect_nothing_remains();
    EXPECT_EQ(leaves_with({"\"action\":\"submit\"", "\"result\":\"refused\""}), 3);
}

TEST_F(AcceptSubmission, RefusesAHostileInspectorsWordsAndKeepsNothing) {
    const struct {
        const char* what;
        PlainInspector::Tamper tamper;
    } cases[] = {
        {"pieces that overlap",
         [](boundary::InspectorReply& reply) {
             if (reply.has_progress() && reply.progress().spans_size() > 0) {
                 *reply.mutable_progress()->add_spans() = reply.progress().spans(0);
             }
             return true;
         }},
        {"a piece beyond what was sent",
         [](boundary::InspectorReply& reply) {
             if (reply.has_progress()) {
                 auto* span = reply.mutable_progress()->add_spans();
                 span->set_offset(1u << 20);
                 span->set_length(10);
             }
             return true;
         }},
        {"more consumed than was sent",
         [](boundary::InspectorReply& reply) {
             if (reply.has_progress()) {
                 reply.mutable_progress()->set_consumed(1u << 20);
             }
             return true;
         }},
        {"a verdict before the end",
         [](boundary::InspectorReply& reply) {
             if (reply.has_progress()) {
                 reply.Clear();
                 reply.mutable_verdict()->set_records(0);
             }
             return true;
         }},
        {"a signer of another layer",
         [](boundary::InspectorReply& reply) {
             if (reply.has_signer()) {
                 reply.mutable_signer()->set_layer(1);
             }
             return true;
         }},
        {"fewer records than the verdict counts",
         [](boundary::InspectorReply& reply) {
             if (reply.has_verdict()) {
                 reply.mutable_verdict()->set_records(100);
             }
             return true;
         }},
        {"a field that the catalog does not have",
         [](boundary::InspectorReply& reply) {
             if (reply.has_records()) {
                 reply.mutable_records()->mutable_records(0)->mutable_fields(0)->set_code("OTHER");
             }
             return true;
         }},
        {"text that is not UTF-8",
         [](boundary::InspectorReply& reply) {
             if (reply.has_records()) {
                 reply.mutable_records()->mutable_records(0)->set_subject("\xff\xfe");
             }
             return true;
         }},
        {"an answer to another question",
         [](boundary::InspectorReply& reply) {
             if (reply.has_verdict()) {
                 reply.Clear();
                 reply.mutable_calendar();
             }
             return true;
         }},
    };
    int faults = 0;
    for (const auto& [what, tamper] : cases) {
        misbehave(tamper);
        const Answer answer = put("a.p7m", sign(rows(1, 2)));
        EXPECT_EQ(answer.code, "XF-9002") << what;
        EXPECT_EQ(answer.outcome.receipt(), "") << what;
        EXPECT_EQ(visible_records(), 0U) << what;
        ++faults;
    }
    expect_nothing_remains();
    EXPECT_GE(leaves_with({"\"action\":\"boundary_fault\"", "XF-9002"}), 1);
    EXPECT_EQ(inspectors_->crashes(), 1U);  // of the last pool
}

TEST_F(AcceptSubmission, AnInspectorThatHidesTheContentCannotHaveItAccepted) {
    // It names a part of the content only: the digest is the vault's own, so the signature does not fit.
    misbehave([](boundary::InspectorReply& reply) {
        if (reply.has_progress()) {
            for (auto& span : *reply.mutable_progress()->mutable_spans()) {
                span.set_length(span.length() - 1);
            }
        }
        return true;
    });
    EXPECT_EQ(put("a.p7m", sign(rows(1, 1))).code, "XF-3009");
}

TEST_F(AcceptSubmission, TriesASmallFileAgainWhenItsInspectorDies) {
    auto deaths = std::make_shared<std::atomic<int>>(1);
    misbehave([deaths](boundary::InspectorReply&) { return deaths->fetch_sub(1) <= 0; });
    EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 2U);
}

TEST_F(AcceptSubmission, SaysComeAgainWhenInspectorsKeepDying) {
    misbehave([](boundary::InspectorReply& reply) { return !reply.has_verdict(); });
    EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).code, "XF-6006");
    expect_nothing_remains();
    behave();
    EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).outcome.kind(), Outcome::CREATED);
}

TEST_F(AcceptSubmission, StagesALargeFileAndShowsAllOfItAtOnce) {
    const std::string body = sign(rows(1, 12000, std::string(300, 'v')));  // about 4 MB
    const Answer answer = put("large.p7m", body);
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    EXPECT_EQ(answer.outcome.counts().stored(), 12000U);
    EXPECT_EQ(visible_records(), 12000U);
    EXPECT_EQ(count(storage::Table::staged), 0U);
    EXPECT_EQ(objects(), 1U);
    sweep();
    EXPECT_EQ(objects(), 1U);
    EXPECT_EQ(visible_records(), 12000U);
    EXPECT_EQ(put("large.p7m", body).outcome.kind(), Outcome::REPEATED);
    EXPECT_EQ(objects(), 1U);
}

TEST_F(AcceptSubmission, LeavesNothingOfALargeFileWithADefectAtItsEnd) {
    const Answer answer = put("large.p7m", sign(rows(1, 9000, std::string(300, 'v')) + row(9001, "bad")));
    EXPECT_EQ(answer.code, "XF-5002");
    expect_nothing_remains();
}

TEST_F(AcceptSubmission, LeavesNothingWhenTheClientVanishesMidBody) {
    const std::string body = sign(rows(1, 12000, std::string(300, 'v')));
    const Answer answer = put_stream("large.p7m", body, "m-0001", body.size() - 1000);
    EXPECT_EQ(answer.outcome.receipt(), "");
    EXPECT_EQ(answer.code, "XF-6004");
    expect_nothing_remains();
    EXPECT_EQ(put("large.p7m", body).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 12000U);
}

TEST_F(AcceptSubmission, LeavesNothingWhenAnInspectorDiesMidFile) {
    auto records = std::make_shared<std::atomic<int>>(0);
    misbehave([records](boundary::InspectorReply& reply) { return !reply.has_records() || ++*records < 60; });
    EXPECT_EQ(put("large.p7m", sign(rows(1, 12000, std::string(300, 'v')))).code, "XF-6006");
    expect_nothing_remains();
}

TEST_F(AcceptSubmission, OfTwoFilesInFlightWithTheSameRecordsTheFirstCommitWins) {
    // The large file has staged its records and waits for its verdict while the small one is committed.
    std::promise<void> staged;
    std::promise<void> go_on;
    auto first = std::make_shared<std::atomic<bool>>(true);
    auto wait = std::make_shared<std::shared_future<void>>(go_on.get_future());
    misbehave([&staged, first, wait](boundary::InspectorReply& reply) {
        if (reply.has_verdict() && first->exchange(false)) {
            staged.set_value();
            wait->wait();
        }
        return true;
    });
    const std::string value(300, 'v');
    Answer large;
    std::thread sender([&] { large = put("large.p7m", sign(rows(1, 12000, value))); });
    staged.get_future().wait();
    // Wait until the vault took everything up to there.
    ASSERT_TRUE(soon([this] { return count(storage::Table::identity_claims) > 8000; }));
    const Answer small = put("small.p7m", sign(row(5, value) + row(6, value)));
    go_on.set_value();
    sender.join();
    ASSERT_EQ(small.outcome.kind(), Outcome::CREATED) << small.code;
    EXPECT_EQ(small.outcome.counts().stored(), 2U);
    ASSERT_EQ(large.outcome.kind(), Outcome::CREATED) << large.code;
    EXPECT_EQ(large.outcome.counts().stored(), 11998U);
    EXPECT_EQ(large.outcome.counts().duplicate(), 2U);
    EXPECT_EQ(visible_records(), 12000U);
    EXPECT_EQ(count(storage::Table::staged), 0U);
}

TEST_F(AcceptSubmission, CheckingStoresNothingAndLeavesOneLeaf) {
    const Answer answer = put("", sign(rows(1, 2)), "m-0001", true);
    EXPECT_EQ(answer.outcome.kind(), Outcome::CHECKED);
    EXPECT_EQ(answer.outcome.id(), "");
    EXPECT_EQ(leaves_with({"\"action\":\"check\""}), 1);
    EXPECT_EQ(count(storage::Table::submissions), 0U);
    expect_nothing_remains();
}

TEST_F(AcceptSubmission, RefusesNamesThatAreNone) {
    const std::string body = sign(rows(1, 1));
    for (const std::string& name : {std::string(), std::string("a/b"), std::string(201, 'x'), std::string("a\tb"),
                                    std::string("\xff"), std::string("a\xc2\x85"), std::string("a\x7f")}) {
        EXPECT_EQ(put(name, body).code, "XF-1110") << name;
    }
    EXPECT_EQ(put(std::string(200, 'x'), body).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(put("处罚.p7m", sign(rows(2, 1))).outcome.kind(), Outcome::CREATED);
}

TEST_F(AcceptSubmission, ChecksTheAccountAgainAtTheCommit) {
    // Disabled while its file is with the inspector.
    auto once = std::make_shared<std::atomic<bool>>(true);
    misbehave([this, once](boundary::InspectorReply& reply) {
        if (reply.has_verdict() && once->exchange(false)) {
            change([this](storage::WriteTransaction& transaction) {
                auto account = *must(storage::find_account(transaction, "m-0001"));
                account.roles = {"log_reader"};
                must(storage::put_account(transaction, account));
            });
        }
        return true;
    });
    EXPECT_EQ(put("a.p7m", sign(rows(1, 1))).code, "XF-5006");
    expect_nothing_remains();
}

}  // namespace
}  // namespace xinfu::vault::test
