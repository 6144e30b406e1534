// xinfu account, xinfu request: who is enrolled, and the acts that need a second person.
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "crypto/digest.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/signed_file.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

struct Options {
    NodeOptions node;
    std::string id;
    std::string form;
    std::vector<std::string> certificates;
    std::string reason;
    std::string digest;
    std::string receipt;
    bool reset_password = false;
    bool recover = false;
    bool json = false;
};

std::string joined(const json::array& list) {
    std::string text;
    for (const json::value& one : list) {
        if (one.is_string()) {
            text += (text.empty() ? "" : ", ") + std::string(one.get_string());
        }
    }
    return text;
}

std::string time_of(const json::object& object, std::string_view key) {
    return text_of(object, key);
}

void keep_receipt(const Options& options, const json::object& answer) {
    if (!options.receipt.empty()) {
        write_file(options.receipt, text_of(answer, "receipt"));
    }
}

// ---- requests ----

void say_request(const json::object& request) {
    const std::string needed = std::to_string(number_of(request, "approvers"));
    const std::string missing = std::to_string(number_of(request, "missing"));
    say({text_of(request, "id") + "  " + text_of(request, "state") + "  " + text_of(request, "act") + " " +
             text_of(request, "object") + "  by " + text_of(request, "applicant") + "  until " +
             time_of(request, "expires"),
         text_of(request, "id") + "  " + text_of(request, "state") + "  " + text_of(request, "act") + " " +
             text_of(request, "object") + "  申请人 " + text_of(request, "applicant") + "  有效期至 " +
             time_of(request, "expires")});
    say({"  reason: " + text_of(request, "reason"), "  事由：" + text_of(request, "reason")});
    if (text_of(request, "state") == "open") {
        say({"  approvals missing: " + missing + " of " + needed + ", by " + text_of(request, "strength"),
             "  尚缺审批：" + missing + "/" + needed + "，方式 " + text_of(request, "strength")});
    }
    for (const json::value& value : array_of(request, "decisions")) {
        if (value.is_object()) {
            const json::object& decision = value.get_object();
            const std::string line = "  " + text_of(decision, "decision") + ": " + text_of(decision, "account") + " (" +
                                     text_of(decision, "role") + ", " + text_of(decision, "strength") + ") " +
                                     text_of(decision, "time") + " " + text_of(decision, "reason");
            say({line, line});
        }
    }
}

// The digest is computed here from the change that is shown: what is approved of is what was read.
void say_whole_request(const json::object& request) {
    const std::string change = text_of(request, "change");
    if (to_hex(crypto::sha256(as_bytes(change))) != text_of(request, "digest")) {
        throw Stop{Exit::evidence, {"the digest is not that of the change shown", "摘要与所示变更内容不符"}, "XF-2016"};
    }
    say_request(request);
    for (const json::value& value : array_of(request, "differences")) {
        if (value.is_object()) {
            const json::object& difference = value.get_object();
            const std::string line = "  " + text_of(difference, "field") + ": \"" + text_of(difference, "before") +
                                     "\" -> \"" + text_of(difference, "after") + "\"";
            say({line, line});
        }
    }
    say({"  digest: " + text_of(request, "digest"), "  摘要：" + text_of(request, "digest")});
}

Exit list_requests(const Options& options) {
    const json::object answer = NodeApi(options.node).get("/v1/requests");
    if (options.json) {
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    if (array_of(answer, "requests").empty()) {
        say({"no requests", "没有申请"});
    }
    for (const json::value& value : array_of(answer, "requests")) {
        if (value.is_object()) {
            say_request(value.get_object());
        }
    }
    return Exit::done;
}

std::string path_of(const Options& options) {
    return "/v1/requests/" + encode_segment(options.id);
}

Exit show_request(const Options& options) {
    const json::object answer = NodeApi(options.node).get(path_of(options));
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say_whole_request(answer);
    }
    return Exit::done;
}

void tell_decided(const Options& options, const json::object& answer) {
    keep_receipt(options, answer);
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say_request(answer);
    }
}

