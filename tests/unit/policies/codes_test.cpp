#include "policies/codes.hpp"

#include <set>

#include <gtest/gtest.h>

namespace xinfu::policies {
namespace {

std::set<char> placeholders(std::string_view sentence) {
    std::set<char> found;
    for (std::size_t at = 0; at + 2 < sentence.size(); ++at) {
        if (sentence[at] == '{' && sentence[at + 2] == '}')
            found.insert(sentence[at + 1]);
    }
    return found;
}

bool has_chinese(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) >= 0xE4)
            return true;
    }
    return false;
}

TEST(Codes, AscendWithoutRepetition) {
    const auto codes = all_codes();
    ASSERT_FALSE(codes.empty());
    for (std::size_t i = 1; i < codes.size(); ++i)
        EXPECT_LT(codes[i - 1].code, codes[i].code);
}

TEST(Codes, AreCompleteInBothLanguages) {
    for (const auto& code : all_codes()) {
        ASSERT_EQ(code.code.size(), 7u) << code.code;
        EXPECT_TRUE(code.code.starts_with("XF-")) << code.code;
        for (const auto english : {code.title, code.detail, code.remedy}) {
            EXPECT_FALSE(english.empty()) << code.code;
        }
        for (const auto chinese : {code.title_zh, code.detail_zh, code.remedy_zh}) {
            EXPECT_TRUE(has_chinese(chinese)) << code.code;
        }
    }
}

// Arguments may differ between the languages only where one carries the field's title in each language.
TEST(Codes, UseEveryArgumentInOneOfTheLanguages) {
    for (const auto& code : all_codes()) {
        auto all = placeholders(code.detail);
        const auto chinese = placeholders(code.detail_zh);
        EXPECT_EQ(all.empty(), chinese.empty()) << code.code;
        all.merge(placeholders(code.detail_zh));
        char expected = '0';
        for (const char c : all)
            EXPECT_EQ(c, expected++) << code.code << ": arguments are numbered from 0 without gap";
        EXPECT_TRUE(placeholders(code.title).empty()) << code.code;
        EXPECT_TRUE(placeholders(code.remedy).empty() && placeholders(code.remedy_zh).empty()) << code.code;
    }
}

TEST(Codes, HaveAStatusThatFitsTheirRange) {
    for (const auto& code : all_codes()) {
        const bool finding = code.code[3] == '4' || code.code[3] == '8';
        if (finding) {
            EXPECT_EQ(code.http_status, 0) << code.code;
        }
        if (code.http_status != 0) {
            EXPECT_GE(code.http_status, 400) << code.code;
            EXPECT_LT(code.http_status, 600) << code.code;
        }
        if (code.http_status == 429 || code.http_status == 507) {
            EXPECT_EQ(code.retry, Retry::later) << code.code;
        }
    }
}

TEST(Codes, AreFoundByTheirNumberOnly) {
    ASSERT_NE(find_code("XF-5001"), nullptr);
    EXPECT_EQ(find_code("XF-5001")->http_status, 409);
    EXPECT_EQ(find_code("XF-0000"), nullptr);
    EXPECT_EQ(find_code("5001"), nullptr);
    EXPECT_EQ(find_code(""), nullptr);
}

TEST(Codes, FillInArguments) {
    EXPECT_EQ(fill_in("{0} of {1}, {0}", {"3", "5"}), "3 of 5, 3");
    EXPECT_EQ(fill_in("{1}", {"only"}), "…");
    EXPECT_EQ(fill_in("{", {}), "{");
    EXPECT_EQ(fill_in("{x}", {"a"}), "{x}");
    EXPECT_EQ(fill_in("{0}", {"{0}{1}"}), "{0}{1}") << "an argument is never expanded again";
}

}  // namespace
}  // namespace xinfu::policies
