// Feeds: what a recipient gets is what its role may extract, on the log before it leaves; who waits is woken by a
// commit and forgotten with its connection. ROL-07, AUD-04.
#include "tests/unit/vault/fixture.hpp"

#include "storage/records.hpp"

namespace xinfu::vault::test {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;

constexpr std::string_view kCatalog = "administrative-penalty";
constexpr std::uint32_t kReadingsMax = 8;
constexpr std::string_view kCanonical =
    "{\"A_NAME\":\"ABCDEF\",\"B_HEAD\":\"GHIJKL\",\"C_NUMBER\":\"123456\",\"D_SECRET\":\"MNOPQR\",\"E_STRANGE\":"
    "\"STUVWX\"}";

class FeedsTest : public VaultTest {
protected:
    void SetUp() override {
        auto set = default_policies();
        auto& catalog = set->catalogs.at(std::string(kCatalog));
        const auto field = [&catalog](std::string code, std::string visibility, std::string mask) {
            auto* made = catalog.add_fields();
            made->set_code(std::move(code));
            made->set_visibility(std::move(visibility));
            made->set_mask(std::move(mask));
        };
        field("A_NAME", "public", "1,0");
        field("B_HEAD", "government", "");
        field("C_NUMBER", "authorised", "2,0");
        field("D_SECRET", "secret", "");
        const auto role = [&set](std::string name, policies::Scope scope, std::vector<std::string> fields) {
            policies::Role made;
            made.name = std::move(name);
            made.kind = "machine";
            made.grants.push_back({"extract", "*", scope, std::move(fields)});
            set->access.roles.push_back(std::move(made));
        };
        role("recipient", policies::Scope::all, {"public"});
        role("government_recipient", policies::Scope::all, {"public", "government"});
        role("court", policies::Scope::all, {"authorised"});
        role("own_only", policies::Scope::own_unit, {"public"});
        policies_.replace(set);
        config_.vault.readings_per_account_hour = kReadingsMax;
        handshakes_.emplace(HandshakePeer::gateway, *context_, handles_, revocations_);
        gateway_.emplace(*context_, handles_, revocations_, sessions_);
    }
    std::string connect(std::vector<std::string> roles) {
        const auto number = ++connections_;
        return handshakes_->prove(number, enrol_machine("m-" + std::to_string(number), kUnit, std::move(roles)))
            .proven()
            .handle();
    }
    // An accepted submission with so many records; answers its id as text.
    std::string add(std::uint32_t count, std::string_view unit = kOtherUnit,
                    const std::function<void(storage::rows::RecordBlock::Record&)>& change_it = nullptr) {
        const auto id =
            storage::make_submission_id(clock_->now().time_since_epoch().count(), crypto::system_random().array<10>());
        const auto key = crypto::system_random().array<32>();
        change([&](storage::WriteTransaction& transaction) {
            storage::rows::Submission row;
            row.set_state(storage::rows::Submission::ACCEPTED);
            row.set_catalog(std::string(kCatalog));
            row.set_unit(std::string(unit));
            const Bytes wrapped = must(keys_->wrap_data_key(unit, id, key));
            row.set_wrapped_key(wrapped.data(), wrapped.size());
            row.set_blocks(1);
            must(storage::put_submission(transaction, id, row));
            storage::rows::RecordBlock block;
            for (std::uint32_t i = 0; i < count; ++i) {
                auto* record = block.add_records();
                record->set_position(i);
                record->set_canonical(std::string(kCanonical));
                record->set_line(2 + i);
                if (change_it) {
                    change_it(*record);
                }
            }
            const storage::RecordSealer sealer(id, key);
            must(storage::put_record_block(transaction, id, 0, sealer.seal_block(0, block)));
            must(storage::append_feed(transaction, kCatalog, id, count));
        });
        return storage::to_text(id);
    }
    GatewayRequest page(const std::string& handle, std::uint64_t after, std::uint32_t limit = 1000) {
        GatewayRequest request;
        request.set_handle(handle);
        request.mutable_read_feed()->set_catalog(std::string(kCatalog));
        request.mutable_read_feed()->set_after(after);
        request.mutable_read_feed()->set_limit(limit);
        return request;
    }
    GatewayRequest wait(const std::string& handle, std::uint64_t after, std::uint32_t seconds = 30) {
        GatewayRequest request;
        request.set_handle(handle);
        request.mutable_watch_feed()->set_catalog(std::string(kCatalog));
        request.mutable_watch_feed()->set_after(after);
        request.mutable_watch_feed()->set_seconds(seconds);
        return request;
    }
    // The page's bytes.
    std::string read(const std::string& handle, std::uint64_t after, std::uint32_t limit = 1000) {
        head_ = gateway_->ask(page(handle, after, limit));
        EXPECT_TRUE(head_.has_feed()) << head_.problem().code();
        std::string text;
        for (bool more = head_.more(); more;) {
            const auto part = gateway_->receive();
            text += part.text().part();
            more = part.has_text() && part.more();
        }
        return text;
    }

