// Rows above the engine: names, records in sealed blocks, parcels and gaps. UP-07 (ordered, idempotent), BAK-04.
#include <tuple>

#include <gtest/gtest.h>

#include "storage/accounts.hpp"
#include "storage/handshake_proofs.hpp"
#include "storage/parcels.hpp"
#include "storage/quality.hpp"
#include "storage/records.hpp"
#include "storage/submissions.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage::testing {
namespace {

class Rows : public ::testing::Test {
protected:
    std::unique_ptr<WriteTransaction> begin() { return *engine_->begin(); }
    TestDirectory directory_;
    std::unique_ptr<Engine> engine_ = make_engine(directory_.path());
    const Bytes index_key_ = Bytes(32, 3);
};

SubmissionId id_of(std::uint8_t number) {
    std::array<std::uint8_t, 10> random{};
    random[9] = number;
    return make_submission_id(1'769'846'400'123, random);
}

TEST_F(Rows, SubmissionIdsAreTimeThenRandomAndReadBackFromText) {
    const auto id = id_of(9);
    EXPECT_EQ(to_text(id), "019c1310e47b00000000000000000009");
    EXPECT_EQ(submission_id_from_text(to_text(id)), id);
    EXPECT_FALSE(submission_id_from_text("019c1310e47b0000000000000000000"));
    EXPECT_FALSE(submission_id_from_text(std::string(32, 'G')));
}

TEST_F(Rows, NamesAreScopedToUnitAndCatalogAndNotReadableFromKeys) {
    auto transaction = begin();
    ASSERT_TRUE(put_name(*transaction, index_key_, "unit", "catalog", "name", id_of(1)));
    EXPECT_EQ(*find_name(*transaction, index_key_, "unit", "catalog", "name"), id_of(1));
    EXPECT_FALSE(*find_name(*transaction, index_key_, "unitc", "atalog", "name"));
    EXPECT_FALSE(*find_name(*transaction, index_key_, "unit", "catalog", "name2"));
    EXPECT_FALSE(*find_name(*transaction, Bytes(32, 4), "unit", "catalog", "name"));
}

// ACC-01, ACC-04. A row from before there were former passwords says until when it is locked.
TEST_F(Rows, PersonsKeepTheirFormerPasswordsAndOldRowsAreRead) {
    auto transaction = begin();
    Person person;
    person.number = "made-up-0001";
    person.account = "p-0001";
    person.password_hash = "$now";
    person.former_hashes = {"$newer", "$older"};
    person.failures = 4;
    person.locked_ms = 5;
    person.password_set_ms = 6;
    person.last_login_ms = 7;
    person.last_source = "192.0.2.7";
    ASSERT_TRUE(put_person(*transaction, index_key_, person));
    const auto read = **find_person(*transaction, index_key_, person.number);
    EXPECT_EQ(read.former_hashes, person.former_hashes);
    EXPECT_EQ(read.password_hash, "$now");
    EXPECT_EQ(std::tuple(read.failures, read.locked_ms, read.password_set_ms, read.last_login_ms),
              std::tuple(4U, 5, 6, 7));
    EXPECT_EQ(read.last_source, "192.0.2.7");

    Bytes key;
    ASSERT_TRUE(transaction->visit(Table::persons, {}, {}, [&](ByteView found, ByteView) {
        key = Bytes(found.begin(), found.end());
        return true;
    }));
    rows::Person old;
    old.set_number(person.number);
    old.set_account("p-0001");
    old.set_locked_until_ms(1'800'005);
    const std::string bytes = old.SerializeAsString();
    ASSERT_TRUE(transaction->put(Table::persons, key, as_bytes(bytes)));
    EXPECT_EQ((**find_person(*transaction, index_key_, person.number)).locked_ms, 5);
}

// IDN-01: taken once, and remembered for as long as the certificate could be used again.
TEST_F(Rows, ProofsOfPossessionAreTakenOnceAndForgottenLongAfterTheirCertificate) {
    auto transaction = begin();
    const auto day = [](int number) { return crypto::UtcSeconds{std::chrono::days{number}}; };
    const auto proof = [](std::uint8_t number) {
        crypto::Digest digest{};
        digest[31] = number;
        return digest;
    };
    const auto take = [&](int last_day, std::uint8_t number) {
        return *take_handshake_proof(*transaction, day(last_day), proof(number), std::chrono::milliseconds{5});
    };
    // Days whose octets would sort otherwise if they were not big-endian.
    for (const int last_day : {255, 256, 20000}) {
        for (std::uint8_t number = 0; number < 10; ++number) {
            EXPECT_TRUE(take(last_day, number));
            EXPECT_FALSE(take(last_day, number));
        }
    }
    const int margin = static_cast<int>(kHandshakeProofMargin.count());
    EXPECT_FALSE(*has_old_handshake_proofs(*transaction, day(255 + margin)));
    EXPECT_TRUE(*has_old_handshake_proofs(*transaction, day(256 + margin)));
    EXPECT_EQ(*forget_handshake_proofs(*transaction, day(255 + margin), 100), 0U);
    EXPECT_EQ(*forget_handshake_proofs(*transaction, day(256 + margin), 8), 8U) << "a slice";
    EXPECT_EQ(*forget_handshake_proofs(*transaction, day(256 + margin), 100), 2U);
    EXPECT_TRUE(take(255, 0));
    EXPECT_FALSE(take(256, 0));
    EXPECT_FALSE(take(20000, 9));
}

// CHK-03: counted for each source and catalog.
TEST_F(Rows, FiguresOfQualityAddUpByMonthUnitAndCatalog) {
    auto transaction = begin();
    rows::Quality counted;
    counted.set_records(3);
    counted.set_late(1);
    const auto add = [&](Month month, std::string_view unit, std::string_view catalog) {
        ASSERT_TRUE(add_quality(*transaction, month, unit, catalog, counted));
    };
    add(202610, "u1", "a");
    add(202611, "u1", "a");
    add(202611, "u1", "a");
    add(202611, "u1", "b");
    add(202611, "u", "1a");  // reads the same without what ends the unit
    std::string seen;
    ASSERT_TRUE(visit_quality(*transaction, 202611,
                              [&](std::string_view unit, std::string_view catalog, const rows::Quality& sum) {
                                  seen += std::string(unit) + '/' + std::string(catalog) + ' ' +
                                          std::to_string(sum.records()) + ' ' + std::to_string(sum.late()) + '\n';
                                  return true;
                              }));
    EXPECT_EQ(seen, "u/1a 3 1\nu1/a 6 2\nu1/b 3 1\n");
}

TEST_F(Rows, FeedPositionsHaveNoGapAndDoNotMixCatalogs) {
    auto transaction = begin();
    EXPECT_EQ(*append_feed(*transaction, "a", id_of(1), 3), 1U);
    EXPECT_EQ(*append_feed(*transaction, "a", id_of(2), 64), 4U);
    EXPECT_EQ(*append_feed(*transaction, "ab", id_of(3), 5), 1U);
    EXPECT_EQ(*append_feed(*transaction, "a", id_of(4), 1), 68U);
}

TEST_F(Rows, KeysOfManyRecordsAreThoseOfEach) {
    crypto::HmacSha256 keyed(index_key_);
    for (const std::string number : {"1", "22", ""}) {
        const std::string identity[] = {"unit", number};
        const std::string_view views[] = {"unit", number};
        EXPECT_EQ(identity_key(keyed, "catalog", "unit", views), identity_key(index_key_, "catalog", "unit", identity));
        EXPECT_EQ(subject_key(keyed, "catalog", number), subject_key(index_key_, "catalog", number));
    }
}

rows::RecordBlock block_of(std::uint32_t count, const Bytes& index_key) {
    rows::RecordBlock block;
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& record = *block.add_records();
        record.set_position(i);
        record.set_line(i + 2);
        record.set_canonical("{\"n\":\"" + std::to_string(i) + "\"}");
        record.set_subject("subject " + std::to_string(i));
        const std::string identity[] = {std::to_string(i)};
        const auto key = identity_key(index_key, "catalog", "unit", identity);
        record.set_identity(key.data(), key.size());
    }
    return block;
}

