// Figures of quality, with answers worked out by hand: CHK-03, CHK-04, OPS-03.
#include "policies/quality.hpp"

#include <string>

#include <gtest/gtest.h>

#include "policies/file_checks.hpp"
#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

using test::Cells;
using test::good_penalty;

QualityCounts count(const Cells& cells) {
    const Catalog& catalog = test::penalty();
    std::vector<std::string_view> by_field(catalog.fields.size());
    for (const auto& [code, value] : cells) {
        by_field.at(catalog.find(code)) = value;
    }
    CheckedRecord checked;
    check_record(catalog, test::calendar(), test::day(2026, 11, 22), by_field, checked);
    QualityCounts counts;
    count_quality(catalog, by_field, checked, counts);
    return counts;
}

QualityCounts count_with(const std::string& field, const std::string& value) {
    Cells cells = good_penalty();
    cells[field] = value;
    return count(cells);
}

QualityCounts coded(std::uint64_t wrong, std::uint64_t repeated = 0) {
    QualityCounts counts;
    counts.coded = 20'000;
    counts.wrong_code = wrong;
    counts.repeated_code = repeated;
    return counts;
}

// CHK-04: of 20 000 subjects one wrong code is in order, two (1/10 000) are not.
TEST(Quality, RaisesTheAlarmWhenCodeErrorsAreNotBelowOneInTenThousand) {
    EXPECT_FALSE(misses_target(coded(0), Measure::code_errors));
    EXPECT_FALSE(misses_target(coded(1), Measure::code_errors));
    EXPECT_TRUE(misses_target(coded(2), Measure::code_errors));
    EXPECT_TRUE(misses_target(coded(1, 1), Measure::code_errors));
    EXPECT_EQ(rate_ppm(coded(1), Measure::code_errors), 50U);
    EXPECT_EQ(rate_ppm(coded(2), Measure::code_errors), 100U);
}

TEST(Quality, OfNothingHasNoRateAndRaisesNoAlarm) {
    for (const auto measure : kMeasures) {
        EXPECT_FALSE(rate_ppm({}, measure)) << name(measure);
        EXPECT_FALSE(misses_target({}, measure)) << name(measure);
    }
}

// A month worked out by hand: 21 records, of which 16 came in.
TEST(Quality, RatesAreThoseOfAMonthWorkedOutByHand) {
    QualityCounts month;
    month.records = 21;
    month.stored = 12;
    month.duplicate = 4;
    month.incomplete = 2;
    month.inaccurate = 2;
    month.unreasonable = 1;
    month.late = 1;
    month.coded = 21;
    month.wrong_code = 2;
    EXPECT_EQ(rate_ppm(month, Measure::admission), 761'905U);       // 16/21 = 0.7619047...
    EXPECT_EQ(rate_ppm(month, Measure::completeness), 904'762U);    // 19/21 = 0.9047619...
    EXPECT_EQ(rate_ppm(month, Measure::accuracy), 904'762U);        // 19/21
    EXPECT_EQ(rate_ppm(month, Measure::reasonableness), 952'381U);  // 20/21 = 0.9523809...
    EXPECT_EQ(rate_ppm(month, Measure::timeliness), 916'667U);      // 11/12 = 0.9166666...
    EXPECT_EQ(rate_ppm(month, Measure::code_errors), 95'238U);      // 2/21 = 0.0952380...
}

TEST(Quality, TargetsOfRecordsAreNinetyFivePercentByTheCountsNotByTheRoundedRate) {
    QualityCounts counts;
    counts.records = 3'000'000;
    counts.incomplete = 150'000;  // 95 % exactly
    EXPECT_FALSE(misses_target(counts, Measure::completeness));
    counts.incomplete = 150'001;  // 94.99997 %, which rounds to 95.0000 %
    EXPECT_EQ(rate_ppm(counts, Measure::completeness), 950'000U);
    EXPECT_TRUE(misses_target(counts, Measure::completeness));
}

TEST(Quality, CountsARecordOnceInEachClassOfItsErrors) {
    QualityCounts good;
    good.records = 1;
    good.coded = 1;
    EXPECT_EQ(count(good_penalty()), good);

    QualityCounts expected = good;
    expected.incomplete = 1;
    EXPECT_EQ(count_with("CF_WSH", ""), expected);

    expected = good;
    expected.inaccurate = 1;
    EXPECT_EQ(count_with("CF_CFLB", "训诫"), expected);

    expected.wrong_code = 1;
    EXPECT_EQ(count_with("CF_XDR_SHXYM", "91350100M000100Y44"), expected);

    expected = good;
    expected.unreasonable = 1;
    EXPECT_EQ(count_with("CF_JDRQ", "2026-11-23"), expected);
}

TEST(Quality, WarningsAreNoErrors) {
    QualityCounts expected;
    expected.records = 1;
    expected.coded = 1;
    EXPECT_EQ(count_with("CF_JDRQ", "2026-10-08"), expected);  // late: a warning
}

TEST(Quality, CountsTheLaterOfTwoRecordsWhoseCodeAndNameDoNotAgree) {
    const Catalog& catalog = test::penalty();
    FileChecks file;
    QualityCounts counts;
    std::uint64_t line = 1;
    const auto take = [&](const std::string& name, const std::string& code) {
        Cells cells = good_penalty();
        cells["CF_XDR_MC"] = name;
        cells["CF_XDR_SHXYM"] = code;
        std::vector<std::string_view> by_field(catalog.fields.size());
        for (const auto& [field, value] : cells) {
            by_field.at(catalog.find(field)) = value;
        }
        CheckedRecord checked;
        check_record(catalog, test::calendar(), test::day(2026, 11, 22), by_field, checked);
        file.compare(catalog, ++line, checked);
        count_quality(catalog, by_field, checked, counts);
        return counts.repeated_code;
    };
    EXPECT_EQ(take("甲公司", "91350100M000100Y43"), 0U);
    EXPECT_EQ(take("甲公司", "91350100M000100Y43"), 0U);
    EXPECT_EQ(take("乙公司", "91350100M000100Y43"), 1U);
    EXPECT_EQ(take("乙公司", "11100000MB0143028R"), 2U);
    EXPECT_EQ(counts.coded, 4U);
    EXPECT_EQ(counts.wrong_code, 0U);
}

TEST(Quality, RecordsOfNaturalPersonsHaveNoCodeToBeWrong) {
    QualityCounts expected;
    expected.records = 1;
    EXPECT_EQ(count(test::natural_person()), expected);
}

}  // namespace
}  // namespace xinfu::policies
