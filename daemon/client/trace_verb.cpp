// xinfu trace: how a record came to be and how far it went, each step against the entry of the log that says so.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "crypto/digest.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/leaf_words.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/receipt.hpp"
#include "daemon/client/terminal.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

struct Options {
    NodeOptions node;
    std::string record;
    EvidenceOptions evidence;
    std::vector<std::string> upper_keys;
    std::string out;
    std::string answer;
    bool json = false;
};

[[noreturn]] void differs(const std::string& what) {
    throw stop_with_code(Exit::evidence, "XF-1132", {what});
}

// Objects of a list, whatever else is in it.
std::vector<const json::object*> objects_of(const json::object& object, std::string_view key) {
    std::vector<const json::object*> objects;
    for (const json::value& value : array_of(object, key)) {
        if (value.is_object()) {
            objects.push_back(&value.get_object());
        }
    }
    return objects;
}

std::string printed(const json::object& object, std::string_view key) {
    return printable(text_of(object, key));
}

bool same_origin(const json::object& a, const json::object& b) {
    return !a.empty() && text_of(a, "node") == text_of(b, "node") && number_of(a, "index") == number_of(b, "index") &&
           text_of(a, "digest") == text_of(b, "digest");
}

// The story's own bytes: what stands before the receipt, which is the answer's last member.
std::string story_bytes(const std::string& body) {
    constexpr std::string_view kHead = "{\"trace\":";
    const std::size_t end = body.rfind(",\"receipt\":\"");
    if (!body.starts_with(kHead) || end == std::string::npos) {
        throw stop_with_code(Exit::evidence, "XF-8015", {"a trace"});
    }
    return body.substr(kHead.size(), end - kHead.size());
}

// Entries of this node's log that were verified, by number.
using Entries = std::map<std::uint64_t, json::object>;

class Check {
public:
    Check(const Options& options, const json::object& story)
        : options_(options), story_(story), keys_(options.evidence) {}

    void answer(const std::string& bytes, const std::string& receipt);
    void story();

    const Entries& entries() const { return entries_; }
    const std::string& signer() const { return signer_; }
    // Levels above whose receipts were checked, and those for which no key was given.
    bool verified(const json::object& acknowledgement) const { return upper_.contains(&acknowledgement); }

private:
    const json::object& entry(const json::object& from, std::string_view what) const;
    void file(const json::object& file);
    void acknowledgement(const json::object& file, const json::object& one);

    const Options& options_;
    const json::object& story_;
    TrustedKeys keys_;
    Entries entries_;
    std::string signer_;
    std::map<const json::object*, bool> upper_;
};

// The answer is what the node put on its log.
void Check::answer(const std::string& bytes, const std::string& receipt) {
    const Receipt verified = verify_receipt(receipt, keys_);
    if (text_of(verified.leaf, "action") != "trace_record") {
        differs("the answer's receipt is of another act");
    }
    check_subject_matter(verified.leaf, crypto::sha256(as_bytes(bytes)));
    signer_ = verified.checkpoint.origin;
}

const json::object& Check::entry(const json::object& from, std::string_view what) const {
    const auto index = number_of(from, "leaf");
    const auto found = entries_.find(index);
    if (found == entries_.end()) {
        differs("there is no receipt of entry " + std::to_string(index) + ", " + std::string(what));
    }
    return found->second;
}

void Check::story() {
    if (text_of(story_, "asked") != options_.record) {
        differs("it is of another record");
    }
    for (const json::object* one : objects_of(story_, "leaves")) {
        Receipt receipt = verify_receipt(text_of(*one, "receipt"), keys_);
        if (receipt.proof.index != number_of(*one, "index")) {
            differs("the receipt of entry " + std::to_string(number_of(*one, "index")) + " is of another one");
        }
        entries_.emplace(receipt.proof.index, std::move(receipt.leaf));
    }
    std::map<std::string, bool> told;
    for (const json::object* one : objects_of(story_, "files")) {
        told[text_of(*one, "id")] = true;
        file(*one);
    }
    const auto versions = objects_of(story_, "versions");
    if (versions.empty()) {
        differs("it has no version");
    }
    for (const json::object* one : versions) {
        if (!told.contains(text_of(*one, "submission"))) {
            differs("a version came with a file that is not told of");
        }
    }
}