class RecordRows : public Rows {
protected:
    void store(WriteTransaction& transaction, std::uint32_t number, std::uint32_t count) {
        const auto block = block_of(count, index_key_);
        ASSERT_TRUE(put_record_block(transaction, id_, number, sealer_.seal_block(number, block)));
        for (const auto& record : block.records()) {
            crypto::Digest identity{};
            std::ranges::copy(as_bytes(record.identity()), identity.begin());
            const std::uint32_t slot = number * kRecordsPerBlock + record.position();
            ASSERT_TRUE(put_claim(transaction, identity, {id_, slot, crypto::sha256(as_bytes(record.canonical()))}));
            ASSERT_TRUE(
                put_subject_entry(transaction, subject_key(index_key_, "catalog", record.subject()), {id_, slot}));
        }
    }
    const SubmissionId id_ = id_of(1);
    const RecordSealer sealer_{id_, Bytes(32, 5)};
};

TEST_F(RecordRows, OpenUnderTheirOwnKeyAndPlaceOnly) {
    auto transaction = begin();
    store(*transaction, 2, 3);
    const auto found = find_record(*transaction, sealer_, id_, 2 * kRecordsPerBlock + 1);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->canonical(), "{\"n\":\"1\"}");
    EXPECT_FALSE(*find_record(*transaction, sealer_, id_, 2 * kRecordsPerBlock + 3));
    EXPECT_FALSE(*find_record(*transaction, sealer_, id_, 0));
    const auto sealed = **find_record_block(*transaction, id_, 2);
    EXPECT_FALSE(sealer_.open_block(3, sealed)) << "another block";
    EXPECT_FALSE(RecordSealer(id_of(2), Bytes(32, 5)).open_block(2, sealed)) << "another submission";
    EXPECT_FALSE(RecordSealer(id_, Bytes(32, 6)).open_block(2, sealed)) << "another key";
    EXPECT_FALSE(sealer_.open_body(sealed)) << "another purpose";
}

