#include "daemon/vault/claims.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "tests/unit/storage/fixture.hpp"

namespace xinfu::vault {
namespace {

storage::SubmissionId id_of(std::uint8_t number) {
    storage::SubmissionId id{};
    id[0] = number;
    return id;
}

crypto::Digest digest_of(std::uint32_t number, std::string_view purpose) {
    return crypto::sha256(as_bytes(std::string(purpose) + std::to_string(number)));
}

// Two files in flight, A and B, whose claims are put when all their records are staged.
class StagedClaims : public ::testing::Test {
protected:
    // Of the identities first .. first + count - 1, in the order in which an index is made.
    static std::vector<StagedClaim> claims(std::uint32_t first, std::uint32_t count, std::string_view bytes) {
        std::vector<StagedClaim> made;
        for (std::uint32_t i = 0; i < count; ++i) {
            made.push_back({digest_of(first + i, "identity"), digest_of(first + i, bytes), i + 2, i});
        }
        std::sort(made.begin(), made.end());
        return made;
    }
    Judged put(std::uint8_t who, const std::vector<StagedClaim>& claims) {
        auto judged = put_staged_claims(*transaction_, sealer(who), id_of(who), claims);
        EXPECT_TRUE(judged);
        return judged ? *judged : Judged{};
    }
    void commit(std::uint8_t who) {
        storage::rows::Submission row;
        row.set_state(storage::rows::Submission::ACCEPTED);
        EXPECT_TRUE(storage::put_submission(*transaction_, id_of(who), row));
    }
    static storage::RecordSealer sealer(std::uint8_t who) { return {id_of(who), Bytes(32, who)}; }
    // The records of these claims, each in the block of its slot.
    void stage(std::uint8_t who, const std::vector<StagedClaim>& claims) {
        std::map<std::uint32_t, storage::rows::RecordBlock> blocks;
        for (const auto& claim : claims) {
            auto& row = *blocks[claim.slot / storage::kRecordsPerBlock].add_records();
            row.set_position(claim.slot % storage::kRecordsPerBlock);
            row.set_line(claim.line);
            row.set_identity(claim.identity.data(), claim.identity.size());
        }
        for (const auto& [number, block] : blocks) {
            EXPECT_TRUE(
                storage::put_record_block(*transaction_, id_of(who), number, sealer(who).seal_block(number, block)));
        }
    }

