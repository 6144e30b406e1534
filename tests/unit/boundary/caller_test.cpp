// The asking side of a connection: several questions at once, answers in parts, and a vault that dies or
// errs.
#include "daemon/boundary/caller.hpp"

#include <map>
#include <optional>
#include <string>

#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/gateway.pb.h"
#include "tests/unit/boundary/loop.hpp"

namespace xinfu::boundary {
namespace {

using GatewayCaller = Caller<GatewayRequest, GatewayReply>;

class CallerTest : public testing::Test {
protected:
    CallerTest() {
        auto pair = make_packet_pair();
        vault_.emplace(io_.get_executor(), test::connection(std::move(pair->first)));
        caller_.emplace(PacketChannel(io_.get_executor(), test::connection(std::move(pair->second), true)));
        const auto ended = [this](const std::exception_ptr& thrown, boost::system::error_code why) {
            test::rethrow(thrown);
            ended_ = why;
        };
        asio::co_spawn(io_, caller_->run(), ended);
    }

    asio::awaitable<std::uint64_t> take_request() {
        auto receiving = vault_->receive<GatewayRequest>();
        const auto request = co_await std::move(receiving);
        EXPECT_TRUE(request.has_value());
        co_return request->message.id();
    }
    asio::awaitable<void> answer(std::uint64_t id, std::string part, bool more = false) {
        GatewayReply reply;
        reply.set_id(id);
        reply.set_more(more);
        reply.mutable_text()->set_part(part);
        auto sending = vault_->send(reply);
        const auto sent = co_await std::move(sending);
        EXPECT_TRUE(sent.has_value());
    }
    static GatewayRequest question(const std::string& id) {
        GatewayRequest request;
        request.mutable_get_receipt()->set_id(id);
        return request;
    }

