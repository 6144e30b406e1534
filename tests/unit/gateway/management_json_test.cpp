// Bodies of requests, as hostile as they come: the right members, each once, of the right kind and size, or none.
#include "daemon/gateway/management_json.hpp"

#include <gtest/gtest.h>

namespace xinfu::gateway {
namespace {

std::string fault_of(const std::string& body) {
    std::string fault;
    return parse_request(body, fault) ? std::string("taken") : fault;
}

const std::string kForm =
    R"("kind":"person","unit":"u","unit_name":"n","name":"x","roles":["viewer"],"sources":["10.0.0.0/8"])";

TEST(ManagementJson, TakesAFormMemberByMember) {
    std::string fault;
    const auto request = parse_request(
        R"({"act":"account","reason":"r","account":"p-0001","form":{)" + kForm + R"(,"phone":"1"}})", fault);
    ASSERT_TRUE(request) << fault;
    EXPECT_EQ(request->act(), "account");
    EXPECT_EQ(request->account(), "p-0001");
    EXPECT_EQ(request->form().roles(0), "viewer");
    EXPECT_EQ(request->form().sources(0), "10.0.0.0/8");
    EXPECT_EQ(request->form().phone(), "1");
    EXPECT_FALSE(request->has_policy());
}

TEST(ManagementJson, TakesPacksWithTheirTexts) {
    std::string fault;
    const auto request = parse_request(
        R"({"act":"policy","reason":"r","policy":{"packs":[{"kind":"access","text":"pack: access/1\n"}],"remove":["00"]}})",
        fault);
    ASSERT_TRUE(request) << fault;
    EXPECT_EQ(request->policy().packs(0).text(), "pack: access/1\n");
    EXPECT_EQ(request->policy().remove(0), "00");
    EXPECT_FALSE(request->has_form());
}

TEST(ManagementJson, TakesASearchMemberByMember) {
    std::string fault;
    const auto search = parse_search(R"({"subject":"s","actor":"a","from":"2026-01-31","before":0,"limit":20})", fault);
    ASSERT_TRUE(search) << fault;
    EXPECT_EQ(search->subject() + search->actor() + search->from(), "sa2026-01-31");
    EXPECT_TRUE(search->has_before());
    EXPECT_EQ(search->before(), 0U);
    EXPECT_EQ(search->limit(), 20U);
    EXPECT_FALSE(parse_search("{}", fault)->has_before());
    EXPECT_EQ(parse_search(R"({"limit":99999999999})", fault)->limit(), UINT32_MAX) << "not the rest of a division";
    for (const auto& [body, wrong] :
         std::vector<std::pair<std::string, std::string>>{{"", "an object is expected"},
                                                          {"[]", "an object is expected"},
                                                          {R"({"subject":1})", "subject"},
                                                          {R"({"before":-1})", "before"},
                                                          {R"({"before":1.5})", "before"},
                                                          {R"({"before":1e30})", "before"},
                                                          {R"({"before":"1"})", "before"},
                                                          {R"({"limit":null})", "limit"},
                                                          {R"({"verb":"x"})", "a member that is not known"}}) {
        fault.clear();
        EXPECT_FALSE(parse_search(body, fault)) << body;
        EXPECT_EQ(fault, wrong) << body;
    }
}

TEST(ManagementJson, NamesWhatIsWrong) {
    const std::string deep(2000, '[');
    EXPECT_EQ(fault_of(""), "an object is expected");
    EXPECT_EQ(fault_of("[]"), "an object is expected");
    EXPECT_EQ(fault_of(deep), "an object is expected");
    EXPECT_EQ(fault_of(R"({"reason":"r","form":{}})"), "act");
    EXPECT_EQ(fault_of(R"({"act":1,"reason":"r","form":{}})"), "act");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r"})"), "form");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r","form":[]})"), "an object is expected");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r","form":{"kind":"person"}})"), "unit");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r","form":{)" + kForm + R"(,"guest":true}})"),
              "a member that is not known");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r","form":{)" + kForm + R"(,"catalogs":"all"}})"), "catalogs");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r","form":{)" + kForm + R"(,"catalogs":[1]}})"), "catalogs");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":"r","form":{)" + kForm + R"(,"certificates":["no PEM"]}})"),
              "certificates");
    EXPECT_EQ(fault_of(R"({"act":"account","reason":")" + std::string(20000, 'x') + R"(","form":{)" + kForm + "}}"),
              "reason");
    EXPECT_EQ(fault_of(R"({"act":"policy","reason":"r","policy":{"packs":[{"kind":"access"}]}})"), "text");
    EXPECT_EQ(fault_of(R"({"act":"policy","reason":"r","form":{)" + kForm + "}}"), "policy");
}

TEST(ManagementJson, ShowsAChangeAsTheTextItsDigestIsOf) {
    boundary::RequestView view;
    view.set_id("1");
    view.set_change(R"({"act":"account"})");
    const auto response = render_request(view, 201);
    EXPECT_NE(response.body.find(R"("change":"{\"act\":\"account\"}")"), std::string::npos) << response.body;
    EXPECT_EQ(response.status, 201U);
}

}  // namespace
}  // namespace xinfu::gateway
