// What a submission means, and what remains when it comes to nothing: UP-01, UP-07, CHK-02, CHK-05, BAK-04, AUD-03.
#include "daemon/vault/accept_submission.hpp"

#include <gtest/gtest.h>

#include "storage/submissions.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {
namespace {

using Outcome = boundary::SubmissionOutcome;

class AcceptSubmission : public IntakeTest {};

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

// What an inspector of ours says of a file whose header is that of an older version.
PlainInspector::Tamper says_version(const std::string& version) {
    return [version](boundary::InspectorReply& reply) {
        if (reply.has_records()) {
            reply.mutable_records()->set_catalog_version(version);
        } else if (reply.has_verdict()) {
            reply.mutable_verdict()->set_catalog_version(version);
        }
        return true;
    };
}

TEST_F(AcceptSubmission, RecordsTheVersionThatJudgedIt) {
    auto set = std::make_shared<PolicySet>(*policies_.current());
    auto older = catalog_;
    older.set_version("older");
    set->older[catalog_.name()] = {older};
    policies_.replace(set);
    misbehave(says_version("older"));
    const Answer answer = put("a.p7m", sign(row(1)));
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    const auto snapshot = must(ledger_->engine().snapshot());
    const auto id = *storage::submission_id_from_text(answer.outcome.id());
    EXPECT_EQ(must(storage::find_submission(*snapshot, id))->catalog_version(), "older");
    misbehave(says_version("of another time"));
    EXPECT_EQ(put("b.p7m", sign(row(2))).code, "XF-9002");
}

TEST_F(AcceptSubmission, TakesNoFileAfterTheLastDayOfItsVersion) {
    const auto today = static_cast<std::int32_t>(
        std::chrono::floor<std::chrono::days>(clock_->now() + std::chrono::hours{8}).time_since_epoch().count());
    const auto put_with = [&](std::optional<std::int32_t> from, std::optional<std::int32_t> until) {
        auto set = std::make_shared<PolicySet>(*policies_.current());
        auto& catalog = set->catalogs[catalog_.name()];
        catalog.clear_effective_from();
        catalog.clear_effective_until();
        if (from) {
            catalog.set_effective_from(*from);
        }
        if (until) {
            catalog.set_effective_until(*until);
        }
        policies_.replace(set);
        return put("a.p7m", sign(row(1)), "m-0001", true).code;
    };
    EXPECT_EQ(put_with(today, today), "");
    EXPECT_EQ(put_with(today + 1, {}), "XF-5030");
    EXPECT_EQ(put_with({}, today - 1), "XF-5030");
}

// CHK-07. The old version before, the new one after, both in the overlap; a day ends at midnight in Shanghai.
TEST_F(AcceptSubmission, SwitchesVersionsAtMidnightInShanghai) {
    const auto today = day_in_shanghai(clock_->now());
    const storage::Milliseconds midnight{std::chrono::days{today + 1} - std::chrono::hours{8}};
    auto set = std::make_shared<PolicySet>(*policies_.current());
    auto old_version = catalog_;
    old_version.set_version("old");
    old_version.set_effective_until(static_cast<std::int32_t>(today + 1));
    set->older[catalog_.name()] = {old_version};
    set->catalogs[catalog_.name()].set_effective_from(static_cast<std::int32_t>(today + 1));
    policies_.replace(set);
    int files = 0;
    const auto code = [&](const std::string& version) {
        misbehave(says_version(version));
        return put("", sign(row(++files)), "m-0001", true).code;
    };
    const std::string fresh = catalog_.version();
    const auto newest = [&] { return set->find_in_force(catalog_.name(), day_in_shanghai(clock_->now()))->version(); };
    clock_->advance(midnight - clock_->now() - std::chrono::milliseconds{1});  // the day's last moment
    EXPECT_EQ(newest(), "old");
    EXPECT_EQ(code("old"), "");
    EXPECT_EQ(code(fresh), "XF-9002") << "no inspector in order says this: it was not asked about that version";
    clock_->advance(std::chrono::milliseconds{1});
    EXPECT_EQ(newest(), fresh);
    EXPECT_EQ(code("old"), "");
    EXPECT_EQ(code(fresh), "");
    set->older[catalog_.name()].front().set_effective_until(static_cast<std::int32_t>(today));  // the overlap is over
    EXPECT_EQ(code("old"), "XF-9002");
    EXPECT_EQ(code(fresh), "");
}

// An operation as no header asked for it.
PlainInspector::Tamper adds_operation(const std::function<void(boundary::RecordOperation&)>& change, int from = 0) {
    return [change, from](boundary::InspectorReply& reply) {
        if (reply.has_records()) {
            for (int i = from; i < reply.records().records_size(); ++i) {
                auto& operation = *reply.mutable_records()->mutable_records(i)->mutable_operation();
                operation.set_record("0123456789abcdef0123456789abcdef-2");
                operation.set_version(1);
                operation.set_reason("why");
                change(operation);
            }
        }
        return true;
    };
}

TEST_F(AcceptSubmission, BelievesNoOperationThatNoInspectorInOrderWouldTell) {
    const std::vector<std::function<void(boundary::RecordOperation&)>> changes{
        [](auto& operation) { operation.set_record("2"); },
        [](auto& operation) { operation.set_record("0123456789ABCDEF0123456789ABCDEF-2"); },
        [](auto& operation) { operation.set_record("0123456789abcdef0123456789abcdef-02"); },
        [](auto& operation) { operation.set_version(0); },
        [](auto& operation) { operation.set_reason(""); },
        [](auto& operation) { operation.set_reason("\xff"); },
    };
    for (const auto& change : changes) {
        misbehave(adds_operation(change));
        EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).code, "XF-9002");
    }
    misbehave(adds_operation([](auto&) {}, 1));  // only the second row
    EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).code, "XF-9002");
    misbehave(adds_operation([](auto&) {}));
    const Answer unknown = put("a.p7m", sign(rows(1, 2)));
    EXPECT_EQ(unknown.code, "XF-5002");
    ASSERT_EQ(unknown.defects.size(), 2U);
    EXPECT_EQ(unknown.defects[0].code(), "XF-5020");
    EXPECT_EQ(visible_records(), 0U);
}

