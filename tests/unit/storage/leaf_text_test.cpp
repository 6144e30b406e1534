#include "storage/leaf_text.hpp"

#include "storage/leaf.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

TEST(LeafText, GivesBackWhatTheWriterWrote) {
    crypto::Digest digest;
    digest.fill(0xab);
    const Leaf leaf{.action = "submit",
                    .result = "refused",
                    .code = "XF-4001",
                    .principal = "m-\"0001\"\\",
                    .catalog = "administrative-penalty",
                    .object = {.type = "submission", .id = "0102", .digest = digest},
                    .counts = LeafCounts{.records = 3},
                    .reason = "line\n\ttab \x01\x1f \x7f 处罚 <b>",
                    .count = 5};
    const LeafSalt salt{};
    const auto bytes = encode_leaf(leaf, {}, "city", testing::ToldClock().now(), salt, {});
    ASSERT_TRUE(bytes);
    const auto read = LeafText::read(*bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ((*read)["action"], leaf.action);
    EXPECT_EQ((*read)["principal"], leaf.principal);
    EXPECT_EQ((*read)["reason"], leaf.reason);
    EXPECT_EQ((*read)["object.id"], "0102");
    EXPECT_EQ((*read)["object.digest"], to_hex(digest));
    EXPECT_EQ((*read)["counts.records"], "3");
    EXPECT_EQ((*read)["count"], "5");
    EXPECT_EQ((*read)["time"], "2026-01-31T08:00:00.123Z");
    EXPECT_EQ((*read)["unit"], "");
}

TEST(LeafText, ReadsNoPartOfWhatIsNoLeaf) {
    for (const std::string_view text :
         {"", "{", "{}x", "[]", R"({"a":})", R"({"a":"b)", R"({"a":"b"}})", R"({"a" :"b"})", R"({"a":"\u0041"})",
          R"({"a":"\u00"})", R"({"a":"\x"})", R"({"a":true})", R"({"a":{"b":{"c":1}}})", R"({"a":"b",})"}) {
        EXPECT_FALSE(LeafText::read(as_bytes(text))) << text;
    }
    EXPECT_TRUE(LeafText::read(as_bytes("{}")));
}

}  // namespace
}  // namespace xinfu::storage
