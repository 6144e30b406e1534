// Files of which more is to come than is held: staged as they are read, indexed at their end, visible at once or not at
// all. UP-01, UP-07, CHK-02, BAK-04.
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/vault/quality.hpp"
#include "storage/quality.hpp"
#include "storage/submissions.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {
namespace {

using Outcome = boundary::SubmissionOutcome;

class AcceptLargeFile : public IntakeTest {};

TEST_F(AcceptLargeFile, StagesALargeFileAndShowsAllOfItAtOnce) {
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

// More records than the index holds in memory: two runs or three.
TEST_F(AcceptLargeFile, IndexesEveryRecordOfALargeFileOnce) {
#ifdef XINFU_SANITIZED
    constexpr int kRecords = 20000;
#else
    constexpr int kRecords = 40000;
#endif
    ASSERT_EQ(put("large.p7m", sign(rows(1, kRecords, std::string(30, 'v')))).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), static_cast<std::size_t>(kRecords));
    EXPECT_EQ(count(storage::Table::identity_claims), static_cast<std::uint64_t>(kRecords));
    const Answer again = put("again.p7m", sign(rows(2, kRecords, std::string(30, 'v'))));
    ASSERT_EQ(again.outcome.kind(), Outcome::CREATED) << again.code;
    EXPECT_EQ(again.outcome.counts().stored(), 1U);
    EXPECT_EQ(again.outcome.counts().duplicate(), static_cast<std::uint64_t>(kRecords - 1));
    EXPECT_EQ(visible_records(), static_cast<std::size_t>(kRecords + 1));
    EXPECT_EQ(count(storage::Table::identity_claims), static_cast<std::uint64_t>(kRecords + 1));
    EXPECT_EQ(count(storage::Table::staged), 0U);
}

TEST_F(AcceptLargeFile, ComparesRecordsOfALargeFileThatStandFarFromEachOther) {
    const std::string value(300, 'v');
    const Answer good = put("good.p7m", sign(rows(1, 9000, value) + row(3, value) + rows(9001, 2, value)));
    ASSERT_EQ(good.outcome.kind(), Outcome::CREATED) << good.code;
    EXPECT_EQ(good.outcome.counts().stored(), 9002U);
    EXPECT_EQ(good.outcome.counts().duplicate(), 1U);
    EXPECT_EQ(visible_records(), 9002U);
    const Answer bad = put("bad.p7m", sign(rows(20001, 9000, value) + row(20003, "other") + row(20001, "other")));
    EXPECT_EQ(bad.code, "XF-5002");
    ASSERT_EQ(bad.defects.size(), 2U);
    for (const std::size_t i : {0u, 1u}) {
        EXPECT_EQ(bad.defects[i].code(), "XF-5004");
        EXPECT_EQ(bad.defects[i].line(), 9001U + i);
    }
    EXPECT_EQ(bad.defects[0].arguments(0), "3");
    EXPECT_EQ(bad.defects[1].arguments(0), "1");
    sweep();
    EXPECT_EQ(visible_records(), 9002U);
    EXPECT_EQ(count(storage::Table::identity_claims), 9002U);
    EXPECT_EQ(count(storage::Table::subject_index), 9002U);
    EXPECT_EQ(count(storage::Table::staged), 0U);
}

TEST_F(AcceptLargeFile, CountsTheTermsOfThoseRecordsOfALargeFileThatStay) {
    misbehave([](boundary::InspectorReply& reply) {
        if (reply.has_records()) {
            for (auto& record : *reply.mutable_records()->mutable_records()) {
                record.set_due(1);  // long over
            }
        }
        return true;
    });
    const std::string value(300, 'v');
    const Answer large = put("large.p7m", sign(rows(1, 9000, value) + row(3, value) + row(7, value)));
    ASSERT_EQ(large.outcome.kind(), Outcome::CREATED) << large.code;
    EXPECT_EQ(large.outcome.counts().stored(), 9000U);
    std::uint64_t late = 0;
    const auto snapshot = must(ledger_->engine().snapshot());
    must(storage::visit_quality(*snapshot, month_of(clock_->now()),
                                [&](std::string_view, std::string_view, const storage::rows::Quality& row) {
                                    late += row.late();
                                    return true;
                                }));
    EXPECT_EQ(late, 9000U);
}

TEST_F(AcceptLargeFile, WantsACorrectionForAKnownRecordInALargeFile) {
    const std::string value(300, 'v');
    ASSERT_EQ(put("small.p7m", sign(row(5000, value) + row(5001, value))).outcome.kind(), Outcome::CREATED);
    const Answer large = put("large.p7m", sign(rows(1, 5000, value) + row(5001, "other")));
    EXPECT_EQ(large.code, "XF-5002");
    ASSERT_EQ(large.defects.size(), 1U);
    EXPECT_EQ(large.defects[0].code(), "XF-5003");
    EXPECT_EQ(large.defects[0].line(), 5001U);
    sweep();
    EXPECT_EQ(visible_records(), 2U);
    EXPECT_EQ(count(storage::Table::identity_claims), 2U);
    EXPECT_EQ(objects(), 0U);
}

TEST_F(AcceptLargeFile, LeavesNothingOfALargeFileWithADefectAtItsEnd) {
    const Answer answer = put("large.p7m", sign(rows(1, 9000, std::string(300, 'v')) + row(9001, "bad")));
    EXPECT_EQ(answer.code, "XF-5002");
    expect_nothing_remains();
}

TEST_F(AcceptLargeFile, LeavesNothingWhenTheClientVanishesMidBody) {
    const std::string body = sign(rows(1, 12000, std::string(300, 'v')));
    const Answer answer = put_stream("large.p7m", body, "m-0001", body.size() - 1000);
    EXPECT_EQ(answer.outcome.receipt(), "");
    EXPECT_EQ(answer.code, "XF-6004");
    expect_nothing_remains();
    EXPECT_EQ(put("large.p7m", body).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 12000U);
}

TEST_F(AcceptLargeFile, LeavesNothingWhenAnInspectorDiesMidFile) {
    auto records = std::make_shared<std::atomic<int>>(0);
    misbehave([records](boundary::InspectorReply& reply) { return !reply.has_records() || ++*records < 60; });
    EXPECT_EQ(put("large.p7m", sign(rows(1, 12000, std::string(300, 'v')))).code, "XF-6006");
    expect_nothing_remains();
}

// One part of records: nothing comes behind it that would be told of the failure.
TEST_F(AcceptLargeFile, IsNotAcceptedWhenItsRecordsDidNotGetIntoTheStore) {
    const std::string body = sign(rows(1, 3000, std::string(300, 'v')));
    std::promise<void> go_on = hold_the_ledger();
    while (ledger_->submit({[](storage::Batch&) { return Result<void>{}; }, [](auto) {}, 0, false})) {
    }
    const Answer answer = put("large.p7m", body);
    EXPECT_EQ(answer.code, "XF-6001");
    go_on.set_value();
    expect_nothing_remains();
    EXPECT_EQ(put("large.p7m", body).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 3000U);
}

TEST_F(AcceptLargeFile, OfTwoFilesInFlightWithTheSameRecordsTheFirstCommitWins) {
    const std::string value(300, 'v');
    Answer small;
    const Answer large = put_while("large.p7m", sign(rows(1, 12000, value)),
                                   [&] { small = put("small.p7m", sign(row(5, value) + row(6, value))); });
    ASSERT_EQ(small.outcome.kind(), Outcome::CREATED) << small.code;
    EXPECT_EQ(small.outcome.counts().stored(), 2U);
    ASSERT_EQ(large.outcome.kind(), Outcome::CREATED) << large.code;
    EXPECT_EQ(large.outcome.counts().stored(), 11998U);
    EXPECT_EQ(large.outcome.counts().duplicate(), 2U);
    EXPECT_EQ(visible_records(), 12000U);
    EXPECT_EQ(count(storage::Table::staged), 0U);
}

// More than one commit takes back: the overtaken ones go in slices before it.
TEST_F(AcceptLargeFile, AFileOvertakenInThousandsOfRecordsStillEndsInOneAnswer) {
    const std::string value(300, 'v');
    Answer quick;
    const Answer slow = put_while("slow.p7m", sign(rows(1, 12000, value)),
                                  [&] { quick = put("quick.p7m", sign(rows(1, 7000, value))); });
    ASSERT_EQ(quick.outcome.kind(), Outcome::CREATED) << quick.code;
    EXPECT_EQ(quick.outcome.counts().stored(), 7000U);
    ASSERT_EQ(slow.outcome.kind(), Outcome::CREATED) << slow.code;
    EXPECT_EQ(slow.outcome.counts().stored(), 5000U);
    EXPECT_EQ(slow.outcome.counts().duplicate(), 7000U);
    EXPECT_EQ(visible_records(), 12000U);
    EXPECT_EQ(count(storage::Table::identity_claims), 12000U);
    sweep();
    EXPECT_EQ(count(storage::Table::staged), 0U);
}

TEST_F(AcceptLargeFile, AFileOvertakenWithOtherBytesIsRefusedLineByLine) {
    const std::string value(300, 'v');
    Answer quick;
    const Answer slow = put_while("slow.p7m", sign(rows(1, 12000, value)),
                                  [&] { quick = put("quick.p7m", sign(rows(1, 3000, std::string(300, 'w')))); });
    ASSERT_EQ(quick.outcome.kind(), Outcome::CREATED) << quick.code;
    EXPECT_EQ(slow.code, "XF-5002");
    EXPECT_EQ(slow.outcome.counts().defective(), 3000U);
    ASSERT_FALSE(slow.defects.empty());
    EXPECT_EQ(slow.defects[0].code(), "XF-5003");
    EXPECT_EQ(slow.defects[0].line(), 1U);
    EXPECT_EQ(slow.defects[1].line(), 2U);
    EXPECT_EQ(visible_records(), 3000U);
    EXPECT_EQ(objects(), 1U) << "of what was accepted";
    sweep();
    EXPECT_EQ(count(storage::Table::identity_claims), 3000U);
    EXPECT_EQ(count(storage::Table::staged), 0U);
}

TEST_F(AcceptLargeFile, CheckingComparesRecordsThatStandFarFromEachOther) {
    const std::string value(300, 'v');
    const auto check = [&](const std::string& last) {
        auto asked = request("", true);
        auto exchange = std::make_shared<HandedIn>(io_, caller(), asked);
        const std::string body = sign(rows(1, 9000, value) + last);
        auto opened = exchange->opened();
        std::thread gateway([&] {
            boundary::Descriptor stream = opened.get();
            std::size_t sent = 0;
            while (sent < body.size()) {
                const auto count = ::send(stream.get(), body.data() + sent,
                                          std::min<std::size_t>(body.size() - sent, 60000), MSG_NOSIGNAL);
                if (count <= 0) {
                    break;
                }
                sent += static_cast<std::size_t>(count);
            }
            stream.reset();
            asio::post(io_, [exchange, sent] { exchange->say(sent, false); });
        });
        on_loop([this, exchange] { return intake_->accept(exchange); });
        gateway.join();
        return answer_of(*exchange);
    };
    const Answer good = check(row(3, value));
    EXPECT_EQ(good.code, "");
    EXPECT_EQ(good.outcome.counts().duplicate(), 1U);
    EXPECT_EQ(good.outcome.counts().stored(), 9000U);
    const Answer bad = check(row(3, "other"));
    EXPECT_EQ(bad.code, "XF-5002");
    ASSERT_EQ(bad.defects.size(), 1U);
    EXPECT_EQ(bad.defects[0].code(), "XF-5004");
    EXPECT_EQ(bad.defects[0].line(), 9001U);
    EXPECT_EQ(bad.defects[0].arguments(0), "3");
    EXPECT_EQ(visible_records(), 0U);
}

}  // namespace
}  // namespace xinfu::vault::test
