// A vault that takes files: a department, its signed files, and a gateway that hands them in.
#pragma once

#include <sys/socket.h>

#include <future>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "crypto/cms_writer.hpp"
#include "crypto/tlog_proof.hpp"
#include "daemon/vault/accept_submission.hpp"
#include "daemon/vault/sweep.hpp"
#include "storage/records.hpp"
#include "tests/unit/vault/fixture.hpp"
#include "tests/unit/vault/plain_inspector.hpp"

namespace xinfu::vault::test {

// The gateway's side of one OpenSubmission.
class HandedIn : public Exchange {
public:
    HandedIn(asio::io_context& io, Caller caller, boundary::GatewayRequest request)
        : caller_(std::move(caller)), request_(std::move(request)), said_(io) {
        said_.expires_at(asio::steady_timer::time_point::max());
    }
    const boundary::GatewayRequest& request() const override { return request_; }
    const Caller& caller() const override { return caller_; }
    asio::awaitable<Result<void>> reply(boundary::GatewayReply reply, boundary::Descriptor descriptor) override {
        if (reply.has_opened()) {
            opened_.set_value(std::move(descriptor));
        } else {
            replies.push_back(std::move(reply));
        }
        co_return Result<void>{};
    }
    asio::awaitable<Result<boundary::FinishSubmission>> finish() override {
        while (!finish_ && !stopped_) {
            auto waiting = said_.async_wait(asio::as_tuple(asio::use_awaitable));
            co_await std::move(waiting);
        }
        if (finish_) {
            co_return *finish_;
        }
        co_return boundary::Errc::closed;
    }
    void stop_waiting() override {
        stopped_ = true;
        said_.cancel();
    }
    bool abandoned() const override { return false; }

    // From the loop's thread.
    void say(std::uint64_t length, bool aborted) {
        finish_.emplace();
        finish_->set_length(length);
        finish_->set_aborted(aborted);
        said_.cancel();
    }
    std::future<boundary::Descriptor> opened() { return opened_.get_future(); }
    std::vector<boundary::GatewayReply> replies;

private:
    Caller caller_;
    boundary::GatewayRequest request_;
    asio::steady_timer said_;
    std::promise<boundary::Descriptor> opened_;
    std::optional<boundary::FinishSubmission> finish_;
    bool stopped_ = false;
};

class IntakeTest : public VaultTest {
protected:
    IntakeTest() {
        config_.vault.disk_reserve_bytes = 0;
        auto set = default_policies();
        set->digest = crypto::sha256({});  // of no packs, as in the store
        catalog_ = toy_catalog();
        set->catalogs.insert_or_assign(catalog_.name(), catalog_);
        set->catalogs[catalog_.name()].set_accept_valid(false);
        policies_.replace(set);
        sender_.emplace(enrol_machine("m-0001", kUnit, {"submitter"}));
        certificates_.anchors = {authority_.certificate()};
        certificates_.parcel = {sender_->certificate};  // no parcel is made without a route
        intake_ = std::make_unique<Intake>(*context_, revocations_, certificates_);
        behave();
    }
    ~IntakeTest() override {
        on_loop([this]() -> asio::awaitable<void> {
            inspectors_->stop();
            co_return;
        });
    }

    void behave() { misbehave(nullptr); }
    void misbehave(PlainInspector::Tamper tamper) {
        inspector_script_ = [this, tamper](boundary::BlockingChannel& channel) {
            PlainInspector inspector(channel, tamper);
            inspector.manifest_reader = manifest_reader_;
            inspector.run();
        };
        on_loop([this]() -> asio::awaitable<void> {  // those that are idle would still behave as before
            inspectors_ = nullptr;
            const std::function<asio::awaitable<Result<boundary::Connection>>()> dial =
                [this]() -> asio::awaitable<Result<boundary::Connection>> { co_return dial_inspector(); };
            InspectorLimits limits;
            limits.back_off_min = std::chrono::milliseconds(0);
            limits.back_off_max = std::chrono::milliseconds(0);
            limits.silence_max = silence_max_;
            inspectors_ = std::make_unique<Inspectors>(io_, dial, limits);
            co_return;
        });
        rebind();
    }

    static std::string row(int number, std::string_view value = "fine", std::string_view unit = kUnit) {
        return "No. " + std::to_string(number) + "|91219900MA0A00001X|" + std::string(value) + "|" + std::string(unit) +
               "\n";
    }
    static std::string rows(int first, int count, std::string_view value = "fine") {
        std::string content;
        for (int i = first; i < first + count; ++i) {
            content += row(i, value);
        }
        return content;
    }
    std::string sign(const std::string& content, const Holder& holder) {
        const auto writer = must(crypto::CmsWriter::create(holder.key, holder.certificate, content.size(),
                                                           seconds(std::chrono::seconds(0))));
        const auto suffix = must(writer.finish(crypto::sha256(as_bytes(content))));
        return std::string(as_text(writer.prefix())) + content + std::string(as_text(suffix));
    }
    std::string sign(const std::string& content) { return sign(content, *sender_); }

    Caller caller(std::string account = "m-0001") {
        Caller made;
        const auto snapshot = must(ledger_->engine().snapshot());
        const auto found = *must(storage::find_account(*snapshot, account));
        made.principal.account = found.id;
        made.principal.kind = found.kind;
        made.principal.unit = found.unit;
        made.principal.units = found.units;
        made.principal.roles = found.roles;
        made.principal.certificate = found.certificates.front();
        made.source = "192.0.2.7";
        made.role = found.roles.front();
        return made;
    }
    static boundary::GatewayRequest request(const std::string& name, bool check_only = false) {
        boundary::GatewayRequest request;
        request.set_id(1);
        request.mutable_open_submission()->set_catalog("administrative-penalty");
        request.mutable_open_submission()->set_name(name);
        request.mutable_open_submission()->set_check_only(check_only);
        return request;
    }

