#include "storage/leaf.hpp"

#include <algorithm>
#include <numeric>

#include "crypto/canonical_json.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

LeafSalt counting_salt() {
    LeafSalt salt;
    std::iota(salt.begin(), salt.end(), std::uint8_t{0});
    return salt;
}

Leaf full_leaf() {
    crypto::Digest digest;
    digest.fill(0xab);
    return {.action = "submit",
            .result = "accepted",
            .code = "",
            .principal = "m-0001",
            .unit = "11219900MB0000001A",
            .role = "submitter",
            .source = "192.0.2.7",
            .catalog = "administrative-penalty",
            .object = {.type = "submission", .id = "0102", .digest = digest},
            .counts = LeafCounts{.records = 3, .stored = 2, .duplicate = 1, .defective = 0, .warned = 4},
            .origin = LeafOrigin{"city", 7, digest},
            .approval = "",
            .reason = "line\né",
            .count = 5};
}

// Expected bytes: Python's json, hashlib and hmac modules.
TEST(Leaf, IsOneCanonicalObject) {
    const LeafNotes notes{
        .subject = "92219900MA0000000X", .name = "处罚\"1\".csv", .purpose = "complaint", .detail = "kept"};
    const auto bytes =
        encode_leaf(full_leaf(), notes, "city", testing::ToldClock().now(), counting_salt(), Bytes(32, 'k'));
    ASSERT_TRUE(bytes);
    EXPECT_EQ(
        as_text(*bytes),
        R"({"action":"submit","catalog":"administrative-penalty","count":5,)"
        R"("counts":{"defective":0,"duplicate":1,"records":3,"stored":2,"warned":4},)"
        R"("name":"fe8c4f4b21bf7ca1cff24ed7a5e238a1d436ccaffc5554f81494bc870a7e0f35","node":"city",)"
        R"("object":{"digest":"abababababababababababababababababababababababababababababababab","id":"0102","type":"submission"},)"
        R"("origin":{"digest":"abababababababababababababababababababababababababababababababab","index":7,"node":"city"},)"
        R"("principal":"m-0001","purpose":"40d1989aa37a234ed65587531a85e9efe6de1d44b235eff2d5bc83a416ef8e96",)"
        R"("reason":"line\né","result":"accepted","role":"submitter","salt":"AAECAwQFBgcICQoLDA0ODw==","source":"192.0.2.7",)"
        R"("subject":"b5b8bdc891470b9af6f24f256df7df71b3aa4e4801b16a5600e21a50702a48b4",)"
        R"("time":"2026-01-31T08:00:00.123Z","unit":"11219900MB0000001A","v":1})");
}

TEST(Leaf, LeavesOutWhatDoesNotApply) {
    const auto bytes =
        encode_leaf({.action = "start", .result = "done", .count = 1}, {}, "city", Milliseconds{}, counting_salt(), {});
    EXPECT_EQ(as_text(*bytes), R"({"action":"start","node":"city","result":"done","salt":"AAECAwQFBgcICQoLDA0ODw==",)"
                               R"("time":"1970-01-01T00:00:00.000Z","v":1})");
}

TEST(Leaf, RefusesTextsThatDoNotFitAnEntry) {
    const Leaf leaf{.action = "submit", .result = "refused", .reason = std::string(65'535, 'x')};
    EXPECT_EQ(encode_leaf(leaf, {}, "city", Milliseconds{}, counting_salt(), {}).error(), Errc::too_large);
}

TEST(LeafWriter, AppendsTheLeafAndSealsItsNotes) {
    const testing::TestDirectory directory;
    const auto ledger = testing::make_ledger(directory.path());
    const LeafWriter writer("city", Bytes(32, 'k'));
    const LeafNotes notes{.subject = "92219900MA0000000X", .name = "f.csv", .purpose = "complaint", .detail = "kept"};
    std::uint64_t first = 99;
    std::uint64_t second = 99;
    Bytes entry;
    ASSERT_TRUE(testing::run(*ledger, [&](Batch& batch) -> Result<void> {
        first = writer.append(batch, full_leaf(), notes, &entry);
        second = writer.append(batch, full_leaf());
        return {};
    }));
    EXPECT_EQ(first, 0u);
    EXPECT_EQ(second, 1u);
    EXPECT_EQ(*ledger->tree().entry(0), entry);
    EXPECT_NE(*ledger->tree().entry(1), entry);
    const auto snapshot = *ledger->engine().snapshot();
    const auto kept = read_leaf_notes(*snapshot, 0);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->subject, notes.subject);
    EXPECT_EQ(kept->name, notes.name);
    EXPECT_EQ(kept->purpose, notes.purpose);
    EXPECT_EQ(kept->detail, notes.detail);
    EXPECT_TRUE(read_leaf_notes(*snapshot, 1)->empty());
    for (const std::string& text : {notes.subject, notes.name, notes.purpose, notes.detail}) {
        EXPECT_EQ(as_text(entry).find(text), std::string_view::npos) << text;
    }
}

TEST(LeafWriter, GivesEqualActsUnequalDigests) {
    const testing::TestDirectory directory;
    const auto ledger = testing::make_ledger(directory.path());
    const LeafWriter writer("city", Bytes(32, 'k'));
    Bytes entries[2];
    ASSERT_TRUE(testing::run(*ledger, [&](Batch& batch) -> Result<void> {
        for (Bytes& entry : entries) {
            writer.append(batch, {.action = "query", .result = "done"}, {.subject = "92219900MA0000000X"}, &entry);
        }
        return {};
    }));
    const auto subject = [](const Bytes& entry) {
        const std::string_view text = as_text(entry);
        return text.substr(text.find("\"subject\":\"") + 11, 64);
    };
    EXPECT_NE(subject(entries[0]), subject(entries[1]));
}

}  // namespace
}  // namespace xinfu::storage
