// xinfu log search: leaves by what they say, for people and for programs.
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "daemon/client/files.hpp"
#include "daemon/client/leaf_words.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/terminal.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

struct Options {
    NodeOptions node;
    std::string subject;
    std::string actor;
    std::string unit;
    std::string role;
    std::string action;
    std::string result;
    std::string catalog;
    std::string object;
    std::string approval;
    std::string from;
    std::string until;
    std::string receipt;
    std::uint64_t before = 0;
    bool has_before = false;
    std::uint32_t limit = 0;
    bool all = false;
    bool json = false;
};

json::object terms_of(const Options& options) {
    json::object asked;
    const std::pair<const char*, const std::string*> texts[] = {
        {"subject", &options.subject}, {"actor", &options.actor},   {"unit", &options.unit},
        {"role", &options.role},       {"action", &options.action}, {"result", &options.result},
        {"catalog", &options.catalog}, {"object", &options.object}, {"approval", &options.approval},
        {"from", &options.from},       {"until", &options.until},
    };
    for (const auto& [name, text] : texts) {
        if (!text->empty()) {
            asked[name] = *text;
        }
    }
    if (options.subject == "-") {
        std::string subject;
        std::getline(std::cin, subject);
        asked["subject"] = subject;
    }
    if (options.has_before) {
        asked["before"] = options.before;
    }
    if (options.limit > 0) {
        asked["limit"] = options.limit;
    }
    return asked;
}

void say_entry(const json::object& entry) {
    const json::object& leaf = object_of(entry, "leaf");
    const json::object& object = object_of(leaf, "object");
    const json::object& notes = object_of(entry, "notes");
    const auto text = [](const json::object& from, std::string_view key) { return printable(text_of(from, key)); };
    const auto more = [](const std::string& en, const std::string& zh, const std::string& value) {
        if (!value.empty()) {
            say({"    " + en + " " + value, "    " + zh + " " + value});
        }
    };
    const std::string head = std::to_string(number_of(entry, "index")) + "  " + text(leaf, "time") + "  ";
    const std::string code = text(leaf, "code");
    const Text action = words_of_action(text_of(leaf, "action"));
    const Text result = words_of_result(text_of(leaf, "result"));
    say({head + printable(action.en) + ": " + printable(result.en) + (code.empty() ? "" : " " + code),
         head + printable(action.zh) + "：" + printable(result.zh) + (code.empty() ? "" : " " + code)});
    const std::string principal = text(leaf, "principal");
    const std::string role = text(leaf, "role");
    more("by", "主体", principal.empty() ? std::string() : principal + (role.empty() ? "" : " (" + role + ")"));
    more("unit", "单位", text(leaf, "unit"));
    more("from", "来源", text(leaf, "source"));
    more("catalog", "目录", text(leaf, "catalog"));
    more(text(object, "type"), text(object, "type"), text(object, "id"));
    more("digest", "摘要", text(object, "digest"));
    more("content", "内容摘要", text(object, "content"));
    more("approval", "审批", text(leaf, "approval"));
    more("because", "说明", text(leaf, "reason"));
    more("subject", "信用主体", text(notes, "subject"));
    more("file", "文件名", text(notes, "name"));
    more("purpose", "用途", text(notes, "purpose"));
    more("detail", "详情", text(notes, "detail"));
    if (const auto count = number_of(leaf, "count"); count > 1) {
        more("times", "次数", std::to_string(count));
    }
}

Exit search_log(const Options& options) {
    json::object asked = terms_of(options);
    NodeApi node(options.node);
    json::array entries;
    json::array receipts;
    json::value next = nullptr;
    std::uint64_t found = 0;
    do {
        const json::object page = node.post("/v1/log/search", asked);
        for (const json::value& entry : array_of(page, "entries")) {
            ++found;
            if (options.json) {
                entries.push_back(entry);
            } else if (entry.is_object()) {
                say_entry(entry.get_object());
            }
        }
        receipts.push_back(json::string(text_of(page, "receipt")));
        const json::value* said = page.if_contains("next");
        next = said == nullptr ? json::value() : *said;
        asked["before"] = next;
        // A page may look at much and find nothing; whoever asked wants to know what there is.
    } while (!next.is_null() && (options.all || found == 0));
    if (!options.receipt.empty()) {
        std::string all;
        for (const json::value& receipt : receipts) {
            all += std::string_view(receipt.get_string());
        }
        write_file(options.receipt, all);
    }
    if (options.json) {
        const json::object answer{{"entries", entries}, {"next", next}, {"receipts", receipts}};
        say({printable_json(json::serialize(answer)), {}});
        return Exit::done;
    }
    const std::string count = std::to_string(found);
    say({count + (found == 1 ? " entry" : " entries"), count + " 条"});
    if (!next.is_null()) {
        const std::string before = json::serialize(next);
        say({"older ones: the same with --before " + before + ", or --all",
             "更早的条目：加 --before " + before + " 或 --all"});
    }
    return Exit::done;
}

}  // namespace

void add_search_verb(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<Options>();
    CLI::App* verb = app.get_subcommand("log")->add_subcommand(
        "search", "entries of the log by what they say, newest first; the search is an entry itself");
    add_node_options(*verb, options->node);
    verb->add_option("--subject", options->subject, "who was asked about; - reads the code from standard input");
    verb->add_option("--actor", options->actor, "account, or the digest of an unknown certificate");
    verb->add_option("--unit", options->unit, "unified social credit code of the actor's unit");
    verb->add_option("--role", options->role, "the role that permitted it");
    verb->add_option("--action", options->action, "such as submit, query, disable_account");
    verb->add_option("--result", options->result, "accepted, refused, pending, done, or the code of a refusal");
    verb->add_option("--catalog", options->catalog, "such as administrative-penalty");
    verb->add_option("--object", options->object, "id of what it was about, or its SHA-256");
    verb->add_option("--approval", options->approval, "request: what it allowed, and what became of it");
    verb->add_option("--from", options->from, "day in China, or RFC 3339 time, inclusive");
    verb->add_option("--until", options->until, "the same, inclusive");
    verb->add_option("--limit", options->limit, "entries in a page, at most 200");
    CLI::Option* before = verb->add_option("--before", options->before, "only entries of lower number: the next page");
    verb->add_flag("--all", options->all, "all pages");
    verb->add_option("--receipt", options->receipt, "file for the receipts of the search, one a page");
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options, before] {
        options->has_before = before->count() > 0;
        chosen = {[options] { return search_log(*options); }, options->json};
    });
}

}  // namespace xinfu::client