    struct Answer {
        boundary::SubmissionOutcome outcome;
        std::string code;  // of the problem, in the outcome or alone
        std::vector<boundary::Defect> defects;
    };
    static Answer answer_of(const HandedIn& exchange) {
        Answer answer;
        answer.outcome.set_kind(boundary::SubmissionOutcome::REFUSED);  // until one says otherwise
        for (const auto& reply : exchange.replies) {
            if (reply.has_problem()) {
                answer.code = reply.problem().code();
            } else if (reply.has_outcome()) {
                answer.outcome = reply.outcome();
                answer.code = reply.outcome().problem().code();
            } else {
                answer.defects.insert(answer.defects.end(), reply.defects().defects().begin(),
                                      reply.defects().defects().end());
            }
        }
        return answer;
    }

    Answer put(const std::string& name, const std::string& body, std::string account = "m-0001",
               bool check_only = false) {
        if (body.size() > boundary::kPartSizeBytesMax) {
            return put_stream(name, body, std::move(account));
        }
        auto asked = request(name, check_only);
        asked.mutable_open_submission()->set_body(body);
        auto exchange = std::make_shared<HandedIn>(io_, caller(std::move(account)), std::move(asked));
        on_loop([this, exchange] { return intake_->accept(exchange); });
        return answer_of(*exchange);
    }
    // `length`: how much of the body the client really sends before it vanishes.
    Answer put_stream(const std::string& name, const std::string& body, std::string account = "m-0001",
                      std::optional<std::size_t> length = std::nullopt) {
        auto exchange = std::make_shared<HandedIn>(io_, caller(std::move(account)), request(name));
        auto opened = exchange->opened();
        std::thread gateway([this, exchange, &opened, &body, length] {
            if (opened.wait_for(std::chrono::seconds(10)) != std::future_status::ready) {
                return;
            }
            boundary::Descriptor stream = opened.get();
            std::size_t sent = 0;
            for (const std::size_t wanted = length.value_or(body.size()); sent < wanted;) {
                const auto count =
                    ::send(stream.get(), body.data() + sent, std::min<std::size_t>(wanted - sent, 60000), MSG_NOSIGNAL);
                if (count <= 0) {
                    break;
                }
                sent += static_cast<std::size_t>(count);
            }
            stream.reset();
            asio::post(io_, [exchange, sent, aborted = length.has_value()] { exchange->say(sent, aborted); });
        });
        on_loop([this, exchange] { return intake_->accept(exchange); });
        gateway.join();
        return answer_of(*exchange);
    }

    std::uint64_t count(storage::Table table) {
        const auto snapshot = must(ledger_->engine().snapshot());
        return must(snapshot->count(table));
    }
    std::size_t objects() {
        std::size_t found = 0;
        must(objects_->visit([&found](const storage::ObjectId&, std::uint64_t) {
            ++found;
            return true;
        }));
        return found;
    }
    // Records of the toy subject that count, as a query would see them.
    std::size_t visible_records() {
        const auto snapshot = must(ledger_->engine().snapshot());
        std::size_t visible = 0;
        const auto key = storage::subject_key(keys_->index(), catalog_.name(), "91219900MA0A00001X");
        must(storage::visit_subject(*snapshot, key, [&](const storage::RecordPlace& place) {
            const auto row = must(storage::find_submission(*snapshot, place.submission));
            visible += row && storage::claims_count(*row);
            return true;
        }));
        return visible;
    }

    crypto::TlogProof proof(const std::string& receipt) {
        auto parsed = must(crypto::parse_tlog_proof(receipt));
        const auto log = must(crypto::NoteVerifier::parse(log_key_));
        EXPECT_TRUE(crypto::verify_tlog_proof(parsed, {&log}));
        return parsed;
    }
    // Nothing is written until the promise is kept.
    std::promise<void> hold_the_ledger() {
        std::promise<void> go_on;
        auto holding = std::make_shared<std::promise<void>>();
        auto wait = std::make_shared<std::shared_future<void>>(go_on.get_future());
        must(ledger_->submit({[holding, wait](storage::Batch&) {
                                  holding->set_value();
                                  wait->wait();
                                  return Result<void>{};
                              },
                              [](auto) {}, 0, false}));
        holding->get_future().wait();
        return go_on;
    }
    // A file of more than 8000 records that has staged them; its verdict waits until `meanwhile` has returned.
    Answer put_while(const std::string& name, const std::string& body, const std::function<void()>& meanwhile) {
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
        Answer answer;
        std::thread sender([&] { answer = put(name, body); });
        staged.get_future().wait();
        EXPECT_TRUE(soon([this] { return count(storage::Table::record_blocks) > 60; }));
        meanwhile();
        go_on.set_value();
        sender.join();
        return answer;
    }
    void sweep() {
        const Uploads none(*context_, {});
        Sweep sweep(*context_, *intake_, none);
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

    // Overridden where parts hold on to the inspectors.
    virtual void rebind() {
        context_ = std::make_unique<Context>(Context{io_, workers_, config_, config_.node, *ledger_, *objects_,
                                                     *leaves_, *clock_, crypto::system_random(), *keys_, policies_,
                                                     *inspectors_, metrics_, counted_, nullptr});
        intake_ = std::make_unique<Intake>(*context_, revocations_, certificates_);
    }

    boundary::CatalogDescription catalog_;
    std::optional<Holder> sender_;
    NodeCertificates certificates_;
    std::unique_ptr<Intake> intake_;
    std::function<boundary::ParcelManifest(const std::string&)> manifest_reader_;
    std::chrono::milliseconds silence_max_{60000};
};

}  // namespace xinfu::vault::test
