// Parcels that wait, many at one time: UP-01, UP-07, OPS-02. How many are made, how many are under way, and in which
// order they come again.
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/vault/parcels_fixture.hpp"

namespace xinfu::vault::test {
namespace {

class WaitingParcels : public OutgoingParcels {};

TEST_F(WaitingParcels, SurviveARestartOfTheVaultAndOfTheCourier) {
    std::vector<Answer> answers;
    for (int i = 0; i < 20; ++i) {
        answers.push_back(put("f" + std::to_string(i), sign(rows(i, 1))));
    }
    const auto lost = next();
    on_loop([this, &lost]() -> asio::awaitable<void> {
        delivery_->abandon({lost.task()});
        co_return;
    });
    rebind();  // nothing in memory is left
    std::set<std::string> paths;
    for (int i = 0; i < 20; ++i) {
        const auto task = next_put();
        EXPECT_TRUE(paths.insert(task.put().path()).second) << task.put().path();
        const auto sequence = storage::parse_parcel_name(task.put().path().substr(task.put().path().rfind('/') + 1));
        const auto& answer = answers.at(static_cast<std::size_t>(sequence->sequence() - 1));
        report(task, 201, upper_receipt(origin_of(answer), as_bytes(task.put().body())));
        EXPECT_EQ(state_of(answer, "province"), "delivered");
    }
    EXPECT_EQ(delivery_->links()[0].backlog(), 0U);
}

TEST_F(WaitingParcels, AsManyAsMayWaitAreMadeAndNotOneMoreHoweverManyComeAtOnce) {
    config_.vault.backlog_limit_parcels = 3;
    ASSERT_EQ(put("first", sign(rows(0, 1))).outcome.kind(), Outcome::CREATED);
    std::promise<void> go_on = hold_the_ledger();
    // All of them are let in, for only one parcel waits; the commit decides.
    std::vector<std::shared_ptr<HandedIn>> exchanges;
    std::promise<void> done;
    std::size_t left = 8;
    for (int i = 1; i <= 8; ++i) {
        auto asked = request("f" + std::to_string(i));
        asked.mutable_open_submission()->set_body(sign(rows(i, 1)));
        exchanges.push_back(std::make_shared<HandedIn>(io_, caller(), std::move(asked)));
    }
    for (const auto& exchange : exchanges) {
        asio::post(io_, [this, exchange, &left, &done] {
            asio::co_spawn(io_, intake_->accept(exchange), [&left, &done](std::exception_ptr) {
                if (--left == 0) {
                    done.set_value();
                }
            });
        });
    }
    const auto all_let_in = [this] {
        bool all = false;
        on_loop([this, &all]() -> asio::awaitable<void> {
            all = intake_->under_way() == 8;
            co_return;
        });
        return all;
    };
    EXPECT_TRUE(soon(all_let_in));
    go_on.set_value();
    done.get_future().wait();
    std::map<std::string, int> codes;
    for (const auto& exchange : exchanges) {
        const Answer answer = answer_of(*exchange);
        ++codes[answer.code];
        if (answer.code == "XF-6011") {
            ASSERT_EQ(exchange->replies.size(), 1U);
            ASSERT_TRUE(exchange->replies[0].has_problem()) << "nothing happened, so there is no receipt";
            EXPECT_GT(exchange->replies[0].problem().retry_after_seconds(), 0U);
        }
    }
    EXPECT_EQ(codes, (std::map<std::string, int>{{"", 2}, {"XF-6011", 6}}));
    EXPECT_EQ(delivery_->links()[0].backlog(), 3U);
    EXPECT_EQ(visible_records(), 3U);
}

TEST_F(WaitingParcels, WhatMakesNoParcelGoesOnWhileAsManyWaitAsMay) {
    config_.vault.backlog_limit_parcels = 1;
    const std::string body = sign(rows(1, 1));
    const Answer first = put("first", body);
    ASSERT_EQ(first.outcome.kind(), Outcome::CREATED);

    auto exchange = std::make_shared<HandedIn>(io_, caller(), request("large"));
    auto opened = exchange->opened();
    std::promise<void> done;
    asio::co_spawn(io_, intake_->accept(exchange), [&done](std::exception_ptr) { done.set_value(); });
    auto answered = done.get_future();
    const auto is_ready = [](const auto& future) {
        return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    EXPECT_TRUE(soon([&] { return is_ready(answered) || is_ready(opened); }));
    if (is_ready(opened)) {
        ADD_FAILURE() << "the body was asked for";
        opened.get().reset();
        asio::post(io_, [exchange] { exchange->say(0, true); });
    }
    answered.wait();
    EXPECT_EQ(answer_of(*exchange).code, "XF-6011");
    EXPECT_EQ(put("first", body).outcome.kind(), Outcome::REPEATED);
    EXPECT_EQ(put("first", sign(rows(2, 1))).code, "XF-5001");
    EXPECT_EQ(put("check", sign(rows(3, 1)), "m-0001", true).outcome.kind(), Outcome::CHECKED);
    auto set = std::make_shared<PolicySet>(*policies_.current());
    set->catalogs[catalog_.name()].add_approvals("submit");
    policies_.replace(set);
    EXPECT_EQ(put("approve", sign(rows(4, 1))).outcome.kind(), Outcome::PENDING);
    set = std::make_shared<PolicySet>(*policies_.current());
    set->catalogs[catalog_.name()].clear_approvals();
    policies_.replace(set);

    const auto task = next_put();
    EXPECT_EQ(put("second", sign(rows(5, 1))).code, "XF-6011") << "it is under way, not delivered";
    report(task, 201, upper_receipt(origin_of(first), as_bytes(task.put().body())));
    EXPECT_EQ(put("second", sign(rows(5, 1))).outcome.kind(), Outcome::CREATED) << "by itself, once there is room";
}

TEST_F(WaitingParcels, AreManyAtOneTimeAsLongAsTheyTakeLittleMemory) {
    std::vector<Answer> answers;
    constexpr std::size_t kMany = Delivery::kSendingMax + 5;
    for (std::size_t i = 0; i < kMany; ++i) {
        answers.push_back(put("small" + std::to_string(i), sign(rows(static_cast<int>(i), 1))));
    }
    std::vector<boundary::Task> tasks;
    while (auto task = next_now()) {
        tasks.push_back(std::move(*task));
    }
    EXPECT_EQ(tasks.size(), Delivery::kSendingMax);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        EXPECT_TRUE(tasks[i].put().path().ends_with("." + std::to_string(i + 1))) << tasks[i].put().path();
        const auto& answer = answers[i];
        report(tasks[i], 201, upper_receipt(origin_of(answer), as_bytes(tasks[i].put().body())));
    }
    for (std::size_t i = tasks.size(); i < kMany; ++i) {
        const auto task = next_put();
        report(task, 201, upper_receipt(origin_of(answers[i]), as_bytes(task.put().body())));
    }
    EXPECT_EQ(delivery_->links()[0].backlog(), 0U);
    // Each of these comes as a stream.
    constexpr int kStreams = 20;
    for (int i = 0; i < kStreams; ++i) {
        put("large" + std::to_string(i), sign(rows(10000 + i * 1000, 1000)));
    }
    std::size_t streams = 0;
    std::vector<boundary::Descriptor> held;
    for (auto task = next_now(); task; task = next_now()) {
        streams += task->has_put();
        held.push_back(std::move(stream_));
    }
    EXPECT_GE(streams, 8U) << "enough for a far level";
    EXPECT_LT(streams, static_cast<std::size_t>(kStreams));
}

TEST_F(WaitingParcels, ThatWereGivenBackComeAgainInTheirOrderAndAreNoFailureOfTheLink) {
    config_.courier.retry_min_ms = std::chrono::milliseconds(1000);
    config_.courier.retry_max_ms = std::chrono::milliseconds(1000);
    for (int i = 1; i <= 30; ++i) {
        put("f" + std::to_string(i), sign(rows(i, 1)));
    }
    std::vector<boundary::Task> tasks;
    while (auto task = next_now()) {
        tasks.push_back(std::move(*task));
    }
    ASSERT_EQ(tasks.size(), 30U);
    report(tasks[0], 503);
    for (std::size_t i = 1; i < tasks.size(); ++i) {
        give_back(tasks[i]);
    }
    EXPECT_EQ(delivery_->links()[0].state(), "retrying");
    EXPECT_EQ(delivery_->links()[0].last_problem().code(), "XF-7018") << "what the first met counts";
    EXPECT_FALSE(next_now()) << "the link rests";
    // One alone shows whether the link is sound; then the others.
    auto first = next();
    EXPECT_TRUE(first.put().path().ends_with(".1")) << first.put().path();
    EXPECT_FALSE(next_now());
    const auto snapshot = must(ledger_->engine().snapshot());
    const auto parcel = *must(storage::find_parcel(*snapshot, "province", 1));
    const auto id = *storage::submission_id_from_bytes(as_bytes(parcel.submission()));
    const auto origin = must(storage::find_submission(*snapshot, id))->origin();
    report(first, 201, upper_receipt(origin, as_bytes(first.put().body())));
    for (int i = 2; i <= 30; ++i) {
        const auto task = next_now(true);
        ASSERT_TRUE(task) << i;
        EXPECT_TRUE(task->put().path().ends_with("." + std::to_string(i))) << task->put().path();
    }
}

}  // namespace
}  // namespace xinfu::vault::test
