// xinfu paths: which ways data may take, what differs from the approved ones, and how to have others approved.
#include <CLI/CLI.hpp>

#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/verbs.hpp"
#include "daemon/config/loader.hpp"
#include "daemon/config/paths.hpp"

namespace xinfu::client {
namespace {

struct Options {
    NodeOptions node;
    std::string config;
    std::string reason;
    std::string receipt;
    bool json = false;
};

json::object form_of(const config::Paths& paths) {
    json::array listen;
    for (const auto& endpoint : paths.listen) {
        listen.emplace_back(endpoint);
    }
    json::array routes;
    for (const auto& route : paths.routes) {
        json::array onward;
        for (const auto& beyond : route.onward) {
            onward.push_back({{"level", beyond.level}, {"node", beyond.node}, {"log_key", beyond.log_key}});
        }
        routes.push_back({{"name", route.name},
                          {"level", route.level},
                          {"node", route.node},
                          {"url", route.url},
                          {"anchors", route.anchors},
                          {"log_key", route.log_key},
                          {"envelope", route.envelope},
                          {"onward", std::move(onward)}});
        if (!route.witness_key.empty()) {
            routes.back().as_object()["witness_key"] = route.witness_key;
        }
    }
    json::array witnessed;
    for (const auto& log : paths.witnessed) {
        witnessed.push_back({{"node", log.node}, {"log_key", log.log_key}});
    }
    return {{"listen", std::move(listen)},
            {"metrics", paths.metrics},
            {"tls12", paths.tls12},
            {"routes", std::move(routes)},
            {"witnessed", std::move(witnessed)}};
}

void say_paths(const json::object& paths) {
    for (const json::value& endpoint : array_of(paths, "listen")) {
        const std::string line = "  listen " + std::string(endpoint.is_string() ? endpoint.get_string().c_str() : "");
        say({line, line});
    }
    const std::string metrics = "  metrics " + text_of(paths, "metrics");
    say({metrics, metrics});
    for (const json::value& value : array_of(paths, "routes")) {
        if (value.is_object()) {
            const json::object& route = value.get_object();
            const std::string line = "  route " + text_of(route, "name") + " to " + text_of(route, "level") + " " +
                                     text_of(route, "node") + " " + text_of(route, "url");
            say({line, line});
        }
    }
    for (const json::value& value : array_of(paths, "witnessed")) {
        if (value.is_object()) {
            const std::string line = "  witnessed " + text_of(value.get_object(), "node");
            say({line, line});
        }
    }
}

Exit show(const Options& options) {
    const json::object answer = NodeApi(options.node).get("/v1/paths");
    const json::object& check = object_of(answer, "check");
    if (!options.receipt.empty()) {
        write_file(options.receipt, text_of(check, "receipt"));
        write_file(options.receipt + ".json", text_of(check, "record"));
    }
    const json::array& differences = array_of(answer, "differences");
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say({"approved", "已批准"});
        say_paths(object_of(answer, "approved"));
        for (const json::value& line : differences) {
            const std::string text(line.is_string() ? line.get_string().c_str() : "");
            say({"DIFFERS  " + text, "不一致  " + text});
        }
        say({"last look " + text_of(check, "time"), "最近一次检查 " + text_of(check, "time")});
    }
    return differences.empty() ? Exit::done : Exit::refused;
}

Exit propose(const Options& options) {
    const auto loaded = config::load_file(options.config);
    if (!loaded.config) {
        std::string text;
        for (const auto& mistake : loaded.mistakes) {
            text += (text.empty() ? "" : "\n") + config::to_string(mistake);
        }
        throw Stop{Exit::usage, {text, text}, {}};
    }
    const json::object answer =
        NodeApi(options.node)
            .post("/v1/requests",
                  {{"act", "paths"}, {"reason", options.reason}, {"paths", form_of(config::paths_of(*loaded.config))}});
    if (!options.receipt.empty()) {
        write_file(options.receipt, text_of(answer, "receipt"));
    }
    if (options.json) {
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    for (const json::value& value : array_of(answer, "differences")) {
        if (value.is_object()) {
            const json::object& difference = value.get_object();
            const std::string before = text_of(difference, "before");
            const std::string line = (before.empty() ? "  + " : "  - ") + text_of(difference, "field") + " " +
                                     (before.empty() ? text_of(difference, "after") : before);
            say({line, line});
        }
    }
    const std::string id = text_of(answer, "id");
    say({"request " + id + " waits for its approval: xinfu request approve " + id,
         "申请 " + id + " 待批：xinfu request approve " + id});
    return Exit::done;
}

}  // namespace

void add_paths_verbs(CLI::App& app, Chosen& chosen) {
    CLI::App* paths = app.add_subcommand("paths", "listeners and routes: those approved, and what differs");
    paths->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, Exit (*act)(const Options&)) {
        auto options = std::make_shared<Options>();
        CLI::App* verb = paths->add_subcommand(name, help);
        add_node_options(*verb, options->node);
        verb->add_flag("--json", options->json);
        verb->callback([&chosen, options, act] { chosen = {[options, act] { return act(*options); }, options->json}; });
        return std::pair(verb, options);
    };
    {
        auto [verb, options] = add("show", "what is approved, what differs (exit 1), the last look", show);
        verb->add_option("--receipt", options->receipt, "file for the last look's receipt; FILE.json: its record");
    }
    {
        auto [verb, options] =
            add("propose", "ask for the paths of a configuration file; another person decides", propose);
        verb->add_option("--config-file", options->config, "the xinfu.yaml to be")->required();
        verb->add_option("--reason", options->reason, "why; whoever decides reads it")->required();
        verb->add_option("--receipt", options->receipt, "file for the request's receipt");
    }
}

}  // namespace xinfu::client