void Check::file(const json::object& file) {
    const std::string id = text_of(file, "id");
    const json::object& leaf = entry(file, "of file " + id);
    const json::object& object = object_of(leaf, "object");
    const std::string action = text_of(leaf, "action");
    const std::string state = text_of(file, "state");
    const std::string result = state == "withdrawn" ? "accepted" : state;  // withdrawn by another file's entry
    if ((action != "submit" && action != "decide_submission") || text_of(object, "id") != id ||
        text_of(leaf, "result") != result) {
        differs("entry " + std::to_string(number_of(file, "leaf")) + " does not say that file " + id + " is " + state);
    }
    if (text_of(object, "content") != text_of(file, "content") || text_of(object, "digest") != text_of(file, "body")) {
        differs("the content of file " + id);
    }
    if (action == "submit" && text_of(leaf, "principal") != text_of(file, "account")) {
        differs("who handed in file " + id);
    }
    if (text_of(leaf, "time") != text_of(file, "time")) {
        differs("the time of file " + id);
    }
    if (object_of(leaf, "counts") != object_of(file, "counts")) {
        differs("the counts of file " + id);
    }
    const json::object& origin = object_of(file, "origin");
    if (text_of(origin, "node") == text_of(story_, "node")) {
        const auto first = entries_.find(number_of(origin, "index"));
        if (first == entries_.end() || text_of(object_of(first->second, "object"), "id") != id ||
            text_of(origin, "digest") != text_of(file, "content")) {
            differs("the first entry of file " + id);
        }
    } else if (!origin.empty() && !same_origin(origin, object_of(leaf, "origin"))) {
        differs("where file " + id + " was handed in");
    }
    const json::object& request = object_of(file, "request");
    for (const json::object* decision : objects_of(request, "decisions")) {
        const json::object& decided = entry(*decision, "of a decision");
        const json::value* approves = decision->if_contains("approves");
        const bool approved = approves != nullptr && approves->is_bool() && approves->get_bool();
        const json::object& about = object_of(decided, "object");
        if (text_of(decided, "action") != (approved ? "approve_request" : "reject_request") ||
            text_of(decided, "principal") != text_of(*decision, "account") ||
            text_of(about, "id") != text_of(request, "id") || text_of(about, "digest") != text_of(request, "digest")) {
            differs("the decision on file " + id);
        }
    }
    for (const json::object* one : objects_of(file, "acknowledgements")) {
        acknowledgement(file, *one);
    }
}

void Check::acknowledgement(const json::object& file, const json::object& one) {
    const std::string receipt = text_of(one, "receipt");
    if (receipt.empty()) {
        if (text_of(one, "state") == "delivered") {
            differs("level " + text_of(one, "level") + " has no receipt");
        }
        return;
    }
    // The checkpoint's first line names the log.
    const std::size_t note = receipt.find("\n\n");
    const std::string origin =
        note == std::string::npos ? std::string() : receipt.substr(note + 2, receipt.find('\n', note + 2) - note - 2);
    for (const std::string& key : options_.upper_keys) {
        if (key.substr(0, key.find('+')) != origin) {
            continue;
        }
        EvidenceOptions evidence;
        evidence.log_key = key;
        const Receipt verified = verify_receipt(receipt, TrustedKeys(evidence));
        const bool accepted = text_of(verified.leaf, "result") == "accepted";
        if (!same_origin(object_of(verified.leaf, "origin"), object_of(file, "origin")) ||
            (text_of(one, "state") == "delivered") != accepted ||
            text_of(verified.leaf, "node") != text_of(one, "node")) {
            differs("the receipt of level " + text_of(one, "level"));
        }
        upper_.emplace(&one, true);
    }
}

std::string number_text(const json::object& object, std::string_view key) {
    return std::to_string(number_of(object, key));
}

std::string entry_text(const json::object& object) {
    return "#" + number_text(object, "leaf");
}