    asio::io_context io_;
    std::optional<PacketChannel> vault_;
    std::optional<GatewayCaller> caller_;
    std::optional<boost::system::error_code> ended_;
};

TEST_F(CallerTest, BringsAnswersToTheirQuestionsWhateverTheirOrder) {
    const auto ask = [this](std::string what) -> asio::awaitable<void> {
        auto asking = caller_->ask(question(what));
        const auto reply = co_await std::move(asking);
        EXPECT_EQ(reply->message.text().part(), what);
    };
    const auto serve = [this]() -> asio::awaitable<void> {
        std::vector<GatewayRequest> requests;
        for (int n = 0; n < 3; ++n) {
            auto receiving = vault_->receive<GatewayRequest>();
            auto request = co_await std::move(receiving);
            requests.push_back(std::move(request->message));
        }
        for (auto each = requests.rbegin(); each != requests.rend(); ++each) {
            auto answering = answer(each->id(), each->get_receipt().id());
            co_await std::move(answering);
        }
    };
    test::run(io_, ask("one"), ask("two"), ask("three"), serve());
    EXPECT_EQ(caller_->pending(), 0U);
}

TEST_F(CallerTest, BringsTheOutcomeOfASubmissionThatComesBeforeItsEnd) {
    const auto submit = [this]() -> asio::awaitable<void> {
        GatewayRequest open;
        open.mutable_open_submission()->set_name("a");
        auto starting = caller_->start(open);
        auto call = co_await std::move(starting);
        auto first = call->next();
        const auto opened = co_await std::move(first);
        EXPECT_TRUE(opened->message.has_opened());
        auto second = call->next();
        const auto outcome = co_await std::move(second);
        EXPECT_TRUE(outcome->message.has_outcome());
        GatewayRequest finish;
        finish.mutable_finish_submission()->set_submission(call->id());
        auto telling = caller_->tell(finish);
        const auto told = co_await std::move(telling);
        EXPECT_TRUE(told.has_value());
        auto third = call->next();
        const auto nothing = co_await std::move(third);
        EXPECT_EQ(nothing.error(), Errc::closed);
    };
    const auto serve = [this]() -> asio::awaitable<void> {
        auto taking = take_request();
        const auto id = co_await std::move(taking);
        GatewayReply opened;
        opened.set_id(id);
        opened.set_more(true);
        opened.mutable_opened();
        auto sending_opened = vault_->send(opened);
        static_cast<void>((co_await std::move(sending_opened)).has_value());
        GatewayReply outcome;
        outcome.set_id(id);
        outcome.mutable_outcome()->set_id("s-1");
        auto sending_outcome = vault_->send(outcome);
        static_cast<void>((co_await std::move(sending_outcome)).has_value());
        auto taking_finish = take_request();
        const auto finish = co_await std::move(taking_finish);
        EXPECT_EQ(finish, id + 1);
    };
    test::run(io_, submit(), serve());
}

TEST_F(CallerTest, FailsEveryPendingCallRetryablyWhenTheVaultDies) {
    int lost = 0;
    const auto ask = [&]() -> asio::awaitable<void> {
        auto asking = caller_->ask(question("x"));
        const auto reply = co_await std::move(asking);
        EXPECT_TRUE(is_retryable(reply.error())) << reply.error().message();
        ++lost;
    };
    const auto die = [&]() -> asio::awaitable<void> {
        auto taking = take_request();
        static_cast<void>(co_await std::move(taking));
        vault_.reset();
    };
    test::run(io_, ask(), ask(), ask(), die());
    EXPECT_EQ(lost, 3);
    test::run(io_, ask());
    EXPECT_EQ(lost, 4) << "a question after the death";
    EXPECT_EQ(ended_, make_error_code(Errc::closed));
}

TEST_F(CallerTest, DropsWhatStillComesForAnAbandonedCall) {
    const auto abandon = [this]() -> asio::awaitable<void> {
        auto starting = caller_->start(question("x"));
        auto call = co_await std::move(starting);
        auto waiting = call->next();
        static_cast<void>((co_await std::move(waiting)).has_value());
    };
    const auto serve = [this]() -> asio::awaitable<void> {
        auto taking = take_request();
        const auto id = co_await std::move(taking);
        for (int n = 0; n < 3; ++n) {
            auto answering = answer(id, "part", n < 2);
            co_await std::move(answering);
        }
        auto taking_next = take_request();
        const auto next = co_await std::move(taking_next);
        auto answering = answer(next, "fresh");
        co_await std::move(answering);
    };
    const auto then_ask = [this, &abandon]() -> asio::awaitable<void> {
        auto abandoning = abandon();
        co_await std::move(abandoning);
        auto asking = caller_->ask(question("y"));
        const auto reply = co_await std::move(asking);
        EXPECT_EQ(reply->message.text().part(), "fresh");
    };
    test::run(io_, then_ask(), serve());
    EXPECT_EQ(caller_->pending(), 0U);
}

TEST_F(CallerTest, ClosesAVaultThatAnswersWhatNobodyAsked) {
    const auto serve = [this]() -> asio::awaitable<void> {
        auto answering = answer(99, "surprise");
        co_await std::move(answering);
        auto receiving = vault_->receive_bytes();
        const auto end = co_await std::move(receiving);
        EXPECT_EQ(end.error(), Errc::closed);
    };
    test::run(io_, serve());
    EXPECT_EQ(ended_, make_error_code(Errc::unexpected));
}

TEST_F(CallerTest, FailsOnlyTheCallThatDoesNotReadItsReplies) {
    constexpr std::size_t kParts = kUnreadRepliesMax + 1;
    const auto serve = [&]() -> asio::awaitable<void> {
        auto taking_slow = take_request();
        const auto slow = co_await std::move(taking_slow);
        for (std::size_t n = 0; n < kParts; ++n) {
            auto answering = answer(slow, "part", n + 1 < kParts);
            co_await std::move(answering);
        }
        auto taking_other = take_request();
        const auto other = co_await std::move(taking_other);
        auto answering = answer(other, "fine");
        co_await std::move(answering);
    };
    const auto be_slow = [&]() -> asio::awaitable<void> {
        auto starting = caller_->start(question("x"));
        auto call = co_await std::move(starting);
        auto asking = caller_->ask(question("y"));
        const auto reply = co_await std::move(asking);
        EXPECT_EQ(reply->message.text().part(), "fine");
        auto waiting = call->next();
        const auto lost = co_await std::move(waiting);
        EXPECT_EQ(lost.error(), Errc::overrun);
    };
    test::run(io_, be_slow(), serve());
}

TEST(Caller, ServesMessagesWithoutParts) {
    asio::io_context io;
    auto pair = make_packet_pair();
    PacketChannel vault(io.get_executor(), test::connection(std::move(pair->first)));
    Caller<CourierRequest, CourierReply> caller(
        PacketChannel(io.get_executor(), test::connection(std::move(pair->second), true)));
    asio::co_spawn(io, caller.run(), [](const std::exception_ptr&, boost::system::error_code) {});
    const auto ask = [&]() -> asio::awaitable<void> {
        CourierRequest request;
        request.mutable_next_task()->set_route("province");
        auto asking = caller.ask(request);
        const auto reply = co_await std::move(asking);
        EXPECT_TRUE(reply->message.has_nothing());
    };
    const auto serve = [&]() -> asio::awaitable<void> {
        auto receiving = vault.receive<CourierRequest>();
        const auto request = co_await std::move(receiving);
        CourierReply reply;
        reply.set_id(request->message.id());
        reply.mutable_nothing();
        auto sending = vault.send(reply);
        static_cast<void>((co_await std::move(sending)).has_value());
    };
    test::run(io, ask(), serve());
}

}  // namespace
}  // namespace xinfu::boundary
