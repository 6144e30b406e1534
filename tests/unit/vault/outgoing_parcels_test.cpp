// Parcels going out: UP-01, UP-06, UP-07. What they carry, and that they count as delivered only by a receipt of the
// pinned log for exactly that parcel.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "crypto/envelope_key.hpp"
#include "crypto/envelope_reader.hpp"
#include "crypto/gcm_stream.hpp"
#include "tests/unit/vault/parcels_fixture.hpp"

namespace xinfu::vault::test {
namespace {

TEST_F(OutgoingParcels, WrapTheSameOriginalInTheSameBytesAtEveryTry) {
    const std::string original = sign(rows(1, 2));
    const Answer answer = put("a.p7m", original);
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    const auto first = next();
    EXPECT_EQ(first.put().path(), "/v1/submissions/administrative-penalty/city.province.1");
    EXPECT_EQ(first.put().body().size(), first.put().length());
    const auto at = first.put().body().find(original);
    ASSERT_NE(at, std::string::npos);
    // What follows the original is the manifest: one line of canonical JSON.
    const std::string rest = first.put().body().substr(at + original.size());
    EXPECT_EQ(rest.substr(0, rest.find('\n')).find("{\"catalog\":\"administrative-penalty\""), 0U) << rest;
    const auto today =
        std::chrono::floor<std::chrono::days>(clock_->now() + std::chrono::hours{8}).time_since_epoch().count();
    EXPECT_NE(rest.find("\"received_day\":" + std::to_string(today) + ","), std::string::npos) << rest;
    report(first, 0);
    const auto again = next();
    EXPECT_EQ(again.put().body(), first.put().body());
    EXPECT_NE(again.task(), first.task());
    EXPECT_EQ(state_of(answer, "province"), "waiting");
}

TEST_F(OutgoingParcels, BringTheSignersCertificateOnceWhetherTheFileEmbedsItOrNot) {
    std::string bare = sign(rows(1, 1));
    leave_out_certificates(bare);
    const std::string_view certificate = as_text(sender_->certificate.der());
    for (const auto& original : {sign(rows(2, 1)), bare}) {
        const Answer answer = put(std::to_string(original.size()), original);
        ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
        const std::string body = next_put().put().body();
        const auto first = body.find(certificate);
        ASSERT_NE(first, std::string::npos) << original.size();
        EXPECT_EQ(body.find(certificate, first + 1), std::string::npos) << original.size();
    }
}

TEST_F(OutgoingParcels, CountAsDeliveredOnlyByAReceiptForExactlyThem) {
    const Answer answer = put("a.p7m", sign(rows(1, 1)));
    const auto origin = origin_of(answer);
    storage::rows::Origin other = origin;
    other.set_index(origin.index() + 1000);
    const auto body_of = [](const boundary::Task& task) { return as_bytes(task.put().body()); };
    std::vector<std::function<std::string(const boundary::Task&)>> wrong = {
        [](const auto&) { return std::string("not a receipt"); },
        [&](const auto& task) { return upper_receipt(other, body_of(task)); },
        [&](const auto&) { return upper_receipt(origin, as_bytes("another parcel")); },
        [&](const auto& task) { return upper_receipt(origin, body_of(task), "refused"); },
        [&](const auto&) { return answer.outcome.receipt(); },
        [&](const auto& task) {
            std::string text = upper_receipt(origin, body_of(task));
            text[text.size() - 10] = text[text.size() - 10] == 'A' ? 'B' : 'A';  // in the signature
            return text;
        },
    };
    for (std::size_t i = 0; i < wrong.size(); ++i) {
        const auto task = next();
        ASSERT_TRUE(task.has_put()) << i;
        report(task, 201, wrong[i](task));
        EXPECT_EQ(state_of(answer, "province"), "waiting") << "answer " << i;
    }
    EXPECT_EQ(delivery_->links()[0].backlog(), 1U);
    const auto task = next();
    report(task, 201, upper_receipt(origin, body_of(task)));
    EXPECT_EQ(state_of(answer, "province"), "delivered");
    EXPECT_EQ(state_of(answer, "nation"), "waiting");
    EXPECT_EQ(delivery_->links()[0].backlog(), 0U);
    EXPECT_EQ(leaves_with({"\"action\":\"deliver\"", "\"result\":\"accepted\"", "\"reason\":\"province\""}), 1);
}

TEST_F(OutgoingParcels, AreAskedAfterUntilTheLevelsBeyondHaveThem) {
    const Answer answer = put("a.p7m", sign(rows(1, 1)));
    const auto origin = origin_of(answer);
    const auto task = next();
    report(task, 200, upper_receipt(origin, as_bytes(task.put().body())));
    auto question = next();
    EXPECT_EQ(question.get().path(), "/v1/submissions/" + std::string(32, 'a'));
    report(question, 200, "waiting\n");
    question = next();
    ASSERT_TRUE(question.has_get());
    // Trouble that has passed is not told for ever: the next parcel may be days away.
    report(question, 503);
    EXPECT_EQ(delivery_->links()[0].last_problem().code(), "XF-7018");
    question = next();
    ASSERT_TRUE(question.has_get());
    report(question, 200, "waiting\n");
    EXPECT_FALSE(delivery_->links()[0].has_last_problem());
    question = next();
    ASSERT_TRUE(question.has_get());
    report(question, 200, "delivered\nnot a receipt");
    EXPECT_EQ(state_of(answer, "nation"), "waiting");
    question = next();
    report(question, 200, "delivered\n" + upper_receipt(origin, as_bytes("the province's parcel")));
    EXPECT_EQ(state_of(answer, "nation"), "delivered");
    EXPECT_EQ(leaves_with({"\"action\":\"deliver\"", "\"reason\":\"nation\""}), 1);
    const auto snapshot = must(ledger_->engine().snapshot());
    EXPECT_EQ(must(storage::find_route(*snapshot, "province")).first_unsettled(), 2U);
}

TEST_F(OutgoingParcels, ThatAreRefusedConsumeTheirNumberAndNeverBlockTheRoute) {
    const Answer first = put("a.p7m", sign(rows(1, 1)));
    const Answer second = put("b.p7m", sign(rows(2, 1)));
    const auto task = next();
    EXPECT_EQ(task.put().path(), "/v1/submissions/administrative-penalty/city.province.1");
    report(task, 422, "{}");
    EXPECT_EQ(state_of(first, "province"), "refused");
    EXPECT_EQ(state_of(first, "nation"), "refused");
    const auto other = next();
    EXPECT_EQ(other.put().path(), "/v1/submissions/administrative-penalty/city.province.2");
    report(other, 201, upper_receipt(origin_of(second), as_bytes(other.put().body())));
    EXPECT_EQ(state_of(second, "province"), "delivered");
    const auto link = delivery_->links()[0];
    EXPECT_EQ(link.backlog(), 0U);
    EXPECT_EQ(link.delivered(), 1U);
    EXPECT_EQ(link.next_sequence(), 3U);
}

TEST_F(OutgoingParcels, StreamWhatDoesNotFitAPacket) {
    const std::string original = sign(rows(1, 2000, std::string(100, 'v')));
    const Answer answer = put("large.p7m", original);
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    const auto task = next();
    ASSERT_FALSE(task.put().has_body());
    std::string body;
    char buffer[65536];
    for (;;) {
        const auto size = ::read(stream_.get(), buffer, sizeof buffer);
        if (size <= 0) {
            break;
        }
        body.append(buffer, static_cast<std::size_t>(size));
    }
    EXPECT_EQ(body.size(), task.put().length());
    EXPECT_NE(body.find(original), std::string::npos);
    report(task, 201, upper_receipt(origin_of(answer), as_bytes(body)));
    EXPECT_EQ(state_of(answer, "province"), "delivered");
}

// ENC-01. The courier, and whoever owns it, carries what it cannot read; a second try carries the same bytes.
TEST_F(OutgoingParcels, TravelInAnEnvelopeThatOnlyTheUpperNodeOpens) {
    const auto upper = envelope_key("province");
    certificates_.upper.emplace("province", upper.certificate());
    rebind();

    for (const std::size_t count : {1u, 2000u}) {  // with the task, and as a stream
        const std::string canary = "canary" + std::string(100, 'v');
        const std::string original = sign(rows(static_cast<int>(count), static_cast<int>(count), canary));
        const Answer answer = put(std::to_string(count), original);
        ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
        std::string first;
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto task = next_put();
            std::string body = task.put().body();
            char buffer[65536];
            for (ssize_t size = 1; !task.put().has_body() && size > 0;) {
                size = ::read(stream_.get(), buffer, sizeof buffer);
                body.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
            }
            EXPECT_EQ(body.size(), task.put().length());
            EXPECT_EQ(body.find("canary"), std::string::npos);
            EXPECT_EQ(body.find("manifest"), std::string::npos);
            EXPECT_EQ(body.find("original_digest"), std::string::npos);
            EXPECT_TRUE(attempt == 0 || body == first);
            first = body;
            report(task, attempt == 0 ? 0 : 201, attempt == 0 ? "" : upper_receipt(origin_of(answer), as_bytes(body)));
        }
        EXPECT_EQ(state_of(answer, "province"), "delivered");

        crypto::EnvelopeReader reader;
        Bytes cipher;
        const auto sink = [&cipher](std::uint64_t, ByteView piece) -> Result<void> {
            cipher.insert(cipher.end(), piece.begin(), piece.end());
            return {};
        };
        ASSERT_TRUE(reader.feed(0, as_bytes(first), sink));
        ASSERT_TRUE(reader.finish());
        ASSERT_TRUE(upper.is_recipient(reader.recipient()));
        crypto::GcmOpener opener(upper.unwrap(reader.recipient(), crypto::system_random()).view(), reader.nonce());
        Bytes parcel;
        opener.update(cipher, parcel);
        ASSERT_TRUE(opener.finish(reader.tag(), parcel));
        EXPECT_NE(as_text(parcel).find(original), std::string_view::npos);
    }
}

}  // namespace
}  // namespace xinfu::vault::test
