#include <iostream>

#include <CLI/CLI.hpp>

#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

struct Options {
    NodeOptions node;
    std::string catalog;
    std::string subject;
    std::string approval;
    std::string purpose;
    std::string receipt;
    std::string new_password_file;
    bool json = false;
};

void say_links(const json::object& status) {
    for (const json::value& value : array_of(status, "links")) {
        if (!value.is_object()) {
            continue;
        }
        const json::object& link = value.get_object();
        const std::string route = text_of(link, "route") + " -> " + text_of(link, "url");
        const std::string backlog = std::to_string(number_of(link, "backlog"));
        const std::string limit = std::to_string(number_of(link, "backlog_limit"));
        const std::string delivered = std::to_string(number_of(link, "delivered"));
        say({route + ": " + text_of(link, "state") + ", " + delivered + " delivered, " + backlog + " of at most " +
                 limit + " waiting",
             route + "：" + text_of(link, "state") + "，已送达 " + delivered + "，待送 " + backlog + "（上限 " + limit +
                 "）"});
    }
}

Exit status(const Options& options) {
    const json::object answer = NodeApi(options.node).get("/v1/status");
    if (options.json) {
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const std::string size = std::to_string(number_of(answer, "log_size"));
    say({text_of(answer, "node") + ": " + text_of(answer, "state") + ", version " + text_of(answer, "version") +
             ", suite " + text_of(answer, "suite") + ", log of " + size + " entries",
         text_of(answer, "node") + "：" + text_of(answer, "state") + "，版本 " + text_of(answer, "version") +
             "，算法套件 " + text_of(answer, "suite") + "，日志 " + size + " 条"});
    if (const std::string key = text_of(answer, "log_key"); !key.empty()) {
        say({"log key " + key, "日志密钥 " + key});
    }
    if (const std::string key = text_of(answer, "witness_key"); !key.empty()) {
        say({"witness key " + key, "见证密钥 " + key});
    }
    if (answer.contains("cosigned_size")) {
        const std::string cosigned = std::to_string(number_of(answer, "cosigned_size"));
        say({"witnessed up to entry " + cosigned, "见证至第 " + cosigned + " 条"});
    }
    say_links(answer);
    for (const json::value& value : array_of(answer, "warnings")) {
        if (value.is_object()) {
            const json::object& warning = value.get_object();
            say({"warning: " + text_of(warning, "code") + " " + text_of(warning, "detail"),
                 "警告：" + text_of(warning, "code") + " " + text_of(warning, "detail_zh")});
        }
    }
    return Exit::done;
}

Exit sync_status(const Options& options) {
    const json::object answer = NodeApi(options.node).get("/v1/status");
    if (options.json) {
        say({json::serialize(array_of(answer, "links")), {}});
    } else if (array_of(answer, "links").empty()) {
        say({"no routes lead up from " + text_of(answer, "node"), text_of(answer, "node") + " 没有上行线路"});
    } else {
        say_links(answer);
    }
    return Exit::done;
}

// "-" reads it from standard input, so that the code appears in no list of processes.
std::string subject_of(const Options& options) {
    std::string subject = options.subject;
    if (subject == "-") {
        std::getline(std::cin, subject);
    }
    return subject;
}

Exit get_records(const Options& options) {
    json::object asked{{"subject", subject_of(options)}, {"purpose", options.purpose}};
    if (!options.approval.empty()) {
        asked["approval"] = options.approval;
    }
    NodeApi node(options.node);
    const json::object answer = node.post("/v1/records/" + encode_segment(options.catalog) + "/query", asked);
    if (!options.receipt.empty()) {
        write_file(options.receipt, text_of(answer, "receipt"));
    }
    if (options.json) {
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const json::array& records = array_of(answer, "records");
    const std::string count = std::to_string(records.size());
    say({count + (records.size() == 1 ? " record" : " records"), count + " 条记录"});
    for (const json::value& record : records) {
        if (!record.is_object()) {
            continue;
        }
        say({"--", {}});
        for (const auto& member : record.get_object()) {
            const std::string value =
                member.value().is_string() ? std::string(member.value().get_string()) : json::serialize(member.value());
            say({std::string(member.key()) + ": " + value, {}});
        }
    }
    return Exit::done;
}

Exit ask_to_unmask(const Options& options) {
    const json::object answer =
        NodeApi(options.node)
            .post("/v1/requests",
                  {{"act", "unmask"},
                   {"reason", options.purpose},
                   {"unmask", json::object{{"catalog", options.catalog}, {"subject", subject_of(options)}}}});
    if (!options.receipt.empty()) {
        write_file(options.receipt, text_of(answer, "receipt"));
    }
    const std::string id = text_of(answer, "id");
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say({"request " + id + " waits for its approval; then: xinfu records get --approval " + id + " ...",
             "申请 " + id + " 待批；批准后使用：xinfu records get --approval " + id + " …"});
    }
    return Exit::done;
}

Exit set_password(const Options& options) {
    // The first login has no password before it.
    NodeOptions without = options.node;
    without.password_file.clear();
    const bool asks = options.node.password_file.empty() && options.new_password_file.empty();
    const Text present{"Present password (none at the first login): ", "当前口令（首次登录留空）："};
    const std::string old = options.node.password_file.empty() && !asks
                                ? std::string()
                                : read_password(options.node.password_file, present);
    const Text prompt{"New password: ", "新口令："};
    const std::string fresh = read_password(options.new_password_file, prompt);
    if (options.new_password_file.empty() && fresh != read_password({}, {"New password again: ", "再次输入新口令："})) {
        throw Stop{Exit::refused, {"the two passwords differ", "两次输入的口令不一致"}, {}};
    }
    NodeApi(without).open_session(old, fresh);
    say({"password set", "口令已设置"});
    return Exit::done;
}

}  // namespace