TEST_F(RecordRows, AreFoundByTheLineTheyBeginIn) {
    auto transaction = begin();
    // Blocks as a big file leaves them: some full, some that lost all their records to another file.
    const std::vector<std::vector<std::uint64_t>> lines{{2, 3, 9}, {}, {12}, {}, {}, {20, 21, 40}, {}};
    for (std::uint32_t number = 0; number < lines.size(); ++number) {
        rows::RecordBlock block;
        for (const auto line : lines[number]) {
            auto& record = *block.add_records();
            record.set_position(static_cast<std::uint32_t>(block.records_size()) + 3);
            record.set_line(line);
        }
        ASSERT_TRUE(put_record_block(*transaction, id_, number, sealer_.seal_block(number, block)));
    }
    const auto blocks = static_cast<std::uint32_t>(lines.size());
    for (std::uint64_t line = 0; line < 50; ++line) {
        const auto found = find_record_in_line(*transaction, sealer_, id_, blocks, line);
        ASSERT_TRUE(found);
        std::optional<std::uint32_t> slot;
        for (std::uint32_t number = 0; number < blocks; ++number) {
            for (std::uint32_t i = 0; i < lines[number].size(); ++i) {
                slot = lines[number][i] == line ? number * kRecordsPerBlock + i + 4 : slot;
            }
        }
        ASSERT_EQ(found->has_value(), slot.has_value()) << line;
        if (slot) {
            EXPECT_EQ((*found)->slot, *slot);
            EXPECT_EQ((*found)->record.line(), line);
        }
    }
    EXPECT_FALSE(*find_record_in_line(*transaction, sealer_, id_, 0, 2));
}

TEST_F(RecordRows, KeepEveryVersionAndKnowTheNewest) {
    auto transaction = begin();
    const auto identity = crypto::sha256({});
    EXPECT_FALSE(*find_head(*transaction, identity));
    ASSERT_TRUE(put_version(*transaction, identity, 1, {{id_, 4}, crypto::sha256(Bytes{1}), false, 10}));
    ASSERT_TRUE(put_version(*transaction, identity, 2, {{id_of(2), 0}, {}, true, 20}));
    EXPECT_EQ((*find_head(*transaction, identity))->version(), 2U);
    EXPECT_TRUE((*find_head(*transaction, identity))->withdrawn());
    const auto first = *find_version(*transaction, identity, 1);
    EXPECT_EQ(first->place, (RecordPlace{id_, 4}));
    EXPECT_EQ(first->digest, crypto::sha256(Bytes{1}));
    EXPECT_FALSE(first->withdrawal);
    EXPECT_TRUE((*find_version(*transaction, identity, 2))->withdrawal);
    EXPECT_FALSE(*find_version(*transaction, identity, 3));
}

TEST_F(RecordRows, TakenBackAreGoneWithTheirIndexEntries) {
    auto transaction = begin();
    store(*transaction, 0, 3);
    ASSERT_TRUE(remove_record(*transaction, index_key_, "catalog", sealer_, id_, 1));
    EXPECT_FALSE(*find_record(*transaction, sealer_, id_, 1));
    EXPECT_TRUE(*find_record(*transaction, sealer_, id_, 2));
    EXPECT_EQ(*transaction->count(Table::identity_claims), 2U);
    EXPECT_EQ(*transaction->count(Table::subject_index), 2U);
    EXPECT_EQ(remove_record(*transaction, index_key_, "catalog", sealer_, id_, 1).error(), Errc::not_found);
}

TEST_F(RecordRows, AreDroppedFromABlockBeforeTheyAreIndexed) {
    auto transaction = begin();
    ASSERT_TRUE(put_record_block(*transaction, id_, 3, sealer_.seal_block(3, block_of(5, index_key_))));
    constexpr std::uint32_t kFirst = 3 * kRecordsPerBlock;
    const std::uint32_t slots[] = {kFirst, kFirst + 3, kFirst + 60};
    const auto dropped = drop_unindexed(*transaction, sealer_, id_, 3, slots);
    ASSERT_TRUE(dropped);
    ASSERT_EQ(dropped->size(), 2U);
    EXPECT_EQ(dropped->at(1).position(), 3U);
    for (std::uint32_t position = 0; position < 5; ++position) {
        EXPECT_EQ(find_record(*transaction, sealer_, id_, kFirst + position)->has_value(),
                  position != 0 && position != 3)
            << position;
    }
    EXPECT_EQ(drop_unindexed(*transaction, sealer_, id_, 4, slots).error(), Errc::not_found);
}

