// xinfu quality: the figures of a month, for people; the signed report for files.
#include <array>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/verbs.hpp"
#include "policies/quality.hpp"

namespace xinfu::client {
namespace {

struct Options {
    NodeOptions node;
    std::string month;
    std::string out;
    bool json = false;
};

Text name_of(policies::Measure measure) {
    switch (measure) {
        case policies::Measure::admission: return {"admission", "有效入库率"};
        case policies::Measure::completeness: return {"completeness", "完整率"};
        case policies::Measure::accuracy: return {"accuracy", "准确率"};
        case policies::Measure::reasonableness: return {"reasonableness", "合理率"};
        case policies::Measure::timeliness: return {"timeliness", "及时率"};
        case policies::Measure::code_errors: return {"code errors", "重错码率"};
    }
    return {};
}

std::string percent(std::uint64_t ppm) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%llu.%04llu %%", static_cast<unsigned long long>(ppm / 10000),
                  static_cast<unsigned long long>(ppm % 10000));
    return text.data();
}

void say_figures(const json::object& figures) {
    const auto number = [&figures](std::string_view key) { return std::to_string(number_of(figures, key)); };
    say({"  files: " + number("files_accepted") + " accepted, " + number("files_refused") +
             " refused; records: " + number("records") + " handed in, " + number("stored") + " stored, " +
             number("duplicate") + " duplicate, " + number("changed") + " changed",
         "  文件：接收 " + number("files_accepted") + "，退回 " + number("files_refused") + "；记录：报送 " +
             number("records") + "，入库 " + number("stored") + "，重复 " + number("duplicate") + "，更正或撤回 " +
             number("changed")});
    say({"  incomplete " + number("incomplete") + ", inaccurate " + number("inaccurate") + ", unreasonable " +
             number("unreasonable") + ", late " + number("late") + ", undecided " + number("undecided") + "; codes " +
             number("coded") + ", wrong " + number("wrong_code") + ", with two names " + number("repeated_code"),
         "  不完整 " + number("incomplete") + "，不准确 " + number("inaccurate") + "，不合理 " +
             number("unreasonable") + "，迟报 " + number("late") + "，待日历公布后确定 " + number("undecided") +
             "；代码 " + number("coded") + "，错码 " + number("wrong_code") + "，重码 " + number("repeated_code")});
    Text rates{"  ", "  "};
    for (const auto measure : policies::kMeasures) {
        const std::string key = std::string(policies::name(measure)) + "_ppm";
        const Text name = name_of(measure);
        const std::string rate = figures.contains(key) ? percent(number_of(figures, key)) : "-";
        const bool last = measure == policies::Measure::code_errors;
        rates.en += name.en + " " + rate + (last ? "" : ", ");
        rates.zh += name.zh + " " + rate + (last ? "" : "，");
    }
    say(rates);
    for (const json::value& alarm : array_of(figures, "alarms")) {
        for (const auto measure : policies::kMeasures) {
            if (alarm.is_string() && alarm.get_string() == policies::name(measure)) {
                const Text name = name_of(measure);
                say({"  ALARM: " + name.en + " misses its target", "  告警：" + name.zh + "未达到目标"});
            }
        }
    }
}

Exit quality(const Options& options) {
    NodeApi node(options.node);
    const json::object answer =
        node.get("/v1/quality" + (options.month.empty() ? std::string() : "/" + encode_segment(options.month)));
    const json::object& report = object_of(answer, "report");
    if (!options.out.empty()) {
        // The node's own bytes: its members stand in canonical order and are kept in it.
        write_file(options.out, json::serialize(report));
        write_file(options.out + ".receipt", text_of(answer, "receipt"));
    }
    if (options.json) {
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const json::value* over = report.if_contains("over");
    const bool ended = over != nullptr && over->is_bool() && over->get_bool();
    say({text_of(report, "node") + ", " + text_of(report, "month") + (ended ? "" : ", so far"),
         text_of(report, "node") + "，" + text_of(report, "month") + (ended ? "" : "（截至目前）")});
    for (const json::value& value : array_of(report, "rows")) {
        if (value.is_object()) {
            const json::object& row = value.get_object();
            const std::string head = text_of(row, "unit") + " " + text_of(row, "catalog");
            say({head, head + " " + text_of(row, "catalog_title_zh")});
            say_figures(row);
        }
    }
    say({"in all", "合计"});
    say_figures(object_of(report, "total"));
    return Exit::done;
}

}  // namespace

void add_quality_verb(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<Options>();
    CLI::App* verb = app.add_subcommand("quality", "how complete, correct and timely what was handed in is");
    add_node_options(*verb, options->node);
    verb->add_option("--month", options->month, "YYYY-MM; the current month otherwise");
    verb->add_option("--out", options->out, "file for the report; its receipt goes to FILE.receipt");
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options] { chosen = {[options] { return quality(*options); }, options->json}; });
}

}  // namespace xinfu::client
