// xinfu policy: which packs are in force, and the way of others into force.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "crypto/digest.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/verbs.hpp"
#include "policies/access.hpp"
#include "policies/catalog.hpp"
#include "policies/differences.hpp"
#include "policies/working_days.hpp"

namespace xinfu::client {
namespace {

constexpr std::size_t kPackSizeBytesMax = 1u << 20;

struct Options {
    NodeOptions node;
    std::vector<std::string> files;
    std::vector<std::string> remove;
    std::string out;
    std::string reason;
    std::string receipt;
    std::string account;
    std::string verb;
    std::string catalog;
    std::string unit;
    bool json = false;
};

struct PackFile {
    std::string path;
    std::string text;
    std::string kind;     // catalog, access, calendar
    std::string catalog;  // of catalogs
};

// The line "pack: KIND/1", which says how the rest is to be read.
std::string kind_of(const std::string& text) {
    for (const std::string kind : {"catalog", "access", "calendar"}) {
        const std::string line = "pack: " + kind + "/1";
        if (text.starts_with(line) || text.find("\n" + line) != text.npos) {
            return kind;
        }
    }
    return {};
}

// Stop with every mistake, as the node would find them.
PackFile read_pack(const std::string& path) {
    PackFile pack{path, read_file(path, kPackSizeBytesMax), {}, {}};
    pack.kind = kind_of(pack.text);
    std::vector<policies::Mistake> mistakes;
    if (pack.kind == "catalog") {
        auto loaded = policies::load_catalog(pack.text);
        mistakes = std::move(loaded.mistakes);
        pack.catalog = loaded.value ? loaded.value->name : std::string();
    } else if (pack.kind == "access") {
        mistakes = policies::load_access(pack.text).mistakes;
    } else if (pack.kind == "calendar") {
        mistakes = policies::load_working_days(pack.text).mistakes;
    } else {
        throw Stop{Exit::refused,
                   {path + ": pack must be catalog/1, access/1 or calendar/1",
                    path + "：pack 须为 catalog/1、access/1 或 calendar/1"},
                   "XF-2026"};
    }
    if (!mistakes.empty()) {
        Stop stop = stop_with_code(Exit::refused, "XF-2026", {policies::describe(mistakes)});
        stop.text = {path + ": " + stop.text.en, path + "：" + stop.text.zh};
        throw stop;
    }
    return pack;
}

Exit check(const Options& options) {
    for (const std::string& path : options.files) {
        const PackFile pack = read_pack(path);
        const std::string line =
            path + ": " + pack.kind + " " + pack.catalog + " " + to_hex(crypto::sha256(as_bytes(pack.text)));
        say({line, line});
    }
    return Exit::done;
}

Exit active(const Options& options) {
    NodeApi node(options.node);
    const json::object answer = node.get("/v1/policies");
    if (!options.out.empty()) {
        make_directory(options.out);
    }
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say({"set " + text_of(answer, "digest"), "策略集 " + text_of(answer, "digest")});
    }
    for (const json::value& value : array_of(answer, "packs")) {
        if (!value.is_object()) {
            continue;
        }
        const json::object& pack = value.get_object();
        const std::string digest = text_of(pack, "digest");
        if (!options.out.empty()) {
            const std::string text = node.get_answer("/v1/policies/" + encode_segment(digest)).body;
            if (to_hex(crypto::sha256(as_bytes(text))) != digest) {
                throw Stop{Exit::evidence, {"a pack is not what its digest says", "策略文件与摘要不符"}, {}};
            }
            write_file(options.out + "/" + digest + ".yaml", text);
        }
        if (!options.json) {
            const std::string line = "  " + digest + "  " + text_of(pack, "kind") + " " + text_of(pack, "catalog");
            say({line, line});
        }
    }
    return Exit::done;
}

// The pack in force that a file would be compared with; empty: there is none.
std::string text_in_force(NodeApi& node, const json::object& set, const PackFile& file) {
    for (const json::value& value : array_of(set, "packs")) {
        if (value.is_object() && text_of(value.get_object(), "kind") == file.kind &&
            text_of(value.get_object(), "catalog") == file.catalog) {
            return node.get_answer("/v1/policies/" + encode_segment(text_of(value.get_object(), "digest"))).body;
        }
    }
    return {};
}

Exit diff(const Options& options) {
    NodeApi node(options.node);
    const json::object set = node.get("/v1/policies");
    for (const std::string& path : options.files) {
        const PackFile file = read_pack(path);
        say({"--- " + file.kind + " " + file.catalog + ", in force",
             "--- " + file.kind + " " + file.catalog + "（现行）"});
        say({"+++ " + path, "+++ " + path});
        for (const auto& difference : policies::line_differences(text_in_force(node, set, file), file.text)) {
            const std::string line = difference.after.empty() ? "-" + difference.before : "+" + difference.after;
            say({line, line});
        }
    }
    return Exit::done;
}

Exit propose(const Options& options) {
    json::array packs;
    for (const std::string& path : options.files) {
        const PackFile file = read_pack(path);
        packs.push_back({{"kind", file.kind}, {"text", file.text}});
    }
    json::array remove;
    for (const std::string& digest : options.remove) {
        remove.push_back(json::value(digest));
    }
    const json::object answer =
        NodeApi(options.node)
            .post("/v1/requests",
                  {{"act", "policy"}, {"reason", options.reason}, {"policy", {{"packs", packs}, {"remove", remove}}}});
    if (!options.receipt.empty()) {
        write_file(options.receipt, text_of(answer, "receipt"));
    }
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say({"request " + text_of(answer, "id") + ", digest " + text_of(answer, "digest") +
                 ": now somebody else has to approve",
             "申请 " + text_of(answer, "id") + "，摘要 " + text_of(answer, "digest") + "，待他人审批"});
    }
    return Exit::done;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view key) {
    std::vector<std::string> texts;
    for (const json::value& one : array_of(object, key)) {
        if (one.is_string()) {
            texts.emplace_back(one.get_string());
        }
    }
    return texts;
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
    return std::ranges::find(list, text) != list.end();
}