TEST_F(RecordRows, AreSweptInSlicesAndTheStagingRowGoesLast) {
    auto transaction = begin();
    ASSERT_TRUE(put_staging(*transaction, id_, {}));
    for (std::uint32_t number = 0; number < 5; ++number) {
        store(*transaction, number, kRecordsPerBlock);
    }
    ASSERT_TRUE(put_clash(*transaction, id_, {crypto::Digest{}, 1, id_of(2), {}}));
    ASSERT_TRUE(put_staging(*transaction, id_of(3), {}));
    for (int slice = 0; slice < 2; ++slice) {
        EXPECT_EQ(*sweep_staged(*transaction, index_key_, "catalog", sealer_, id_, 2), Sweep::more);
        EXPECT_EQ(staged_submissions(*transaction, {}, 10)->size(), 2U);
    }
    EXPECT_EQ(*sweep_staged(*transaction, index_key_, "catalog", sealer_, id_, 2), Sweep::finished);
    EXPECT_EQ(*transaction->count(Table::record_blocks), 0U);
    EXPECT_EQ(*transaction->count(Table::identity_claims), 0U);
    EXPECT_EQ(*transaction->count(Table::subject_index), 0U);
    EXPECT_EQ(*staged_submissions(*transaction, {}, 10), std::vector<SubmissionId>{id_of(3)});
}

TEST(ParcelNames, HaveOneForm) {
    const auto name = parse_parcel_name("city.province.17");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->node(), "city");
    EXPECT_EQ(name->route(), "province");
    EXPECT_EQ(name->sequence(), 17U);
    for (const auto* wrong : {"city.province", "city.province.0", "city.province.017", "city.province.+1",
                              ".province.1", "city..1", "City.province.1", "city.province.1.2",
                              "city.province.18446744073709551616", "city.province.", "c ty.province.1"}) {
        EXPECT_FALSE(parse_parcel_name(wrong)) << wrong;
    }
}

TEST_F(Rows, IncomingNumbersLeaveGapsThatCloseInAnyOrder) {
    auto transaction = begin();
    const auto take = [&](std::uint64_t sequence) {
        rows::ParcelName name;
        name.set_node("town");
        name.set_route("up");
        name.set_sequence(sequence);
        EXPECT_EQ(*judge_incoming(*transaction, name, "n-0001"), IncomingFit::fits) << sequence;
        EXPECT_EQ(*judge_incoming(*transaction, name, "n-0002") == IncomingFit::fits,
                  !find_incoming_route(*transaction, "town", "up")->has_value());
        EXPECT_TRUE(take_incoming(*transaction, name, "n-0001", {}));
    };
    const auto gaps = [&] {
        std::string text;
        const auto row = **find_incoming_route(*transaction, "town", "up");
        for (const auto& gap : row.missing()) {
            text += std::to_string(gap.first()) + "-" + std::to_string(gap.last()) + " ";
        }
        return text + "next " + std::to_string(row.next_sequence());
    };
    take(1);
    EXPECT_EQ(gaps(), "next 2");
    take(10);
    EXPECT_EQ(gaps(), "2-9 next 11");
    take(5);
    EXPECT_EQ(gaps(), "2-4 6-9 next 11");
    take(2);
    take(9);
    EXPECT_EQ(gaps(), "3-4 6-8 next 11");
    take(7);
    EXPECT_EQ(gaps(), "3-4 6-6 8-8 next 11");
    for (const std::uint64_t sequence : {6u, 8u, 4u, 3u}) {
        take(sequence);
    }
    EXPECT_EQ(gaps(), "next 11");
    rows::ParcelName far;
    far.set_node("town");
    far.set_route("up");
    far.set_sequence(11 + kIncomingWindow);
    EXPECT_EQ(*judge_incoming(*transaction, far, "n-0001"), IncomingFit::beyond_window);
    std::vector<std::string> seen;
    ASSERT_TRUE(visit_incoming_routes(*transaction, [&](std::string_view node, std::string_view route, const auto&) {
        seen.push_back(std::string(node) + "/" + std::string(route));
        return true;
    }));
    EXPECT_EQ(seen, std::vector<std::string>{"town/up"});
}

}  // namespace
}  // namespace xinfu::storage::testing
