// Paths, names and routes: what is one, and that nothing else is.
#include "daemon/gateway/target.hpp"

#include <gtest/gtest.h>

#include "daemon/gateway/routes.hpp"

namespace xinfu::gateway {
namespace {

using Segments = std::vector<std::string>;

TEST(Target, SplitsBeforeItDecodes) {
    EXPECT_EQ(parse_target("/v1/submissions/c/a%2Fb")->segments, (Segments{"v1", "submissions", "c", "a/b"}));
    EXPECT_EQ(parse_target("/v1/%E8%A1%8C%E6%94%BF?x=%ZZ")->segments, (Segments{"v1", "行政"}));
    EXPECT_EQ(parse_target("/v1/%E8%A1%8C%E6%94%BF?x=%ZZ")->query, "x=%ZZ");
    EXPECT_EQ(parse_target("/")->segments, (Segments{""}));
    EXPECT_EQ(parse_target("/a//b/")->segments, (Segments{"a", "", "b", ""}));
    for (const std::string bad : {"", "v1", "https://x/v1", "*", "/%", "/%4", "/%4g", "/%%41"}) {
        EXPECT_FALSE(parse_target(bad).has_value()) << bad;
    }
}

TEST(Target, NamesAreUtf8WithoutSlashesAndControls) {
    for (const std::string good : {"a", "2026-07 处罚.p7m", "city.province.17", " ", "é", "\U0001f600", "a%b"}) {
        EXPECT_TRUE(is_submission_name(good)) << good;
    }
    EXPECT_TRUE(is_submission_name(std::string(200, 'x')));
    EXPECT_FALSE(is_submission_name(std::string(201, 'x')));
    const std::vector<std::string> bad{
        "",         "a/b",          std::string("a\0b", 3), "a\tb",        "a\x7f", "\xc2\x85", "\xff", "\xc3",
        "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",     "\xe0\x80\x80"};
    for (const auto& name : bad) {
        EXPECT_FALSE(is_submission_name(name)) << testing::PrintToString(name);
    }
}

// Spellings of C2SP tlog-tiles: 1234067 is x001/x234/067.
TEST(Target, TilesHaveOneSpellingEach) {
    const auto parse = [](const Segments& segments) { return parse_tile(segments); };
    EXPECT_EQ(parse({"x001", "x234", "067"})->index, 1234067U);
    EXPECT_EQ(parse({"x001", "x234", "067"})->width, 256U);
    EXPECT_EQ(parse({"000"})->index, 0U);
    EXPECT_EQ(parse({"273.p", "112"})->index, 273U);
    EXPECT_EQ(parse({"273.p", "112"})->width, 112U);
    EXPECT_EQ(parse({"x001", "000.p", "1"})->index, 1000U);
    const std::vector<Segments> bad{{},
                                    {"0"},
                                    {"0000"},
                                    {"x000"},
                                    {"x000", "001"},
                                    {"001", "001"},
                                    {"x001", "x001"},
                                    {"000.p", "0"},
                                    {"000.p", "256"},
                                    {"000.p", "01"},
                                    {"000.p"},
                                    {"00a"},
                                    {"000", "p", "1"},
                                    {"x01", "000"},
                                    {"-01"},
                                    {"x999", "x999", "x999", "x999", "x999", "x999", "999"}};
    for (const auto& segments : bad) {
        EXPECT_FALSE(parse(segments).has_value()) << testing::PrintToString(segments);
    }
    EXPECT_EQ(parse_tile_level("63"), 63U);
    for (const std::string level : {"64", "01", "", "-1", "a", "1 ", "99999999999"}) {
        EXPECT_FALSE(parse_tile_level(level).has_value()) << level;
    }
}

TEST(Routes, FindTheAct) {
    struct Case {
        std::string method;
        std::string target;
        Act act;
        std::string first;
        std::string second;
    };
    for (const auto& [method, target, act, first, second] : std::vector<Case>{
             {"PUT", "/v1/submissions/administrative-penalty/%E7%BD%9A.p7m", Act::put_submission,
              "administrative-penalty", "罚.p7m"},
             {"PUT", "/v1/submissions/c/receipt", Act::put_submission, "c", "receipt"},
             {"GET", "/v1/submissions/0123abcd", Act::get_submission, "0123abcd", ""},
             {"GET", "/v1/submissions/0123abcd/receipt", Act::get_receipt, "0123abcd", ""},
             {"GET", "/v1/submissions/0123abcd/defects", Act::get_defects, "0123abcd", ""},
             {"GET", "/v1/submissions/0123abcd/original", Act::get_original, "0123abcd", ""},
             {"POST", "/v1/checks/c", Act::check, "c", ""},
             {"GET", "/v1/catalogs", Act::list_catalogs, "", ""},
             {"GET", "/v1/catalogs/c", Act::get_catalog, "c", ""},
             {"GET", "/v1/catalogs/c/template.csv", Act::get_template, "c", ""},
             {"POST", "/v1/records/c/query", Act::query_records, "c", ""},
             {"GET", "/v1/routes/province", Act::get_route, "province", ""},
             {"GET", "/v1/log/checkpoint", Act::read_checkpoint, "", ""},
             {"GET", "/v1/log/tile/1/000.p/3", Act::read_tile, "", ""},
             {"GET", "/v1/log/tile/entries/x001/000", Act::read_entries, "", ""},
             {"POST", "/v1/log/search", Act::search_log, "", ""},
             {"GET", "/v1/trace/0123abcd-2", Act::trace_record, "0123abcd-2", ""},
             {"POST", "/v1/session", Act::open_session, "", ""},
             {"DELETE", "/v1/session", Act::close_session, "", ""},
             {"GET", "/v1/status", Act::get_status, "", ""},
             {"GET", "/v1/feeds/c?after=7", Act::read_feed, "c", ""},
         }) {
        const auto found = find_route(method, target);
        ASSERT_TRUE(std::holds_alternative<Route>(found)) << method << " " << target;
        const auto& route = std::get<Route>(found);
        EXPECT_EQ(route.act, act) << target;
        EXPECT_EQ(route.first, first) << target;
        EXPECT_EQ(route.second, second) << target;
    }
    EXPECT_EQ(std::get<Route>(find_route("GET", "/v1/log/tile/1/000.p/3")).tile.level, 1U);
    EXPECT_EQ(std::get<Route>(find_route("GET", "/v1/log/tile/1/000.p/3")).tile.width, 3U);
    EXPECT_EQ(std::get<Route>(find_route("GET", "/v1/feeds/c?after=7")).query, "after=7");
}

TEST(FeedQuery, ReadsWhatIsGivenAndHasBoundsForTheRest) {
    std::string fault;
    const auto nothing = parse_feed_query("", fault);
    ASSERT_TRUE(nothing);
    EXPECT_EQ(std::tuple(nothing->after, nothing->limit, nothing->wait_seconds), std::tuple(0U, 1000U, 0U));
    const auto all = parse_feed_query("wait=30&after=9007199254740991&limit=1", fault);
    ASSERT_TRUE(all);
    EXPECT_EQ(std::tuple(all->after, all->limit, all->wait_seconds), std::tuple(9007199254740991U, 1U, 30U));
    EXPECT_EQ(parse_feed_query("wait=0&limit=1000&after=0", fault)->wait_seconds, 0U);
}

TEST(FeedQuery, NamesTheParameterThatIsWrong) {
    for (const auto& [query, named] : std::vector<std::pair<std::string, std::string>>{
             {"after=-1", "after"},
             {"after=", "after"},
             {"after", "after"},
             {"after=01", "after"},
             {"after=9007199254740992", "after"},
             {"after=99999999999999999999999", "after"},
             {"after=1&after=1", "after"},
             {"limit=0", "limit"},
             {"limit=1001", "limit"},
             {"wait=31", "wait"},
             {"wait=%31", "wait"},
             {"limit=5&before=3", "before"},
             {"limit=5&&wait=1", "?"},
             {"a%0a=1", "?"},
         }) {
        std::string fault;
        EXPECT_FALSE(parse_feed_query(query, fault)) << query;
        EXPECT_EQ(fault, named) << query;
    }
}

TEST(Routes, SayWhyThereIsNone) {
    struct Case {
        std::string method;
        std::string target;
        std::string code;
        std::string allow;
    };
    for (const auto& [method, target, code, allow] : std::vector<Case>{
             {"GET", "/", "XF-1105", ""},
             {"GET", "/v2/status", "XF-1105", ""},
             {"GET", "/v1/status/", "XF-1105", ""},
             {"GET", "/v1/submissions/a%2Fb", "XF-1105", ""},
             {"GET", "/v1/submissions/x/nonsense", "XF-1104", "PUT"},
             {"POST", "/v1/status", "XF-1104", "GET"},
             {"GET", "/v1/session", "XF-1104", "POST, DELETE"},
             {"DELETE", "/v1/submissions/x/receipt", "XF-1104", "PUT, GET"},
             {"PUT", "/v1/submissions/c/a%2Fb", "XF-1110", ""},
             {"PUT", "/v1/submissions/c/%FF", "XF-1110", ""},
             {"PUT", "/v1/submissions/c/", "XF-1110", ""},
             {"PUT", "/v1/submissions/no such/x", "XF-1105", ""},
             {"GET", "/v1/%4", "XF-1111", ""},
             {"GET", "https://x/v1/status", "XF-1111", ""},
             {"GET", "/v1/log/tile/0/000.p/0", "XF-1105", ""},
         }) {
        const auto found = find_route(method, target);
        ASSERT_TRUE(std::holds_alternative<NoRoute>(found)) << method << " " << target;
        EXPECT_EQ(std::get<NoRoute>(found).code, code) << method << " " << target;
        EXPECT_EQ(std::get<NoRoute>(found).allow, allow) << method << " " << target;
    }
}

TEST(Target, MonthsAreFourDigitsAndTwo) {
    EXPECT_EQ(parse_month("2026-11"), 202611U);
    for (const auto* text : {"", "2026", "2026-1", "2026-00", "2026-13", "2026/11", "1999-12", "20a6-11", "2026-111"}) {
        EXPECT_FALSE(parse_month(text)) << text;
    }
}

}  // namespace
}  // namespace xinfu::gateway