void say_file(const json::object& file, const Check& check) {
    const std::string state = text_of(file, "state");
    const Text state_words = words_of_result(state);
    say({"  file \"" + printed(file, "name") + "\" " + printed(file, "id") + ": " + printable(state) + ", entry " +
             entry_text(file),
         "  文件“" + printed(file, "name") + "” " + printed(file, "id") + "：" +
             (state == "withdrawn" ? "已撤回" : printable(state_words.zh)) + "，条目 " + entry_text(file)});
    say({"    signed and handed in by " + printed(file, "account") + " of unit " + printed(file, "unit") +
             ", certificate " + printed(file, "certificate"),
         "    签名及报送 " + printed(file, "account") + "，单位 " + printed(file, "unit") + "，证书 " +
             printed(file, "certificate")});
    say({"    content " + printed(file, "content"), "    内容摘要 " + printed(file, "content")});
    if (const json::object& origin = object_of(file, "origin"); !origin.empty()) {
        say({"    first taken by " + printed(origin, "node") + ", entry #" + number_text(origin, "index"),
             "    首次接收 " + printed(origin, "node") + "，条目 #" + number_text(origin, "index")});
    }
    if (const json::object& parcel = object_of(file, "received"); !parcel.empty()) {
        const std::string name =
            printed(parcel, "node") + "." + printed(parcel, "route") + "." + number_text(parcel, "sequence");
        say({"    came as parcel " + name, "    来自包裹 " + name});
    }
    const auto findings = objects_of(file, "findings");
    const std::string by = printed(file, "catalog_version") + ", pack " + printed(file, "pack").substr(0, 16);
    say({"    checked by catalog version " + by + ": " +
             (findings.empty() ? "nothing found in this record" : std::to_string(findings.size()) + " findings"),
         "    校验所依目录版本 " + by + "：" +
             (findings.empty() ? "本记录未发现问题" : "发现 " + std::to_string(findings.size()) + " 项")});
    for (const json::object* one : findings) {
        say({"      line " + number_text(*one, "line") + " " + printed(*one, "field") + " " + printed(*one, "code") +
                 " (" + printed(*one, "severity") + ")",
             "      第 " + number_text(*one, "line") + " 行 " + printed(*one, "field") + " " + printed(*one, "code")});
    }
    const json::object& request = object_of(file, "request");
    if (!request.empty()) {
        say({"    waited for request " + printed(request, "id") + " of " + printed(request, "applicant"),
             "    须经审批，申请 " + printed(request, "id") + "，申请人 " + printed(request, "applicant")});
    }
    for (const json::object* one : objects_of(request, "decisions")) {
        const json::value* approves = one->if_contains("approves");
        const bool approved = approves != nullptr && approves->is_bool() && approves->get_bool();
        const std::string who = printed(*one, "account") + " (" + printed(*one, "role") + ")";
        say({std::string(approved ? "    approved by " : "    rejected by ") + who + " with a " +
                 printed(*one, "strength") + ", " + printed(*one, "time") + ", entry " + entry_text(*one),
             std::string(approved ? "    批准 " : "    驳回 ") + who + "，" + printed(*one, "time") + "，条目 " +
                 entry_text(*one)});
    }
    for (const json::object* one : objects_of(file, "sent")) {
        const std::string name =
            printed(*one, "node") + "." + printed(*one, "route") + "." + number_text(*one, "sequence");
        say({"    sent as parcel " + name + ", made " + printed(*one, "made"),
             "    发送包裹 " + name + "，生成于 " + printed(*one, "made")});
    }
    for (const json::object* one : objects_of(file, "acknowledgements")) {
        const bool has_receipt = !text_of(*one, "receipt").empty();
        const std::string what = printed(*one, "level") + " " + printed(*one, "node") + ": " + printed(*one, "state") +
                                 " " + printed(*one, "time") +
                                 (text_of(*one, "code").empty() ? "" : " " + printed(*one, "code"));
        const bool verified = check.verified(*one);
        say({"    level " + what +
                 (verified      ? ", its receipt verified"
                  : has_receipt ? ", its receipt not verified: give --upper-log-key"
                                : ""),
             "    层级 " + what +
                 (verified      ? "，回执验证通过"
                  : has_receipt ? "，回执未验证：请给出 --upper-log-key"
                                : "")});
    }
}