Exit approve(const Options& options) {
    NodeApi node(options.node);
    const json::object request = node.get(path_of(options));
    if (!options.digest.empty() && options.digest != text_of(request, "digest")) {
        throw stop_with_code(Exit::refused, "XF-2016");
    }
    if (!options.json) {
        say_whole_request(request);
    }
    if (text_of(request, "strength") == "session") {
        const std::string password =
            read_password(options.node.password_file, {"Password, to approve: ", "请再次输入口令以批准："});
        tell_decided(options, node.post(path_of(options) + "/decision", {{"decision", "approve"},
                                                                         {"digest", text_of(request, "digest")},
                                                                         {"password", password}}));
        return Exit::done;
    }
    const std::string statement = node.get_answer(path_of(options) + "/approval").body;
    boost::system::error_code malformed;
    const json::value said = json::parse(statement, malformed);
    if (malformed || !said.is_object() || text_of(said.get_object(), "digest") != text_of(request, "digest") ||
        text_of(said.get_object(), "request") != text_of(request, "id") ||
        text_of(said.get_object(), "decision") != "approve") {
        throw Stop{
            Exit::evidence, {"the statement to sign is not about this request", "待签声明与该申请不符"}, "XF-2016"};
    }
    tell_decided(options,
                 node.post_cms(path_of(options) + "/decision", signed_bytes(as_bytes(statement), options.node)));
    return Exit::done;
}

Exit reject(const Options& options) {
    tell_decided(options,
                 NodeApi(options.node)
                     .post(path_of(options) + "/decision", {{"decision", "reject"}, {"reason", options.reason}}));
    return Exit::done;
}

// ---- accounts ----

// Of persons: when they last logged in.
Text login_of(const json::object& account) {
    if (!account.contains("last_login")) {
        return {};
    }
    const std::string time = text_of(account, "last_login");
    const json::value* unused = account.if_contains("unused");
    const bool reported = unused != nullptr && unused->is_bool() && unused->get_bool();
    return {"  last login " + (time.empty() ? std::string("never") : time) + (reported ? "  UNUSED" : ""),
            "  上次登录 " + (time.empty() ? std::string("从未") : time) + (reported ? "  长期未用" : "")};
}

void say_account(const json::object& account) {
    const std::string line = text_of(account, "id") + "  " + text_of(account, "state") + "  " +
                             text_of(account, "kind") + "  " + text_of(account, "unit") + "  " +
                             text_of(account, "name") + "  " + joined(array_of(account, "roles")) + "  " +
                             text_of(account, "valid_until");
    const Text login = login_of(account);
    say({line + login.en, line + login.zh});
    for (const json::value& value : array_of(account, "certificates")) {
        if (value.is_object()) {
            const json::object& certificate = value.get_object();
            const std::string shown = "  " + text_of(certificate, "digest") + "  " + text_of(certificate, "subject") +
                                      "  " + text_of(certificate, "not_after");
            say({shown, shown});
        }
    }
}