TEST_F(AcceptSubmission, RefusesRecordsOfAnotherUnitWhateverTheInspectorSaysOfThem) {
    misbehave([](boundary::InspectorReply& reply) {
        if (reply.has_records()) {
            for (auto& record : *reply.mutable_records()->mutable_records()) {
                record.set_identity(0, std::string(kUnit));
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
                 reply.mutable_records()->mutable_records(0)->set_fields(0, 4);
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

// CHK-02. A few lines cannot give as much as this; whoever says so is not believed, and not listened to for ever.
TEST_F(AcceptSubmission, AnInspectorThatFloodsItsPeerIsCutOff) {
    auto sent = std::make_shared<std::atomic<int>>(0);
    inspector_script_ = [sent](boundary::BlockingChannel& channel) {
        PlainInspector inspector(channel, [&channel, sent](boundary::InspectorReply& reply) {
            if (!reply.has_verdict()) {
                return true;
            }
            boundary::InspectorReply flood;
            for (int i = 0; i < 12; ++i) {  // no single one is too large
                auto& defect = *flood.mutable_defects()->add_defects();
                defect.set_code("XF-4001");
                defect.set_masked_value(std::string(4000, 'x'));
            }
            constexpr int kFarMore = 20000;  // 1 GB
            while (*sent < kFarMore && channel.send(flood)) {
                ++*sent;
            }
            return false;
        });
        inspector.run();
    };
    const Answer answer = put("a.p7m", sign(rows(1, 2)));
    EXPECT_EQ(answer.code, "XF-9002");
    EXPECT_GT(*sent, 100);
    EXPECT_LT(*sent, 5000);
    expect_nothing_remains();
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

TEST_F(AcceptSubmission, DoesNotWaitForAnInspectorThatHangs) {
    std::promise<void> over;
    auto until_over = std::make_shared<std::shared_future<void>>(over.get_future());
    silence_max_ = std::chrono::milliseconds(200);
    misbehave([until_over](boundary::InspectorReply& reply) {
        if (reply.has_verdict()) {
            until_over->wait();
        }
        return true;
    });
    EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).code, "XF-6006");
    expect_nothing_remains();
    EXPECT_GT(inspectors_->crashes(), 0U);
    over.set_value();
    behave();
    EXPECT_EQ(put("a.p7m", sign(rows(1, 2))).outcome.kind(), Outcome::CREATED);
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
            change([](storage::WriteTransaction& transaction) {
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
