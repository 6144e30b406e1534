#include <algorithm>

#include <CLI/CLI.hpp>

#include "daemon/client/json.hpp"
#include "daemon/client/verbs.hpp"
#include "policies/codes.hpp"
#include "policies/examples.hpp"

namespace xinfu::client {
namespace {

// "3002", "xf-3002" and "XF-3002" are the same code.
std::string full_code(std::string code) {
    std::ranges::transform(code, code.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return code.starts_with("XF-") ? code : "XF-" + code;
}

Exit explain(const std::string& given, bool as_json) {
    const policies::CodeText* text = policies::find_code(full_code(given));
    if (text == nullptr) {
        throw Stop{Exit::refused, {"there is no code " + given, "没有代码 " + given}, {}};
    }
    const auto string = [](std::string_view view) { return std::string(view); };
    if (as_json) {
        const std::string_view retry = text->retry == policies::Retry::never  ? "never"
                                       : text->retry == policies::Retry::same ? "same"
                                                                              : "later";
        json::object object{
            {"code", text->code},           {"http_status", text->http_status}, {"retry", retry},
            {"title", text->title},         {"title_zh", text->title_zh},       {"detail", text->detail},
            {"detail_zh", text->detail_zh}, {"remedy", text->remedy},           {"remedy_zh", text->remedy_zh}};
        if (const auto* example = policies::find_example(text->code)) {
            json::object shown{{"catalog", example->catalog}, {"field", example->field}, {"wrong", example->wrong}};
            if (!example->right.empty()) {
                shown.emplace("right", example->right);
            }
            if (!example->given_field.empty()) {
                shown.emplace("given", json::object{{example->given_field, example->given_value}});
            }
            if (!example->earlier.empty()) {
                shown.emplace("earlier", example->earlier);
            }
            object.emplace("example", std::move(shown));
        }
        say({json::serialize(object), {}});
        return Exit::done;
    }
    std::string example;
    std::string example_zh;
    if (const auto* shown = policies::find_example(text->code)) {
        const auto value = [&](std::string_view text_given) {
            return text_given.empty() ? string("-") : string(text_given);
        };
        const std::string where = string(shown->catalog) + ", " + string(shown->field);
        const std::string condition =
            shown->given_field.empty() ? string("")
                                       : " (" + string(shown->given_field) + " = " + string(shown->given_value) + ")";
        example =
            "\n  For example " + where + condition + ": " + value(shown->wrong) + "; right: " + value(shown->right);
        example_zh = "\n  例如 " + where + condition + "：" + value(shown->wrong) + "；正确：" + value(shown->right);
        if (!shown->earlier.empty()) {
            example += "; in an earlier line: " + string(shown->earlier);
            example_zh += "；前面一行：" + string(shown->earlier);
        }
    }
    // Both languages: whoever asks is often on the telephone with somebody who reads the other.
    const Text english{string(text->code) + " " + string(text->title) + "\n  " + string(text->detail) + "\n  " +
                           string(text->remedy) + example,
                       {}};
    const Text chinese{string(text->code) + " " + string(text->title_zh) + "\n  " + string(text->detail_zh) + "\n  " +
                           string(text->remedy_zh) + example_zh,
                       {}};
    say(speaks_chinese() ? chinese : english);
    say(speaks_chinese() ? english : chinese);
    return Exit::done;
}

}  // namespace

void add_explain_verb(CLI::App& app, Chosen& chosen) {
    struct Options {
        std::string code;
        bool json = false;
    };
    auto options = std::make_shared<Options>();
    CLI::App* verb = app.add_subcommand("explain", "cause and remedy of an error code");
    verb->add_option("CODE", options->code, "XF-nnnn")->required();
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options] {
        chosen = {[options] { return explain(options->code, options->json); }, options->json};
    });
}

}  // namespace xinfu::client