Exit list_accounts(const Options& options) {
    NodeApi node(options.node);
    if (!options.id.empty()) {
        const json::object answer = node.get("/v1/accounts/" + encode_segment(options.id));
        if (options.json) {
            say({json::serialize(answer), {}});
        } else {
            say_account(answer);
        }
        return Exit::done;
    }
    const json::object answer = node.get("/v1/accounts");
    if (options.json) {
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    for (const json::value& value : array_of(answer, "accounts")) {
        if (value.is_object()) {
            say_account(value.get_object());
        }
    }
    return Exit::done;
}

Exit request_account(const Options& options) {
    boost::system::error_code malformed;
    json::value form = json::parse(read_file(options.form, 64 * 1024), malformed);
    if (malformed || !form.is_object()) {
        throw Stop{Exit::usage, {options.form + " is no JSON object", options.form + " 不是 JSON 对象"}, {}};
    }
    if (!options.certificates.empty()) {
        json::array certificates;
        for (const std::string& path : options.certificates) {
            certificates.push_back(json::value(read_file(path, 64 * 1024)));
        }
        form.get_object()["certificates"] = std::move(certificates);
    }
    if (options.reset_password) {
        form.get_object()["reset_password"] = true;
    }
    json::object body{
        {"act", options.recover ? "recover" : "account"}, {"reason", options.reason}, {"form", std::move(form)}};
    if (!options.id.empty()) {
        body["account"] = options.id;
    }
    const json::object answer = NodeApi(options.node).post("/v1/requests", body);
    keep_receipt(options, answer);
    if (options.json) {
        say({json::serialize(answer), {}});
    } else {
        say_whole_request(answer);
    }
    return Exit::done;
}

Exit disable_account(const Options& options) {
    const json::object slip =
        NodeApi(options.node)
            .post("/v1/accounts/" + encode_segment(options.id) + "/disable", {{"reason", options.reason}});
    keep_receipt(options, slip);
    if (options.json) {
        say({json::serialize(slip), {}});
        return Exit::done;
    }
    const json::object& account = object_of(slip, "account");
    say({"CLEARANCE SLIP  " + text_of(slip, "time"), "离岗清退单  " + text_of(slip, "time")});
    say_account(account);
    const std::string sessions = std::to_string(number_of(slip, "sessions"));
    const std::string connections = std::to_string(number_of(slip, "connections"));
    say({"  ended: " + sessions + " sessions, " + connections + " connections",
         "  已终止：会话 " + sessions + " 个，连接 " + connections + " 个"});
    say({"  void requests: " + joined(array_of(slip, "requests")),
         "  作废申请：" + joined(array_of(slip, "requests"))});
    say({"  rights left: none", "  剩余权限：无"});
    return Exit::done;
}

using Run = Exit (*)(const Options&);

CLI::App* add(CLI::App& family, const char* name, const char* description, Chosen& chosen,
              const std::shared_ptr<Options>& options, Run run) {
    CLI::App* verb = family.add_subcommand(name, description);
    add_node_options(*verb, options->node);
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options, run] { chosen = {[options, run] { return run(*options); }, options->json}; });
    return verb;
}

}  // namespace

void add_account_verbs(CLI::App& app, Chosen& chosen) {
    const auto fresh = [] { return std::make_shared<Options>(); };

    CLI::App* request = app.add_subcommand("request", "acts that need a second person");
    request->require_subcommand(1);
    auto options = fresh();
    add(*request, "list", "the requests that you may see, the newest first", chosen, options, list_requests);
    options = fresh();
    add(*request, "show", "one request, with what it would change", chosen, options, show_request)
        ->add_option("id", options->id)
        ->required();
    options = fresh();
    CLI::App* verb = add(*request, "approve", "approves of exactly this request", chosen, options, approve);
    verb->add_option("id", options->id)->required();
    verb->add_option("--digest", options->digest, "only if this is its digest");
    verb->add_option("--receipt", options->receipt, "file for the receipt");
    options = fresh();
    verb = add(*request, "reject", "rejects a request, or withdraws your own", chosen, options, reject);
    verb->add_option("id", options->id)->required();
    verb->add_option("--reason", options->reason)->required();
    verb->add_option("--receipt", options->receipt, "file for the receipt");

    CLI::App* account = app.add_subcommand("account", "who may use the node");
    account->require_subcommand(1);
    options = fresh();
    add(*account, "list", "all accounts, or one with its certificates", chosen, options, list_accounts)
        ->add_option("id", options->id);
    options = fresh();
    verb = add(*account, "request", "asks for a new account, or for a change of one", chosen, options, request_account);
    verb->add_option("--form", options->form, "JSON file: the registration form")->required();
    verb->add_option("--certificate", options->certificates, "PEM file; may be repeated");
    verb->add_option("--account", options->id, "the account to change");
    verb->add_flag("--reset-password", options->reset_password, "the next login sets a new one");
    verb->add_flag("--recover", options->recover, "when nobody can ask for accounts or decide on them any more");
    verb->add_option("--reason", options->reason)->required();
    verb->add_option("--receipt", options->receipt, "file for the receipt");
    for (const char* name : {"disable", "leave"}) {
        options = fresh();
        verb = add(*account, name, "ends an account at once, and prints the clearance slip", chosen, options,
                   disable_account);
        verb->add_option("id", options->id)->required();
        verb->add_option("--reason", options->reason)->required();
        verb->add_option("--receipt", options->receipt, "file for the receipt");
    }
}

}  // namespace xinfu::client
