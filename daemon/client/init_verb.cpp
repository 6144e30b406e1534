#include <CLI/CLI.hpp>

#include "daemon/client/authority.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/json.hpp"
#include "daemon/client/node_init.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

struct Options {
    std::string directory;
    std::string node;
    std::string suite = "standard";
    std::vector<std::string> persons;
    std::vector<std::string> machines;
    std::vector<std::string> platforms;
    std::vector<std::string> hosts;
    std::vector<std::string> listen;
    std::string anchors;
    bool json = false;
};

std::pair<std::string, std::string> split_pair(const std::string& text, const char* form) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == text.npos || equals + 1 == text.size()) {
        throw Stop{Exit::usage, {text + " is not of the form " + form, text + " 不是 " + form + " 形式"}, {}};
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::string> split_list(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= text.size();) {
        const auto comma = std::min(text.find(',', from), text.size());
        parts.push_back(text.substr(from, comma - from));
        from = comma + 1;
    }
    return parts;
}

Exit init(const Options& options) {
    if (options.suite != "standard") {
        throw Stop{Exit::refused,
                   {"suite " + options.suite + " does not exist yet; use standard",
                    "暂不支持算法套件 " + options.suite + "，请使用 standard"},
                   {}};
    }
    NodePlan plan;
    plan.directory = absolute(options.directory);
    plan.config.node = options.node;
    plan.hosts = options.hosts;
    if (!options.listen.empty()) {
        plan.config.gateway.listen = options.listen;
    }
    for (const std::string& person : options.persons) {
        auto [role, path] = split_pair(person, "ROLE=CERT");
        plan.enrolments.push_back({storage::AccountKind::person, role, {read_certificate(path)}, {}});
    }
    for (const std::string& machine : options.machines) {
        auto [role, path] = split_pair(machine, "ROLE=CERT");
        plan.enrolments.push_back({storage::AccountKind::machine, role, read_certificate_bundle(path), {}});
    }
    for (const std::string& platform : options.platforms) {
        auto [path, units] = split_pair(platform, "CERT=UNIT,UNIT");
        plan.enrolments.push_back(
            {storage::AccountKind::platform, "platform", read_certificate_bundle(path), split_list(units)});
    }
    if (!options.anchors.empty()) {
        plan.anchors = read_certificate_bundle(options.anchors);
    }
    const MadeNode made = make_node(plan);
    if (options.json) {
        const json::object answer{
            {"node", options.node},
            {"log_key", made.log_key},
            {"witness_key", made.witness_key},
            {"tls_request", made.tls_request},
            {"parcel_request", made.parcel_request},
            {"envelope_requests", json::array(made.envelope_requests.begin(), made.envelope_requests.end())},
            {"configuration", plan.directory + "/xinfu.yaml"}};
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const std::string certificates = plan.directory + "/state/certificates/";
    say({"node " + options.node + " made in " + plan.directory,
         "节点 " + options.node + " 已建立于 " + plan.directory});
    say({"log key      " + made.log_key, "日志密钥     " + made.log_key});
    say({"witness key  " + made.witness_key, "见证密钥     " + made.witness_key});
    say({"Next: have the requests signed, for instance with `xinfu ca issue`, and place the certificates:",
         "下一步：为以下请求签发证书（例如使用 xinfu ca issue），并放置证书："});
    say({"  " + made.tls_request + " -> " + certificates + "tls.pem", {}});
    say({"  " + made.parcel_request + " -> " + certificates + "parcel.pem", {}});
    for (const auto& request : made.envelope_requests) {
        say({"  " + request + " (ca issue --encryption) -> " + certificates + "envelope.pem, one after the other",
             "  " + request + "（ca issue --encryption）-> 依次写入 " + certificates + "envelope.pem"});
    }
    if (plan.anchors.empty()) {
        say({"  the authorities' certificates -> " + certificates + "anchors.pem",
             "  签发机构证书 -> " + certificates + "anchors.pem"});
    }
    say({"Keep " + plan.directory + "/key-wrapping-key apart from the state: it opens everything in it.",
         "请将 " + plan.directory + "/key-wrapping-key 与状态目录分开保管：它能打开其中的一切。"});
    say({"Then: xinfud run --config " + plan.directory + "/xinfu.yaml",
         "然后运行：xinfud run --config " + plan.directory + "/xinfu.yaml"});
    return Exit::done;
}

}  // namespace

void add_init_verb(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<Options>();
    CLI::App* verb = app.add_subcommand("init", "make a new node");
    verb->add_option("--dir", options->directory, "where; made when missing, must be empty")->required();
    verb->add_option("--node", options->node, "its name: a-z, 0-9 and -")->required();
    verb->add_option("--suite", options->suite, "algorithms: standard");
    verb->add_option("--person", options->persons, "ROLE=CERT, a natural person; may be repeated")->required();
    verb->add_option("--machine", options->machines,
                     "ROLE=CERT: a machine, its certificate, or all of them (TLS and signing) in one PEM file; may be "
                     "repeated");
    verb->add_option("--platform", options->platforms,
                     "CERT=UNIT,UNIT: a lower node, its certificates (TLS and parcels) in one PEM file, and the "
                     "units it may speak for; may be repeated");
    verb->add_option("--url-host", options->hosts, "DNS name or address of the node; may be repeated");
    verb->add_option("--gateway-listen", options->listen, "ADDRESS:PORT; may be repeated");
    verb->add_option("--ca", options->anchors, "PEM file: who may have issued the certificates");
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options] { chosen = {[options] { return init(*options); }, options->json}; });
}

}  // namespace xinfu::client
