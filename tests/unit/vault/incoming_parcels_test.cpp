// Parcels coming in: UP-01, UP-06, UP-07. What comes in is compared with what it says of itself, and taken once.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/tlog_proof.hpp"
#include "daemon/vault/parcel_builder.hpp"
#include "tests/unit/vault/parcels_fixture.hpp"

namespace xinfu::vault::test {
namespace {

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

}  // namespace
}  // namespace xinfu::vault::test
