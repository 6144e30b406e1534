// What leaves the node: problems as RFC 9457 and the contract say, sheets a spreadsheet opens and does not run.
#include "daemon/gateway/render.hpp"

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "policies/codes.hpp"

namespace xinfu::gateway {
namespace {

namespace json = boost::json;

std::string header(const Response& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

TEST(Render, EveryCodeIsAProblemWithItsStatus) {
    for (const auto& text : policies::all_codes()) {
        const auto response = render_problem(make_problem(text.code, {"1", "2"}));
        EXPECT_EQ(response.status, text.http_status == 0 ? 500U : static_cast<unsigned>(text.http_status)) << text.code;
        EXPECT_EQ(response.content_type, "application/problem+json");
        const auto body = json::parse(response.body).as_object();
        EXPECT_EQ(body.at("code").as_string(), text.code);
        EXPECT_EQ(body.at("status").to_number<unsigned>(), response.status);
        for (const auto* member : {"title", "detail", "detail_zh", "retry"}) {
            EXPECT_FALSE(body.at(member).as_string().empty()) << text.code << " " << member;
        }
        EXPECT_EQ(body.at("detail").as_string().find("{0}"), json::string::npos) << text.code;
        EXPECT_EQ(header(response, "Retry-After").empty(),
                  text.retry != policies::Retry::later && text.http_status != 503)
            << text.code;
        EXPECT_EQ(response.close, text.http_status == 401) << text.code;
    }
    EXPECT_EQ(header(render_problem(make_problem("XF-6001", {}, 17)), "Retry-After"), "17");
}

TEST(Render, ARefusedFileHasItsDefectsWithTotalsAndReceipt) {
    boundary::SubmissionOutcome outcome;
    outcome.set_kind(boundary::SubmissionOutcome::REFUSED);
    outcome.set_id("ab12");
    outcome.set_receipt("c2sp.org/tlog-proof@v1\n");
    *outcome.mutable_problem() = make_problem("XF-5002", {"2", "9"});
    outcome.set_defects_total(2);
    outcome.set_warnings_total(1);
    OutcomeDetails details;
    details.defects.resize(1);
    details.defects[0].set_line(3);
    details.defects[0].set_field("CF_XDR_SHXYM");
    details.defects[0].set_code("XF-4003");
    details.defects[0].set_masked_value("9121…0A");
    details.warnings.resize(1);
    details.warnings[0].set_severity(boundary::SEVERITY_WARNING);
    const auto response = render_outcome(outcome, details);
    EXPECT_EQ(response.status, 422U);
    EXPECT_EQ(header(response, "Location"), "/v1/submissions/ab12");
    const auto body = json::parse(response.body).as_object();
    EXPECT_EQ(body.at("receipt").as_string(), outcome.receipt());
    EXPECT_EQ(body.at("id").as_string(), "ab12");
    EXPECT_EQ(body.at("defects_total").to_number<int>(), 2);
    EXPECT_EQ(body.at("warnings").as_array().size(), 1U);
    const auto& defect = body.at("defects").as_array().at(0).as_object();
    EXPECT_EQ(defect.at("line").to_number<int>(), 3);
    EXPECT_EQ(defect.at("field").as_string(), "CF_XDR_SHXYM");
    EXPECT_EQ(defect.at("severity").as_string(), "error");
    EXPECT_FALSE(defect.at("detail_zh").as_string().empty());
}

TEST(Render, AnAcceptedFileIsItsReceipt) {
    using Outcome = boundary::SubmissionOutcome;
    const std::vector<std::pair<Outcome::Kind, unsigned>> kinds{
        {Outcome::CREATED, 201}, {Outcome::REPEATED, 200}, {Outcome::PENDING, 202}};
    for (const auto& [kind, status] : kinds) {
        Outcome outcome;
        outcome.set_kind(kind);
        outcome.set_id("x");
        outcome.set_receipt("receipt\n");
        const auto response = render_outcome(outcome, {});
        EXPECT_EQ(response.status, status);
        EXPECT_EQ(response.body, "receipt\n");
        EXPECT_EQ(response.content_type.substr(0, 10), "text/plain");
        EXPECT_EQ(header(response, "Location"), "/v1/submissions/x");
    }
}

TEST(Render, SheetsAreQuotedAndNeverAFormula) {
    EXPECT_EQ(csv_row({"a", "b,c", "d\"e", "f\ng", ""}), "a,\"b,c\",\"d\"\"e\",\"f\ng\",\r\n");
    EXPECT_EQ(csv_row({"=1+1", "+1", "-1", "@x", "1-1"}), "'=1+1,'+1,'-1,'@x,1-1\r\n");
    EXPECT_EQ(defects_csv_head().substr(0, 3), "\xef\xbb\xbf");
    boundary::Defect defect;
    defect.set_line(2);
    defect.set_field("CF_XDR_MC");
    defect.set_code("XF-4001");
    const auto row = defect_csv_row(defect, {{"CF_XDR_MC", "行政相对人名称"}});
    EXPECT_TRUE(row.starts_with("2,行政相对人名称,")) << row;
    EXPECT_TRUE(row.ends_with("\r\n"));
}

// The other table that people open: an empty sheet, whose titles come from a pack.
TEST(Render, TemplatesAreQuotedAndNeverAFormula) {
    boundary::CatalogDescription catalog;
    catalog.set_name("c");
    for (const char* title : {"名称", "=1+1", "＝1", " @x", "a,b"}) {
        catalog.add_fields()->set_title_zh(title);
    }
    catalog.mutable_fields(0)->set_required("always");
    EXPECT_EQ(render_template(catalog).body, "\xef\xbb\xbf名称*,'=1+1,'＝1,' @x,\"a,b\"\r\n");
}

TEST(Render, TimesAreUtcWithMilliseconds) {
    EXPECT_EQ(render_time(0), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(render_time(1767225600123), "2026-01-01T00:00:00.123Z");
}

TEST(Render, RequestsOfAnotherFormAreNamed) {
    std::string fault;
    const auto good = parse_texts(R"({"subject":"x","purpose":"许可"})", {"subject", "purpose"}, {}, fault);
    ASSERT_TRUE(good.has_value());
    EXPECT_EQ(good->at("purpose"), "许可");
    const std::vector<std::string> bad{"",
                                       "[]",
                                       "{",
                                       R"({"subject":"x"})",
                                       R"({"subject":1,"purpose":"y"})",
                                       R"({"subject":"x","purpose":"y","more":"z"})",
                                       "{\"subject\":\"\xff\",\"purpose\":\"y\"}",
                                       "{\"subject\":\"" + std::string(5000, 'x') + "\",\"purpose\":\"y\"}",
                                       std::string(100, '[')};
    for (const auto& body : bad) {
        fault.clear();
        EXPECT_FALSE(parse_texts(body, {"subject", "purpose"}, {}, fault).has_value()) << body;
        EXPECT_FALSE(fault.empty()) << body;
    }
}

}  // namespace
}  // namespace xinfu::gateway