void add_node_verbs(CLI::App& app, Chosen& chosen) {
    const auto add = [&](CLI::App& parent, const char* name, const char* help, Exit (*act)(const Options&)) {
        auto options = std::make_shared<Options>();
        CLI::App* verb = parent.add_subcommand(name, help);
        add_node_options(*verb, options->node);
        verb->add_flag("--json", options->json);
        verb->callback([&chosen, options, act] { chosen = {[options, act] { return act(*options); }, options->json}; });
        return std::pair(verb, options);
    };
    add(app, "status", "how a node is", status);

    CLI::App* sync = app.add_subcommand("sync", "what goes up to the levels above");
    sync->require_subcommand(1);
    add(*sync, "status", "links and backlogs", sync_status);

    CLI::App* records = app.add_subcommand("records", "records of credit");
    records->require_subcommand(1);
    {
        auto [verb, options] =
            add(*records, "get", "current records of a subject; the query is on the log", get_records);
        verb->add_option("--catalog", options->catalog, "such as administrative-penalty")->required();
        verb->add_option("--subject", options->subject, "the subject's code; - reads it from standard input")
            ->required();
        verb->add_option("--purpose", options->purpose, "what the answer is for")->required();
        verb->add_option("--approval", options->approval, "request that lets you see them without masks, once");
        verb->add_option("--receipt", options->receipt, "file for the query's receipt");
    }
    {
        auto [verb, options] = add(
            *records, "unmask", "ask for one subject's records without masks; another person decides", ask_to_unmask);
        verb->add_option("--catalog", options->catalog, "such as administrative-penalty")->required();
        verb->add_option("--subject", options->subject, "the subject's code; - reads it from standard input")
            ->required();
        verb->add_option("--reason", options->purpose, "why; whoever decides reads it")->required();
        verb->add_option("--receipt", options->receipt, "file for the request's receipt");
    }

    CLI::App* password = app.add_subcommand("password", "a person's password");
    password->require_subcommand(1);
    {
        auto [verb, options] = add(*password, "set", "set it at the first login, or change it", set_password);
        verb->add_option("--new-password-file", options->new_password_file,
                         "file with the new password (asked for otherwise)");
    }
}

}  // namespace xinfu::client
