// CHK-02: of what an inspector tells, the vault makes the canonical bytes itself.
#include "daemon/vault/record_reader.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "daemon/boundary/error.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {
namespace {

const Bytes kIndexKey(32, 4);
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kCodes[] = {"NAME", "UNIT", "SOURCE", "B_LAST", "A_FIRST"};

boundary::CatalogDescription catalog() {
    boundary::CatalogDescription catalog;
    catalog.set_name("catalog");
    for (const auto code : kCodes) {
        catalog.add_fields()->set_code(std::string(code));
    }
    catalog.set_deciding_unit_field("UNIT");
    catalog.set_source_unit_field("SOURCE");
    return catalog;
}

boundary::Record& add_part(boundary::RecordBatch& batch, std::uint64_t line, const Fields& fields) {
    auto& part = *batch.add_records();
    part.set_line(line);
    for (const auto& [code, value] : fields) {
        // A code of no field becomes the first number that no field has.
        part.add_fields(static_cast<std::uint32_t>(std::ranges::find(kCodes, code) - std::begin(kCodes)));
        part.add_values(value);
    }
    part.set_subject("subject");
    part.add_identity("u");
    part.add_identity("number");
    return part;
}

class RecordReaderTest : public ::testing::Test {
protected:
    Result<void> read(const boundary::RecordBatch& batch) { return reader_.read(batch, records_, defects_); }
    Result<void> read(std::uint64_t line, const Fields& fields) {
        boundary::RecordBatch batch;
        add_part(batch, line, fields);
        return read(batch);
    }
    std::string canonical(std::size_t i) const { return std::string(as_text(records_.at(i).canonical)); }

    boundary::CatalogDescription catalog_ = catalog();
    RecordReader reader_{catalog_, kIndexKey, "u", {}};
    std::vector<PreparedRecord> records_;
    std::vector<boundary::Defect> defects_;
};

TEST_F(RecordReaderTest, MakesCanonicalBytesWhateverTheOrder) {
    const std::string expected = R"({"A_FIRST":"1","NAME":"信","SOURCE":"u","UNIT":"u"})";
    ASSERT_TRUE(read(1, {{"NAME", "信"}, {"UNIT", "u"}, {"SOURCE", "u"}, {"A_FIRST", "1"}}));
    ASSERT_TRUE(read(2, {{"A_FIRST", "1"}, {"SOURCE", "u"}, {"UNIT", "u"}, {"NAME", "信"}}));
    ASSERT_EQ(records_.size(), 2U);
    for (const std::size_t i : {0U, 1U}) {
        EXPECT_EQ(canonical(i), expected);
        EXPECT_EQ(records_[i].digest, crypto::sha256(as_bytes(expected)));
        const std::string identity[] = {"u", "number"};
        EXPECT_EQ(records_[i].identity, storage::identity_key(kIndexKey, "catalog", "u", identity));
        EXPECT_EQ(records_[i].subject_key, storage::subject_key(kIndexKey, "catalog", "subject"));
    }
    ASSERT_TRUE(read(3, {{"UNIT", "u"}, {"SOURCE", "u"}}));
    EXPECT_EQ(canonical(2), R"({"SOURCE":"u","UNIT":"u"})") << "nothing of the record before";
}

// The batch of each part is gone before the next comes.
TEST_F(RecordReaderTest, PutsARecordTogetherThatComesInSeveralBatches) {
    const std::string long_value(3000, 'n');
    const Fields parts[] = {{{"NAME", long_value}}, {{"UNIT", "u"}, {"SOURCE", "u"}}, {{"B_LAST", "b"}}};
    for (const auto& fields : parts) {
        auto batch = std::make_unique<boundary::RecordBatch>();
        add_part(*batch, 4, fields).set_continued(true);
        ASSERT_TRUE(read(*batch));
        EXPECT_FALSE(reader_.complete());
        for (auto& value : *batch->mutable_records(0)->mutable_values()) {
            value.assign(value.size(), '!');
        }
    }
    ASSERT_TRUE(read(4, {{"A_FIRST", "a"}}));
    EXPECT_TRUE(reader_.complete());
    ASSERT_EQ(records_.size(), 1U);
    EXPECT_EQ(canonical(0), R"({"A_FIRST":"a","B_LAST":"b","NAME":")" + long_value + R"(","SOURCE":"u","UNIT":"u"})");
}

TEST_F(RecordReaderTest, BelievesNoFieldThatIsUnknownRepeatedEmptyOrNoText) {
    const Fields wrong[] = {{{"UNIT", "u"}, {"OTHER", "x"}},
                            {{"UNIT", "u"}, {"UNIT", "u"}},
                            {{"UNIT", "u"}, {"NAME", ""}},
                            {{"UNIT", "u"}, {"NAME", "\xff"}},
                            {{"NAME", std::string(RecordReader::kRecordSizeBytesMax, 'x')}}};
    for (std::size_t i = 0; i < std::size(wrong); ++i) {
        RecordReader reader(catalog_, kIndexKey, "u", {});
        boundary::RecordBatch batch;
        add_part(batch, 1, wrong[i]);
        EXPECT_EQ(reader.read(batch, records_, defects_).error(), boundary::Errc::unexpected) << "case " << i;
    }
    // A value of no field, and a field without a value.
    for (const int values : {0, 2}) {
        RecordReader reader(catalog_, kIndexKey, "u", {});
        boundary::RecordBatch batch;
        auto& part = add_part(batch, 1, {{"UNIT", "u"}});
        part.mutable_values()->Clear();
        for (int i = 0; i < values; ++i) {
            part.add_values("u");
        }
        EXPECT_EQ(reader.read(batch, records_, defects_).error(), boundary::Errc::unexpected) << values;
    }
    // In two parts as well.
    boundary::RecordBatch first;
    add_part(first, 1, {{"NAME", "x"}}).set_continued(true);
    ASSERT_TRUE(read(first));
    EXPECT_EQ(read(1, {{"NAME", "x"}}).error(), boundary::Errc::unexpected);
    EXPECT_TRUE(records_.empty());
}

TEST_F(RecordReaderTest, TakesNoRecordOfAnotherUnit) {
    ASSERT_TRUE(read(1, {{"NAME", "x"}, {"UNIT", "other"}, {"SOURCE", "u"}}));
    ASSERT_TRUE(read(2, {{"NAME", "x"}, {"UNIT", "u"}}));
    EXPECT_TRUE(records_.empty());
    ASSERT_EQ(defects_.size(), 2U);
    EXPECT_EQ(defects_[0].code(), "XF-4071");
    EXPECT_EQ(defects_[0].field(), "UNIT");
    EXPECT_EQ(defects_[0].masked_value(), "other");
    EXPECT_EQ(defects_[1].code(), "XF-4070");
    EXPECT_EQ(reader_.of_other_units(), 2U);
}

// A pack whose description names a field that it does not describe makes nobody's record anybody's.
TEST_F(RecordReaderTest, TakesNoRecordWhenTheUnitsFieldIsUnknown) {
    catalog_.set_source_unit_field("MISSING");
    RecordReader reader(catalog_, kIndexKey, "u", {});
    boundary::RecordBatch batch;
    add_part(batch, 1, {{"UNIT", "u"}, {"SOURCE", "u"}});
    ASSERT_TRUE(reader.read(batch, records_, defects_));
    EXPECT_TRUE(records_.empty());
    ASSERT_EQ(defects_.size(), 1U);
    EXPECT_EQ(defects_[0].field(), "MISSING");
}

}  // namespace
}  // namespace xinfu::vault