void say_story(const json::object& story, const Check& check) {
    say({"record " + printed(story, "record") + " of catalog " + printed(story, "catalog") + ", unit " +
             printed(story, "unit") + ", at " + printed(story, "node"),
         "记录 " + printed(story, "record") + "，目录 " + printed(story, "catalog") + "，单位 " +
             printed(story, "unit") + "，节点 " + printed(story, "node")});
    for (const json::object* version : objects_of(story, "versions")) {
        const std::string what = text_of(*version, "what");
        const Text words = what == "withdraw"  ? Text{"withdrawn", "撤回"}
                           : what == "correct" ? Text{"corrected", "更正"}
                                               : Text{"brought", "首次报送"};
        const auto number = number_of(*version, "version");
        const std::string line = number_text(*version, "line");
        say({(number == 0 ? std::string("not in force yet: ") : "version " + std::to_string(number) + ": ") + words.en +
                 " by line " + line,
             (number == 0 ? std::string("尚未生效：") : "第 " + std::to_string(number) + " 版：") + words.zh + "，第 " +
                 line + " 行"});
        if (!text_of(*version, "reason").empty()) {
            say({"  because " + printed(*version, "reason"), "  原因 " + printed(*version, "reason")});
        }
        if (!text_of(*version, "digest").empty()) {
            say({"  record digest " + printed(*version, "digest"), "  记录摘要 " + printed(*version, "digest")});
        }
        for (const json::object* file : objects_of(story, "files")) {
            if (text_of(*file, "id") == text_of(*version, "submission")) {
                say_file(*file, check);
            }
        }
    }
    say({"what the log has of it", "日志中的相关条目"});
    for (const auto& [index, leaf] : check.entries()) {
        const Text action = words_of_action(text_of(leaf, "action"));
        const Text result = words_of_result(text_of(leaf, "result"));
        const std::string head = "  #" + std::to_string(index) + "  " + printed(leaf, "time") + "  ";
        const std::string by = text_of(leaf, "principal").empty() ? "" : ", " + printed(leaf, "principal");
        say({head + printable(action.en) + ": " + printable(result.en) + by,
             head + printable(action.zh) + "：" + printable(result.zh) + by});
    }
    const std::string count = std::to_string(check.entries().size());
    say({"verified: this answer and " + count + " entries are in the log " + check.signer(),
         "验证通过：本答复及 " + count + " 条条目均在日志 " + check.signer() + " 中"});
}

Exit trace(const Options& options) {
    const TrustedKeys keys(options.evidence);  // a key that cannot be read is told before the node is asked
    Answer answer;
    if (options.answer.empty()) {
        NodeApi node(options.node);
        answer = node.get_answer("/v1/trace/" + encode_segment(options.record));
    } else {
        answer.body = read_file(options.answer);
    }
    const json::object parsed = parse_answer(answer);
    const json::object& story = object_of(parsed, "trace");
    if (!options.out.empty()) {
        write_file(options.out, answer.body);
    }
    Check check(options, story);
    check.answer(story_bytes(answer.body), text_of(parsed, "receipt"));
    check.story();
    if (options.json) {
        json::array unverified;
        for (const json::object* file : objects_of(story, "files")) {
            for (const json::object* one : objects_of(*file, "acknowledgements")) {
                if (!text_of(*one, "receipt").empty() && !check.verified(*one)) {
                    unverified.push_back(
                        json::object{{"submission", text_of(*file, "id")}, {"level", text_of(*one, "level")}});
                }
            }
        }
        json::object entries;
        for (const auto& [index, leaf] : check.entries()) {
            entries[std::to_string(index)] = leaf;
        }
        const json::object told{{"verified", true},         {"log", check.signer()},
                                {"trace", story},           {"entries", entries},
                                {"unverified", unverified}, {"receipt", text_of(parsed, "receipt")}};
        say({printable_json(json::serialize(told)), {}});
        return Exit::done;
    }
    say_story(story, check);
    return Exit::done;
}

}  // namespace

void add_trace_verb(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<Options>();
    CLI::App* verb =
        app.add_subcommand("trace", "everything that happened to a record, each step checked against the log");
    add_node_options(*verb, options->node);
    verb->add_option("RECORD", options->record, "its name, XF_RECORD of a query: <submission>-<line>")->required();
    add_evidence_options(*verb, options->evidence);
    verb->add_option("--upper-log-key", options->upper_keys,
                     "a higher level's verifier key, to check its receipts; may be repeated");
    verb->add_option("--out", options->out, "file for the node's answer as it came");
    verb->add_option("--answer", options->answer, "verify an answer that was kept with --out, without the node");
    verb->add_flag("--json", options->json);
    verb->callback([&chosen, options] { chosen = {[options] { return trace(*options); }, options->json}; });
}

}  // namespace xinfu::client