    std::optional<HandshakePeerDouble> handshakes_;
    std::optional<GatewayDouble> gateway_;
    std::uint64_t connections_ = 0;
    GatewayReply head_;
};

TEST_F(FeedsTest, ShowsTheFieldsOfARolesClassesMaskedAndNoOthers) {
    const std::string id = add(1);
    const auto line = [&id](const std::string& fields) {
        return "{\"seq\":1,\"op\":\"put\",\"record\":\"" + id + "-2\",\"version\":1,\"submission\":\"" + id +
               "\",\"fields\":" + fields + "}\n";
    };
    EXPECT_EQ(read(connect({"recipient"}), 0), line("{\"A_NAME\":\"A*****\"}"));
    EXPECT_EQ(read(connect({"government_recipient"}), 0), line("{\"A_NAME\":\"A*****\",\"B_HEAD\":\"GHIJKL\"}"));
    EXPECT_EQ(read(connect({"court"}), 0), line("{\"C_NUMBER\":\"12****\"}"));
    EXPECT_EQ(read(connect({"recipient", "court"}), 0), line("{\"A_NAME\":\"A*****\",\"C_NUMBER\":\"12****\"}"));
}

TEST_F(FeedsTest, Rol07DeniesWhoeverHasNoGrantToExtract) {
    add(1);
    EXPECT_EQ(gateway_->ask(page(connect({"submitter"}), 0)).problem().code(), "XF-2001");
    EXPECT_EQ(gateway_->ask(wait(connect({"submitter"}), 0)).problem().code(), "XF-2001");
    GatewayRequest other = page(connect({"recipient"}), 0);
    other.mutable_read_feed()->set_catalog("no-such");
    EXPECT_EQ(gateway_->ask(other).problem().code(), "XF-2003");
    EXPECT_EQ(leaves_with({"\"extract\"", "XF-2001"}), 2);
}

TEST_F(FeedsTest, PassesOverUnitsThatTheGrantDoesNotCoverAndSaysHowFarItLooked) {
    add(2, kOtherUnit);
    const std::string mine = add(1, kUnit);
    add(3, kOtherUnit);
    const std::string text = read(connect({"own_only"}), 0);
    EXPECT_EQ(text.find("{\"seq\":3,"), 0U) << text;
    EXPECT_NE(text.find(mine), std::string::npos);
    EXPECT_EQ(head_.feed().count(), 1U);
    EXPECT_EQ(head_.feed().next(), 6U);
}

TEST_F(FeedsTest, TellsCorrectionsAndWithdrawalsByTheNameOfTheirRecord) {
    const std::string named = storage::to_text(storage::SubmissionId{7});
    const auto changes = [](std::uint64_t version, bool withdrawal) {
        return [version, withdrawal](storage::rows::RecordBlock::Record& record) {
            const storage::SubmissionId first{7};
            record.set_first_submission(first.data(), first.size());
            record.set_first_line(9);
            record.set_version(version);
            record.set_withdrawal(withdrawal);
        };
    };
    const std::string one = add(1, kUnit, changes(2, false));
    const std::string other = add(1, kUnit, changes(3, true));
    EXPECT_EQ(read(connect({"recipient"}), 0),
              "{\"seq\":1,\"op\":\"correct\",\"record\":\"" + named + "-9\",\"version\":2,\"submission\":\"" + one +
                  "\",\"fields\":{\"A_NAME\":\"A*****\"}}\n{\"seq\":2,\"op\":\"withdraw\",\"record\":\"" + named +
                  "-9\",\"version\":3,\"submission\":\"" + other + "\"}\n");
}

TEST_F(FeedsTest, Aud04HasALeafForEachPageWithItsRangeAndDigest) {
    add(3);
    add(2);
    const std::string handle = connect({"recipient"});
    const std::string text = read(handle, 1, 3);
    EXPECT_EQ(head_.feed().count(), 3U);
    EXPECT_EQ(head_.feed().next(), 4U);
    const auto leaf = entries().at(head_.feed().leaf());
    for (const auto& expected :
         {std::string("\"action\":\"extract\""), std::string("\"id\":\"2-4\""), std::string("\"records\":3"),
          std::string("\"reason\":\"public\""), "\"digest\":\"" + to_hex(crypto::sha256(as_bytes(text))) + "\""}) {
        EXPECT_NE(leaf.find(expected), std::string::npos) << expected << " in " << leaf;
    }
    EXPECT_EQ(read(handle, 5), "");
    EXPECT_FALSE(head_.feed().has_leaf());
    EXPECT_EQ(read(handle, 99), "");
    EXPECT_EQ(head_.feed().next(), 99U);
    EXPECT_EQ(leaves_with({"\"extract\""}), 2) << "one for the page, one for what was empty in this minute";
}

TEST_F(FeedsTest, WakesWhoeverWaitsForWhatACommitBrought) {
    const std::string handle = connect({"recipient"});
    add(1);
    EXPECT_TRUE(gateway_->ask(wait(handle, 0)).feed_news().arrived()) << "it is there already";
    ASSERT_TRUE(gateway_->send(wait(handle, 1)));
    ASSERT_TRUE(gateway_->send(wait(handle, 2)));
    ASSERT_TRUE(soon([&] { return gateway_->waiting() == 2; }));
    add(1);
    gateway_->look_at_feeds();
    EXPECT_TRUE(gateway_->receive().feed_news().arrived());
    EXPECT_EQ(gateway_->waiting(), 1U) << "there is nothing behind the second";
    add(1);
    gateway_->look_at_feeds();
    EXPECT_TRUE(gateway_->receive().feed_news().arrived());
    EXPECT_EQ(leaves_with({"\"extract\""}), 0);
}

TEST_F(FeedsTest, SaysThatNothingCameWhenTheTimeIsOver) {
    const auto reply = gateway_->ask(wait(connect({"recipient"}), 0, 1));
    ASSERT_TRUE(reply.has_feed_news());
    EXPECT_FALSE(reply.feed_news().arrived());
    EXPECT_EQ(gateway_->waiting(), 0U);
}

TEST_F(FeedsTest, ForgetsWhoeverWaitedWithItsConnection) {
    const std::string handle = connect({"recipient"});
    ASSERT_TRUE(gateway_->send(wait(handle, 0)));
    ASSERT_TRUE(soon([&] { return gateway_->waiting() == 1; }));
    GatewayRequest gone;
    gone.set_handle(handle);
    gone.mutable_disconnected();
    ASSERT_TRUE(gateway_->send(gone));
    EXPECT_TRUE(soon([&] { return gateway_->waiting() == 0; }));
}

TEST_F(FeedsTest, LetsNoAccountWaitMoreOftenThanItMay) {
    const std::string handle = connect({"recipient"});
    for (std::size_t i = 0; i < kFeedWaitingMax; ++i) {
        ASSERT_TRUE(gateway_->send(wait(handle, 0)));
    }
    EXPECT_EQ(gateway_->ask(wait(handle, 0)).problem().code(), "XF-1108");
    EXPECT_EQ(gateway_->waiting(), kFeedWaitingMax);
    const std::string other = connect({"recipient"});
    ASSERT_TRUE(gateway_->send(wait(other, 0)));
    EXPECT_TRUE(soon([&] { return gateway_->waiting() == kFeedWaitingMax + 1; }));
}

TEST_F(FeedsTest, CountsPagesAmongWhatAnAccountReadsInAnHourAndNotWaiting) {
    const std::string handle = connect({"recipient"});
    add(3);
    for (std::uint32_t i = 0; i < kReadingsMax; ++i) {
        read(handle, 2, 1);
        EXPECT_TRUE(gateway_->ask(wait(handle, 0)).feed_news().arrived());
    }
    EXPECT_EQ(gateway_->ask(page(handle, 2, 1)).problem().code(), "XF-2008");
    EXPECT_TRUE(gateway_->ask(wait(handle, 0)).feed_news().arrived());
}

TEST_F(FeedsTest, ClosesAGatewayThatAsksBeyondTheBounds) {
    ASSERT_TRUE(gateway_->send(page(connect({"recipient"}), 0, 1001)));
    EXPECT_EQ(gateway_->why_ended(), boundary::Errc::unexpected);
}

}  // namespace
}  // namespace xinfu::vault::test