    storage::testing::TestDirectory directory_;
    std::unique_ptr<storage::Engine> engine_ = storage::testing::make_engine(directory_.path());
    std::unique_ptr<storage::WriteTransaction> transaction_ = *engine_->begin();
};

TEST_F(StagedClaims, OfOneFileTheRecordThatStandsFirstIsTheOneThatCounts) {
    std::vector<StagedClaim> twice = claims(1, 3, "same");
    const StagedClaim first = twice[1];
    twice.push_back({first.identity, first.digest, 50, 70});
    twice.push_back({first.identity, digest_of(0, "other"), 40, 69});
    std::sort(twice.begin(), twice.end());
    stage('A', twice);
    const Judged together = put('A', twice);
    EXPECT_EQ(together.fates,
              (std::vector{Fate::fresh, Fate::fresh, Fate::twice_otherwise, Fate::duplicate, Fate::fresh}));
    EXPECT_EQ(together.earlier_lines, std::vector{first.line});
    EXPECT_EQ(*transaction_->count(storage::Table::identity_claims), 3U);
    // The same in a later operation: what was put before is in the table.
    const Judged apart =
        put('A', {{first.identity, first.digest, 60, 80}, {first.identity, digest_of(0, "x"), 61, 81}});
    EXPECT_EQ(apart.fates, (std::vector{Fate::duplicate, Fate::twice_otherwise}));
    EXPECT_EQ(apart.earlier_lines, std::vector{first.line});
    EXPECT_EQ(*transaction_->count(storage::Table::identity_claims), 3U);
}

TEST_F(StagedClaims, OfTwoFilesBothAreToldOfTheClashAndTheFirstCommitWins) {
    auto of_a = claims(1, 5, "same");
    put('A', of_a);
    auto of_b = claims(3, 5, "same");  // 3, 4 and 5 clash
    const auto otherwise = std::ranges::find(of_b, digest_of(5, "identity"), &StagedClaim::identity);
    otherwise->digest = digest_of(5, "other");
    const Judged judged = put('B', of_b);
    EXPECT_EQ(judged.fresh, 5U) << "nothing is decided yet";
    for (const char who : {'A', 'B'}) {
        const auto nothing = look_at_clashes(*transaction_, id_of(static_cast<std::uint8_t>(who)));
        ASSERT_TRUE(nothing);
        EXPECT_TRUE(nothing->notes.empty()) << who;
    }
    commit('B');
    const auto overtaken = look_at_clashes(*transaction_, id_of('A'));
    ASSERT_TRUE(overtaken);
    EXPECT_EQ(overtaken->duplicates, (std::vector<std::uint32_t>{2, 3}));
    EXPECT_EQ(overtaken->known_otherwise, std::vector<std::uint32_t>{4});
    EXPECT_FALSE(overtaken->more);
}

TEST_F(StagedClaims, WhoMadeItsIndexLaterLosesToAnEarlierCommitAsWell) {
    put('A', claims(1, 5, "same"));
    put('B', claims(3, 5, "same"));
    commit('A');
    const auto overtaken = look_at_clashes(*transaction_, id_of('B'));
    ASSERT_TRUE(overtaken);
    EXPECT_EQ(overtaken->duplicates, (std::vector<std::uint32_t>{0, 1, 2}));
    EXPECT_TRUE(overtaken->known_otherwise.empty());
}

TEST_F(StagedClaims, WhatIsCommittedIsKnownWhenTheIndexIsMade) {
    put('A', claims(1, 3, "same"));
    commit('A');
    auto of_b = claims(2, 3, "same");
    const auto otherwise = std::ranges::find(of_b, digest_of(3, "identity"), &StagedClaim::identity);
    otherwise->digest = digest_of(3, "other");
    const Judged judged = put('B', of_b);
    EXPECT_EQ(judged.fresh, 1U);
    EXPECT_EQ(judged.duplicates, 1U);
    std::vector<boundary::Defect> defects;
    append_defects(judged, of_b, defects);
    ASSERT_EQ(defects.size(), 1U);
    EXPECT_EQ(defects[0].code(), "XF-5003");
    EXPECT_EQ(defects[0].line(), otherwise->line);
    EXPECT_EQ(*transaction_->count(storage::Table::identity_claims), 4U);
    EXPECT_EQ(*transaction_->count(storage::Table::staged), 0U) << "no clash";
}

// One commit takes back so many and no more: the rest goes in operations before it.
TEST_F(StagedClaims, WhatOthersOvertookIsTakenBackInSlices) {
    constexpr std::uint32_t kRecords = kClashesMax + 500;
    const auto of_a = claims(1, kRecords, "same");
    stage('A', of_a);
    put('A', of_a);
    put('B', claims(1, kRecords, "same"));
    commit('B');
    const Bytes index_key(32, 3);
    for (const std::size_t expected : {kClashesMax, std::size_t{500}}) {
        const auto overtaken = look_at_clashes(*transaction_, id_of('A'));
        ASSERT_TRUE(overtaken);
        EXPECT_EQ(overtaken->duplicates.size(), expected);
        EXPECT_EQ(overtaken->more, expected == kClashesMax);
        TermCounts terms;
        ASSERT_TRUE(take_back(*transaction_, index_key, "catalog", sealer('A'), id_of('A'), *overtaken, terms));
    }
    EXPECT_EQ(*transaction_->count(storage::Table::identity_claims), std::uint64_t{kRecords}) << "B's";
    EXPECT_TRUE(look_at_clashes(*transaction_, id_of('A'))->notes.empty());
}

}  // namespace
}  // namespace xinfu::vault
