#include "policies/identifiers.hpp"

#include <gtest/gtest.h>

#include "tests/unit/policies/packs.hpp"

namespace xinfu::policies {
namespace {

TEST(Identifiers, AcceptEveryValidUnifiedCode) {
    const auto rows = test::read_rows("tests/vectors/identifiers/uscc_valid.tsv");
    ASSERT_GT(rows.size(), 40u);
    for (const auto& row : rows) {
        EXPECT_EQ(check_uscc(row[0]), UsccDefect::none) << row[0];
        EXPECT_TRUE(is_organisation_code(row[0].substr(8, 9))) << row[0];
    }
}

TEST(Identifiers, RefuseEveryInvalidUnifiedCodeForItsDefect) {
    for (const auto& row : test::read_rows("tests/vectors/identifiers/uscc_invalid.tsv")) {
        const auto& [code, defect] = std::tie(row[0], row[1]);
        const auto found = check_uscc(code);
        if (defect.starts_with("check_digit") || defect == "adjacent transposition") {
            EXPECT_EQ(found, UsccDefect::check_character) << code;
        } else if (defect == "org_check_only") {
            EXPECT_EQ(found, UsccDefect::organisation_part) << code;
        } else if (defect.starts_with("all zero")) {
            EXPECT_EQ(found, UsccDefect::authority) << code;
        } else {
            EXPECT_EQ(found, UsccDefect::form) << code << ": " << defect;
        }
    }
}

TEST(Identifiers, RefuseEverySingleMistypedCharacter) {
    const std::string alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    const std::string good = "91350100M000100Y43";  // printed in GB 32100
    ASSERT_EQ(check_uscc(good), UsccDefect::none);
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const char c : alphabet) {
            auto mistyped = good;
            mistyped[at] = c;
            EXPECT_EQ(check_uscc(mistyped) == UsccDefect::none, c == good[at]) << mistyped;
        }
    }
}

TEST(Identifiers, KnowTheAuthoritiesAndKindsOfTheStandard) {
    // Only the first two characters differ; whether the check character fits does not matter for this defect.
    const auto exists = [](std::string begin) {
        return check_uscc(begin + "219900MATEJT500Y") != UsccDefect::authority;
    };
    for (const auto* begin : {"11", "12", "13", "19", "21", "29", "31", "34", "35", "39", "41", "51", "53", "61",
                              "62", "71", "72", "81", "91", "92", "93", "A1", "A9", "N1", "N2", "N3", "N9", "Y1"}) {
        EXPECT_TRUE(exists(begin)) << begin;
    }
    for (const auto* begin :
         {"00", "01", "14", "22", "36", "42", "54", "63", "82", "94", "99", "A2", "B1", "N4", "Y2"}) {
        EXPECT_FALSE(exists(begin)) << begin;
    }
}

TEST(Identifiers, AgreeWithTheVectorsOfOlderNumbers) {
    for (const auto& row : test::read_rows("tests/vectors/identifiers/legacy_ids.tsv")) {
        const auto& [kind, value, valid] = std::tie(row[0], row[1], row[2]);
        std::string normalised;
        normalise_code(value, normalised);
        if (kind == "组织机构代码") {
            EXPECT_EQ(is_organisation_code(normalised), valid == "1") << value;
        } else if (kind == "工商注册号") {
            EXPECT_EQ(is_registration_number(normalised), valid != "0") << value;
        } else if (kind == "居民身份证号") {
            EXPECT_EQ(is_identity_number(normalised), valid == "1") << value;
        } else if (kind == "居民身份证号(15位)") {
            EXPECT_EQ(upgrade_identity_number(value), "11010519491231002X");
        }
    }
}

TEST(Identifiers, NormaliseWidthCaseSpacesAndHyphens) {
    std::string normalised;
    EXPECT_TRUE(normalise_code("９１４４０３００１９２２０３８２１６", normalised));
    EXPECT_EQ(normalised, "914403001922038216");
    EXPECT_TRUE(normalise_code(" 9144030071526726xg\u3000", normalised));
    EXPECT_EQ(normalised, "9144030071526726XG");
    EXPECT_TRUE(normalise_code("71526726-X", normalised));
    EXPECT_EQ(normalised, "71526726X");
    EXPECT_TRUE(normalise_code("ａＺ～！", normalised));
    EXPECT_EQ(normalised, "AZ~!");
    EXPECT_FALSE(normalise_code("914403001922038216", normalised));
    EXPECT_FALSE(normalise_code("中文\xEF\xBC", normalised)) << "what it does not know stays";
    EXPECT_EQ(normalised, "中文\xEF\xBC");
}

TEST(Identifiers, FindIdentityNumbersInText) {
    EXPECT_EQ(find_identity_number("当事人身份证号219900190001010013，住址不详"), "219900190001010013");
    EXPECT_EQ(find_identity_number("11010519491231002x"), "11010519491231002x");
    EXPECT_EQ(find_identity_number(std::string(40, 'a') + "219900190001010013"), "219900190001010013");
    EXPECT_EQ(find_identity_number("219900190001010014"), "") << "check character wrong";
    EXPECT_EQ(find_identity_number("219900190013010013"), "") << "no such month";
    EXPECT_EQ(find_identity_number("2199001900010100130"), "") << "part of a longer number";
    EXPECT_EQ(find_identity_number("统一社会信用代码914403001922038216"), "");
    for (std::size_t before = 0; before < 40; ++before) {
        const auto text = std::string(before, ' ') + "219900190001010013" + std::string(before % 5, 'b');
        EXPECT_EQ(find_identity_number(text), "219900190001010013") << before;
    }
}

}  // namespace
}  // namespace xinfu::policies