// Why the node would let this account do this, or not: from the account as it is and the access pack in force, by the
// function that decides there.
Exit explain(const Options& options) {
    if (std::ranges::find(policies::verb::all, options.verb) == std::end(policies::verb::all)) {
        throw Stop{Exit::usage, {"no such act: " + options.verb, "没有此操作：" + options.verb}, {}};
    }
    NodeApi node(options.node);
    const json::object account = node.get("/v1/accounts/" + encode_segment(options.account));
    const json::object set = node.get("/v1/policies");
    PackFile access{{}, {}, "access", {}};
    auto loaded = policies::load_access(text_in_force(node, set, access));
    if (!loaded.value) {
        throw Stop{Exit::evidence, {"the access pack in force cannot be read", "现行权限策略无法读取"}, {}};
    }
    std::string rule = "no grant";
    const auto all_roles = texts_of(account, "roles");
    std::vector<std::string> roles;
    for (const auto& name : all_roles) {
        const policies::Role* role = loaded.value->find(name);
        if (role != nullptr && role->kind == text_of(account, "kind")) {
            roles.push_back(name);
        }
    }
    const std::string unit = options.unit.empty() ? text_of(account, "unit") : options.unit;
    const auto relation = unit == text_of(account, "unit")             ? policies::Relation::own_unit
                          : contains(texts_of(account, "units"), unit) ? policies::Relation::node_unit
                                                                       : policies::Relation::other_unit;
    const auto catalogs = texts_of(account, "catalogs");
    const auto conflict = policies::find_conflict(*loaded.value, all_roles);
    const auto decision = policies::decide(*loaded.value, roles, options.verb, options.catalog, relation);
    bool permit = decision.permit;
    if (text_of(account, "state") != "active") {
        permit = false;
        rule = "the account is " + text_of(account, "state");
    } else if (!conflict.first.empty()) {
        permit = false;
        rule = "exclusion: " + conflict.first + ", " + conflict.second;
    } else if (!options.catalog.empty() && !catalogs.empty() && !contains(catalogs, options.catalog)) {
        permit = false;
        rule = "the account is not for this catalog";
    } else {
        rule = decision.rule;
    }
    if (options.json) {
        say({json::serialize(json::object{{"permit", permit}, {"rule", rule}, {"policies", text_of(set, "digest")}}),
             {}});
        return permit ? Exit::done : Exit::refused;
    }
    say({std::string(permit ? "permitted" : "refused") + " by: " + rule,
         std::string(permit ? "允许" : "拒绝") + "，依据：" + rule});
    say({"  set " + text_of(set, "digest"), "  策略集 " + text_of(set, "digest")});
    return permit ? Exit::done : Exit::refused;
}

using Run = Exit (*)(const Options&);

CLI::App* add(CLI::App& family, const char* name, const char* description, Chosen& chosen,
              const std::shared_ptr<Options>& options, Run run) {
    CLI::App* verb = family.add_subcommand(name, description);
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options, run] { chosen = {[options, run] { return run(*options); }, options->json}; });
    return verb;
}

}  // namespace

void add_policy_verbs(CLI::App& app, Chosen& chosen) {
    const auto fresh = [] { return std::make_shared<Options>(); };
    CLI::App* policy = app.add_subcommand("policy", "the packs: roles, catalogs, calendar");
    policy->require_subcommand(1);
    auto options = fresh();
    add(*policy, "check", "reads packs as a node would; without a node", chosen, options, check)
        ->add_option("file", options->files)
        ->required();
    options = fresh();
    CLI::App* verb = add(*policy, "active", "the packs in force", chosen, options, active);
    add_node_options(*verb, options->node);
    verb->add_option("--out", options->out, "directory for their texts");
    options = fresh();
    verb = add(*policy, "diff", "packs against those in force, line by line", chosen, options, diff);
    add_node_options(*verb, options->node);
    verb->add_option("file", options->files)->required();
    options = fresh();
    verb = add(*policy, "explain", "why an account may do something, or not", chosen, options, explain);
    add_node_options(*verb, options->node);
    verb->add_option("--account", options->account)->required();
    verb->add_option("--act", options->verb, "as in docs/ROLES.md")->required();
    verb->add_option("--catalog", options->catalog);
    verb->add_option("--unit", options->unit, "whose affair it is; the account's own otherwise");
    options = fresh();
    verb = add(*policy, "propose", "asks for packs to come into force", chosen, options, propose);
    add_node_options(*verb, options->node);
    verb->add_option("file", options->files);
    verb->add_option("--remove", options->remove, "digest of a pack that shall go; may be repeated");
    verb->add_option("--reason", options->reason)->required();
    verb->add_option("--receipt", options->receipt, "file for the receipt");
}

}  // namespace xinfu::client
