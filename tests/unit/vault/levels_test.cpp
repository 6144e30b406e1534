// Parcels in and out: UP-01, UP-06, UP-07. What comes in is compared with what it says of itself; what goes out counts
// as delivered only by a receipt of the pinned log for exactly that parcel.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "crypto/der.hpp"
#include "crypto/envelope_key.hpp"
#include "crypto/gcm_stream.hpp"
#include "crypto/tlog_proof.hpp"
#include "daemon/vault/delivery.hpp"
#include "daemon/vault/parcel_builder.hpp"
#include "daemon/vault/receipt.hpp"
#include "storage/parcels.hpp"
#include "tests/unit/vault/intake_fixture.hpp"

namespace xinfu::vault::test {
namespace {

using Outcome = boundary::SubmissionOutcome;

// As `openssl cms -nocerts` makes it of the same signature: SignedData is {version, digest algorithms, content,
// certificates [0], signers} (RFC 5652 section 5.1).
void leave_out_certificates(std::string& cms) {
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

// This node is the province; "town" is the node below it.
class IncomingParcels : public IntakeTest {
protected:
    IncomingParcels() {
        storage::Account town;
        town.id = "n-0001";
        town.kind = storage::AccountKind::platform;
        town.unit = std::string(kOtherUnit);
        town.units = {std::string(kUnit)};
        town.roles = {"platform"};
        town_.emplace(unit_certificate(kOtherUnit));
        enrol(town, *town_);
        manifest_reader_ = [this](const std::string& text) { return manifests_[text]; };
        behave();
    }

    struct Parcel {
        std::string name;
        std::string body;
    };
    Parcel parcel(std::uint64_t sequence, const std::string& content, const Holder& signer,
                  const std::function<void(boundary::ParcelManifest&)>& change_it = nullptr,
                  const std::function<void(std::string&)>& damage = nullptr, ByteView left_out = {}) {
        std::string original = sign(content, signer);
        if (damage) {
            damage(original);
        }
        crypto::Sha256 records;
        std::uint64_t count = 0;
        for (std::size_t at = 0; at < content.size(); ++count) {
            const auto end = content.find('\n', at);
            const std::string line = content.substr(at, end - at);
            at = end + 1;
            std::vector<std::string> cells{""};
            for (const char c : line) {
                if (c == '|') {
                    cells.emplace_back();
                } else {
                    cells.back() += c;
                }
            }
            // RFC 8785: members in the order of their names.
            const std::string canonical = "{\"NUMBER\":\"" + cells[0] + "\",\"SUBJECT\":\"" + cells[1] +
                                          "\",\"UNIT\":\"" + cells[3] + "\",\"VALUE\":\"" + cells[2] + "\"}";
            records.update(crypto::sha256(as_bytes(canonical)));
        }
        boundary::ParcelManifest manifest;
        manifest.set_node("town");
        manifest.set_route("up");
        manifest.set_sequence(sequence);
        manifest.set_catalog("administrative-penalty");
        manifest.set_catalog_version("test.1");
        manifest.set_origin_node("town");
        manifest.set_origin_index(40 + sequence);
        manifest.set_origin_digest(to_hex(crypto::sha256(as_bytes(content))));
        manifest.set_unit(std::string(kUnit));
        manifest.mutable_counts()->set_records(count);
        manifest.mutable_counts()->set_stored(count);
        manifest.set_records_digest(to_hex(records.finish()));
        manifest.set_original_digest(to_hex(crypto::sha256(as_bytes(original))));
        manifest.set_name("as the department called it");
        manifest.set_submission(std::string(32, '0'));
        if (change_it) {
            change_it(manifest);
        }
        manifests_[encode_manifest(manifest)] = manifest;
        crypto::Sha256 state;
        state.update(as_bytes(original));
        const auto built = must(build_parcel(town_->key, town_->certificate, nullptr, left_out, manifest, state,
                                             original.size(), clock_->now().time_since_epoch().count()));
        return {storage::parcel_name("town", "up", sequence),
                built.prefix() + original + built.manifest() + built.suffix()};
    }
    // This node has a level above itself.
    void route_to(const std::string& upper) {
        crypto::DistinguishedName subject;
        subject.common_name = "province";
        crypto::IssueOptions options;
        options.not_before = seconds(std::chrono::hours(-1));
        options.not_after = seconds(std::chrono::hours(24));
        certificates_.parcel = {must(authority_.issue(subject, keys_->parcel().public_key(), options))};
        config::Route route;
        route.name = upper;
        route.level = upper;
        route.node = upper;
        config_.routes = {route};
        rebind();
    }
    Answer hand_in(const Parcel& parcel) { return put(parcel.name, parcel.body, "n-0001"); }

    storage::rows::IncomingRoute taken() {
        const auto snapshot = must(ledger_->engine().snapshot());
        return must(storage::find_incoming_route(*snapshot, "town", "up")).value_or(storage::rows::IncomingRoute{});
    }

    std::optional<Holder> town_;
    std::map<std::string, boundary::ParcelManifest> manifests_;
};

TEST_F(IncomingParcels, AreTakenOnceWhateverOrderAndHoweverOftenTheyCome) {
    const Parcel parcels[] = {parcel(1, row(1), *sender_), parcel(2, row(2), *sender_), parcel(3, row(3), *sender_),
                              parcel(4, row(4), *sender_)};
    std::map<std::string, std::string> receipts;
    for (const int index : {0, 2, 0, 3, 2, 1, 1, 3}) {
        const Answer answer = hand_in(parcels[index]);
        ASSERT_TRUE(answer.outcome.kind() == Outcome::CREATED || answer.outcome.kind() == Outcome::REPEATED)
            << answer.code;
        const auto extra = must(crypto::parse_tlog_proof(answer.outcome.receipt())).extra;
        const auto [known, fresh] = receipts.emplace(parcels[index].name, to_hex(extra));
        EXPECT_EQ(fresh, answer.outcome.kind() == Outcome::CREATED);
        EXPECT_EQ(known->second, to_hex(extra));
        if (index == 2 && fresh) {
            ASSERT_EQ(taken().missing_size(), 1);
            EXPECT_EQ(taken().missing(0).first(), 2U);
            EXPECT_EQ(taken().missing(0).last(), 2U);
        }
    }
    EXPECT_EQ(taken().next_sequence(), 5U);
    EXPECT_EQ(taken().missing_size(), 0);
    EXPECT_EQ(visible_records(), 4U);
    EXPECT_EQ(leaves_with({"\"action\":\"submit\"", "\"result\":\"accepted\""}), 4);
}

// REC-01, UP-07. Parcels may overtake each other; what they change may not.
class ParcelsThatCorrect : public IncomingParcels {
protected:
    static std::string submission(int number) { return std::string(31, '0') + std::to_string(number); }
    Parcel original(std::uint64_t sequence, int named) {
        return parcel(sequence, row(1), *sender_,
                      [named](boundary::ParcelManifest& manifest) { manifest.set_submission(submission(named)); });
    }
    // Of the one record of the submission of this number.
    Parcel correction(std::uint64_t sequence, int number, std::uint64_t version, const std::string& value) {
        const std::string record = submission(number) + "-1";
        return parcel(sequence, row(1, value), *sender_, [&](boundary::ParcelManifest& manifest) {
            manifest.set_submission(submission(static_cast<int>(sequence) + 4));
            const std::string canonical = "{\"NUMBER\":\"No. 1\",\"SUBJECT\":\"91219900MA0A00001X\",\"UNIT\":\"" +
                                          std::string(kUnit) + "\",\"VALUE\":\"" + value +
                                          "\",\"XF_OP\":\"correct\",\"XF_REASON\":\"why\",\"XF_RECORD\":\"" + record +
                                          "\",\"XF_VERSION\":\"" + std::to_string(version) + "\"}";
            crypto::Sha256 records;
            records.update(crypto::sha256(as_bytes(canonical)));
            manifest.set_records_digest(to_hex(records.finish()));
        });
    }
    Answer correct(const Parcel& parcel, int number, std::uint64_t version) {
        misbehave([number, version](boundary::InspectorReply& reply) {
            for (int i = 0; i < reply.records().records_size(); ++i) {
                auto& operation = *reply.mutable_records()->mutable_records(i)->mutable_operation();
                operation.set_kind(boundary::RecordOperation::CORRECT);
                operation.set_record(submission(number) + "-1");
                operation.set_version(version);
                operation.set_reason("why");
            }
            return true;
        });
        Answer answer = hand_in(parcel);
        behave();
        return answer;
    }
};

TEST_F(ParcelsThatCorrect, WaitForTheRecordAndForTheVersionBefore) {
    const Parcel second = correction(2, 1, 1, "once");
    const Parcel third = correction(3, 1, 2, "twice");
    EXPECT_EQ(correct(second, 1, 1).code, "XF-6001");
    EXPECT_EQ(hand_in(original(1, 1)).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(correct(third, 1, 2).code, "XF-6001");
    EXPECT_EQ(taken().next_sequence(), 2U) << "no number is consumed by waiting";
    EXPECT_EQ(correct(second, 1, 1).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(correct(third, 1, 2).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(taken().next_sequence(), 4U);
    // Nothing earlier is missing any more: now an unknown version is a defect.
    const Answer ahead = correct(correction(4, 1, 7, "ahead"), 1, 7);
    EXPECT_EQ(ahead.code, "XF-5002");
    ASSERT_EQ(ahead.defects.size(), 1U);
    EXPECT_EQ(ahead.defects[0].code(), "XF-5021");
}

TEST_F(ParcelsThatCorrect, FindARecordThatCameFirstUnderAnotherName) {
    EXPECT_EQ(hand_in(original(2, 2)).outcome.counts().stored(), 1U);
    EXPECT_EQ(hand_in(original(1, 1)).outcome.counts().duplicate(), 1U);
    EXPECT_EQ(correct(correction(3, 1, 1, "once"), 1, 1).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 1U);
}

// A link may be down for longer than a department's certificate lasts.
TEST_F(IncomingParcels, JudgeTheDepartmentsCertificateByTheDayTheNodeTookTheFile) {
    const Holder brief = unit_certificate(kUnit, std::chrono::hours(1));
    const Parcel before = parcel(1, row(1), brief);
    clock_->advance(std::chrono::hours(2));
    const Parcel after = parcel(2, row(2), brief);
    const Answer good = hand_in(before);
    EXPECT_EQ(good.outcome.kind(), Outcome::CREATED) << good.code;
    EXPECT_EQ(hand_in(after).code, "XF-7006");
}

// ENC-01. The other tests' node opens no envelopes: none was issued a certificate.
TEST_F(IncomingParcels, InTheClearAreRefusedByANodeThatOpensEnvelopes) {
    open_envelopes();
    const Answer answer = hand_in(parcel(1, row(1), *sender_));
    EXPECT_EQ(answer.code, "XF-7019");
    EXPECT_EQ(visible_records(), 0U);
    EXPECT_EQ(taken().next_sequence(), 2U) << "its number is consumed, and the next one is not held up";
}

TEST_F(IncomingParcels, CarryTheirOriginUnchangedIntoTheLeaf) {
    const Answer answer = hand_in(parcel(1, row(1), *sender_));
    ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
    const std::string leaf(as_text(must(crypto::parse_tlog_proof(answer.outcome.receipt())).extra));
    EXPECT_NE(leaf.find("\"origin\":{\"digest\":\"" + to_hex(crypto::sha256(as_bytes(row(1)))) +
                        "\",\"index\":41,\"node\":\"town\"}"),
              std::string::npos)
        << leaf;
}

TEST_F(IncomingParcels, KeepTheDayOnWhichTheFirstNodeTookTheFileUnlessItIsStillToCome) {
    const auto today = static_cast<std::uint64_t>(
        std::chrono::floor<std::chrono::days>(clock_->now() + std::chrono::hours{8}).time_since_epoch().count());
    std::uint64_t sequence = 0;
    for (const std::uint64_t day : {today - 30, today, today + 1}) {
        ++sequence;
        const Answer answer = hand_in(
            parcel(sequence, row(static_cast<int>(sequence)), *sender_, [day](auto& m) { m.set_received_day(day); }));
        ASSERT_EQ(answer.outcome.kind(), Outcome::CREATED) << answer.code;
        const auto snapshot = must(ledger_->engine().snapshot());
        const auto id = *storage::submission_id_from_text(answer.outcome.id());
        EXPECT_EQ(must(storage::find_submission(*snapshot, id))->received_day(), std::min(day, today));
    }
}

TEST_F(IncomingParcels, AreRefusedWhenTheManifestDisagreesAndConsumeTheirNumber) {
    const struct {
        const char* what;
        std::function<void(boundary::ParcelManifest&)> change_it;
        const char* code;
    } cases[] = {
        {"counts", [](auto& m) { m.mutable_counts()->set_records(7); }, "XF-7004"},
        {"records_digest", [](auto& m) { m.set_records_digest(std::string(64, '0')); }, "XF-7004"},
        {"original_digest", [](auto& m) { m.set_original_digest(std::string(64, '0')); }, "XF-7004"},
        {"origin_digest", [](auto& m) { m.set_origin_digest(std::string(64, '0')); }, "XF-7004"},
        {"sequence", [](auto& m) { m.set_sequence(99); }, "XF-7004"},
        {"route", [](auto& m) { m.set_route("other"); }, "XF-7004"},
        {"node", [](auto& m) { m.set_node("village"); }, "XF-7004"},
        {"unit", [](auto& m) { m.set_unit("112199000000000000"); }, "XF-7005"},
        {"catalog_version", [](auto& m) { m.set_catalog_version("1999.9"); }, "XF-7007"},
        {"form", [](auto& m) { m.set_origin_node("NOT A NODE"); }, "XF-7003"},
    };
    std::uint64_t sequence = 0;
    for (const auto& [what, change_it, code] : cases) {
        const Answer answer = hand_in(parcel(++sequence, row(1), *sender_, change_it));
        EXPECT_EQ(answer.code, code) << what;
        EXPECT_EQ(answer.outcome.kind(), Outcome::REFUSED) << what;
        EXPECT_NE(answer.outcome.receipt(), "") << what;
        EXPECT_EQ(taken().next_sequence(), sequence + 1) << what;
    }
    EXPECT_EQ(visible_records(), 0U);
    EXPECT_EQ(hand_in(parcel(++sequence, row(1), *sender_)).outcome.kind(), Outcome::CREATED);
}

TEST_F(IncomingParcels, AreRefusedWhenTheDepartmentsSignatureIsNotGood) {
    EXPECT_EQ(hand_in(parcel(1, row(1), unit_certificate(kOtherUnit))).code, "XF-7006");
    EXPECT_EQ(hand_in(parcel(2, row(1), unit_certificate(kUnit, std::chrono::hours(-1)))).code, "XF-7006");
    const Holder holder = unit_certificate(kUnit);
    const auto flip_last = [](std::string& original) { original.back() = static_cast<char>(original.back() ^ 1); };
    EXPECT_EQ(hand_in(parcel(3, row(1), holder, nullptr, flip_last)).code, "XF-7006");  // in the signature
    // Enrolled nowhere here, but the unit's and of an authority that this node trusts.
    EXPECT_EQ(hand_in(parcel(4, row(1), holder)).outcome.kind(), Outcome::CREATED);
}

// IDN-04. The next level has enrolled no departments: what they may leave out here, the parcel brings.
TEST_F(IncomingParcels, BringTheCertificateThatTheDepartmentLeftOut) {
    route_to("nation");
    const Holder holder = unit_certificate(kUnit);
    const Holder other = unit_certificate(kUnit);
    const auto parcel_with = [&](std::uint64_t sequence, ByteView left_out) {
        return parcel(sequence, row(static_cast<int>(sequence)), holder, nullptr, leave_out_certificates, left_out);
    };
    EXPECT_EQ(hand_in(parcel_with(1, {})).code, "XF-7006");
    EXPECT_EQ(hand_in(parcel_with(2, other.certificate.der())).code, "XF-7006");
    EXPECT_EQ(hand_in(parcel_with(3, holder.certificate.der())).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(visible_records(), 1U);
    const Holder elsewhere = unit_certificate(kOtherUnit);
    const auto foreign = parcel(4, row(4), elsewhere, nullptr, leave_out_certificates, elsewhere.certificate.der());
    EXPECT_EQ(hand_in(foreign).code, "XF-7006") << "another unit's, whoever brings it";
    // And so does the parcel that this level makes of it.
    const auto snapshot = must(ledger_->engine().snapshot());
    const auto onward = must(storage::find_parcel(*snapshot, "nation", 1));
    ASSERT_TRUE(onward);
    EXPECT_NE(onward->suffix().find(as_text(holder.certificate.der())), std::string::npos);
}

TEST_F(IncomingParcels, AreRefusedWhenAnotherKeyWrapsThem) {
    Parcel good = parcel(1, row(1), *sender_);
    town_.emplace(unit_certificate(kOtherUnit));  // not the enrolled one
    EXPECT_EQ(hand_in(parcel(1, row(1), *sender_)).code, "XF-3012");
    EXPECT_EQ(hand_in(good).code, "XF-7002");
}

TEST_F(IncomingParcels, OfAnotherNodesNameOrFarBeyondTheWindowAreNotTaken) {
    ASSERT_EQ(hand_in(parcel(1, row(1), *sender_)).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(hand_in(parcel(2 + storage::kIncomingWindow, row(2), *sender_)).code, "XF-7001");
    storage::Account village;
    village.id = "n-0002";
    village.kind = storage::AccountKind::platform;
    village.unit = std::string(kOtherUnit);
    village.units = {std::string(kUnit)};
    village.roles = {"platform"};
    enrol(village, unit_certificate(kOtherUnit));
    const Parcel stolen = parcel(2, row(3), *sender_);
    EXPECT_EQ(put(stolen.name, stolen.body, "n-0002").code, "XF-7005");
    EXPECT_EQ(put("town.up.02", stolen.body, "n-0001").code, "XF-7008");
}

// The province with a level above that takes nothing: the city's parcels are not taken either, and wait there.
TEST_F(IncomingParcels, AreTakenLaterAndKeepTheirNumberWhileTheLevelAboveTakesNothing) {
    config_.vault.backlog_limit_parcels = 1;
    route_to("nation");
    const Parcel first = parcel(1, row(1), *sender_);
    const Parcel second = parcel(2, row(2), *sender_);
    EXPECT_EQ(hand_in(first).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(hand_in(second).code, "XF-6011");
    EXPECT_EQ(hand_in(first).outcome.kind(), Outcome::REPEATED) << "whose receipt was lost on the way";
    EXPECT_EQ(taken().next_sequence(), 2U);
    config_.vault.backlog_limit_parcels = 2;
    EXPECT_EQ(hand_in(second).outcome.kind(), Outcome::CREATED);
    EXPECT_EQ(taken().next_sequence(), 3U);
    EXPECT_EQ(taken().missing_size(), 0);
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
        delivery_ = std::make_unique<Delivery>(*context_);
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

    std::unique_ptr<Delivery> delivery_;
    boundary::Descriptor stream_;
};

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

TEST_F(OutgoingParcels, SurviveARestartOfTheVaultAndOfTheCourier) {
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

TEST_F(OutgoingParcels, AsManyAsMayWaitAreMadeAndNotOneMoreHoweverManyComeAtOnce) {
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

TEST_F(OutgoingParcels, WhatMakesNoParcelGoesOnWhileAsManyWaitAsMay) {
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

TEST_F(OutgoingParcels, AreManyAtOneTimeAsLongAsTheyTakeLittleMemory) {
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

TEST_F(OutgoingParcels, ThatWereGivenBackComeAgainInTheirOrderAndAreNoFailureOfTheLink) {
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
