// Fixture: a city whose own log plays the levels above, and what the tests of parcels share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "crypto/der.hpp"
#include "daemon/vault/delivery.hpp"
#include "daemon/vault/receipt.hpp"
#include "storage/parcels.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {

using Outcome = boundary::SubmissionOutcome;

// As `openssl cms -nocerts` makes it of the same signature: SignedData is {version, digest algorithms, content,
// certificates [0], signers} (RFC 5652 section 5.1).
inline void leave_out_certificates(std::string& cms) {
    using namespace crypto;
    DerReader outer(der_single(as_bytes(cms), kDerSequence)->contents);
    const auto type = outer.next();
    DerReader fields(DerReader(outer.next()->contents).next()->contents);
    const auto version = fields.next();
    const auto digests = fields.next();
    const auto content = fields.next();
    ASSERT_TRUE(fields.next(der_context(0)));
    const auto signers = fields.next();
    const auto data = der_encode(kDerSequence, {version->whole, digests->whole, content->whole, signers->whole});
    const auto whole = der_encode(kDerSequence, {type->whole, der_encode(der_context(0), {data})});
    cms = as_text(whole);
}

// This node is the city; its own log plays the levels above, whose leaves the test writes.
class OutgoingParcels : public IntakeTest {
protected:
    OutgoingParcels() {
        crypto::DistinguishedName subject;
        subject.common_name = "city";
        crypto::IssueOptions options;
        options.not_before = seconds(std::chrono::hours(-1));
        options.not_after = seconds(std::chrono::hours(24));
        certificates_.parcel = {must(authority_.issue(subject, keys_->parcel().public_key(), options))};
        config::Route route;
        route.name = "province";
        route.level = "province";
        route.node = "province";
        route.url = "https://127.0.0.1:1";
        route.log_key = log_key_;
        route.onward = {{"nation", "nation", log_key_}};
        config_.routes = {route};
        config_.courier.retry_min_ms = std::chrono::milliseconds(1);
        config_.courier.retry_max_ms = std::chrono::milliseconds(2);
        rebind();
    }
    void rebind() override {
        IntakeTest::rebind();
        cosignatures_ = std::make_unique<Cosignatures>(*context_);
        must(cosignatures_->start());
        cosignatures_->begin();
        delivery_ = std::make_unique<Delivery>(*context_, *cosignatures_);
        must(delivery_->start());
        intake_->on_parcels = [this] { delivery_->wake(); };
    }

    boundary::Task next() {
        boundary::Task task;
        on_loop([this, &task]() -> asio::awaitable<void> {
            auto waiting = delivery_->next("province");
            auto work = co_await std::move(waiting);
            if (work) {
                task = std::move(work->task);
                stream_ = std::move(work->body);
            }
        });
        return task;
    }
    // What is given out without waiting; `put`: questions are told to wait.
    std::optional<boundary::Task> next_now(bool put = false) {
        for (;;) {
            std::optional<boundary::Task> task;
            on_loop([this, &task]() -> asio::awaitable<void> {
                using namespace asio::experimental::awaitable_operators;
                asio::steady_timer soon(io_, std::chrono::milliseconds(50));
                auto asking = delivery_->next("province");
                auto waiting = soon.async_wait(asio::use_awaitable);
                auto racing = std::move(asking) || std::move(waiting);
                auto first = co_await std::move(racing);
                if (auto* work = std::get_if<0>(&first); work && *work) {
                    task = std::move((*work)->task);
                    stream_ = std::move((*work)->body);
                }
            });
            if (!task || !put || task->has_put()) {
                return task;
            }
            report(*task, 200, "waiting\n");
        }
    }
    void give_back(const boundary::Task& task) {
        on_loop([this, &task]() -> asio::awaitable<void> {
            boundary::TaskResult result;
            result.set_task(task.task());
            result.set_given_back(true);
            auto reporting = delivery_->report(std::move(result));
            const auto reported = co_await std::move(reporting);
            EXPECT_TRUE(reported);
        });
    }
    // Questions take turns with parcels; here they are told to wait.
    boundary::Task next_put() {
        for (;;) {
            auto task = next();
            if (!task.has_get()) {
                EXPECT_TRUE(task.has_put());
                return task;
            }
            report(task, 200, "waiting\n");
        }
    }
    void report(const boundary::Task& task, std::uint32_t status, std::string body = {}) {
        on_loop([this, &task, status, &body]() -> asio::awaitable<void> {
            boundary::TaskResult result;
            result.set_task(task.task());
            result.set_http_status(status);
            result.set_body(body);
            auto reporting = delivery_->report(std::move(result));
            const auto reported = co_await std::move(reporting);
            EXPECT_TRUE(reported);
        });
    }
    // A leaf as the upper level would write it, and its receipt from this node's log.
    std::string upper_receipt(const storage::rows::Origin& origin, ByteView body, std::string result = "accepted") {
        std::uint64_t index = 0;
        std::promise<void> done;
        storage::Operation operation;
        operation.apply = [&](storage::Batch& batch) {
            storage::Leaf leaf;
            leaf.action = "submit";
            leaf.result = result;
            crypto::Digest content{};
            std::ranges::copy(as_bytes(origin.digest()), content.begin());
            leaf.object = {"submission", std::string(32, 'a'), crypto::sha256(body), content};
            leaf.origin = storage::LeafOrigin{origin.node(), origin.index(), content};
            index = leaves_->append(batch, leaf);
            return Result<void>{};
        };
        operation.done = [&done](Result<storage::Committed>) { done.set_value(); };
        must(ledger_->submit(std::move(operation)));
        done.get_future().wait();
        return must(newest_receipt(*ledger_, index));
    }
    storage::rows::Origin origin_of(const Answer& answer) {
        const auto snapshot = must(ledger_->engine().snapshot());
        const auto id = *storage::submission_id_from_text(answer.outcome.id());
        return must(storage::find_submission(*snapshot, id))->origin();
    }
    std::string state_of(const Answer& answer, std::string_view level) {
        const auto snapshot = must(ledger_->engine().snapshot());
        const auto id = *storage::submission_id_from_text(answer.outcome.id());
        const auto row = must(storage::find_acknowledgement(*snapshot, id, level));
        if (!row) {
            return "none";
        }
        using storage::rows::Acknowledgement;
        return row->state() == Acknowledgement::WAITING     ? "waiting"
               : row->state() == Acknowledgement::DELIVERED ? "delivered"
                                                            : "refused";
    }

    std::unique_ptr<Cosignatures> cosignatures_;
    std::unique_ptr<Delivery> delivery_;
    boundary::Descriptor stream_;
};

}  // namespace xinfu::vault::test
