#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>

#include <CLI/CLI.hpp>

#include "daemon/client/authority.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/receipt.hpp"
#include "daemon/client/resumable_upload.hpp"
#include "daemon/client/signed_file.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

constexpr int kAttempts = 4;  // of one push; later the same command goes on with the same body
constexpr std::size_t kDefectsShown = 20;
constexpr std::uint64_t kResumableSizeBytes = std::uint64_t{8} << 20;  // below, sending again costs little

struct Options {
    NodeOptions node;
    std::string file;
    std::string catalog;
    std::string name;
    std::string log_key;
    bool json = false;
};

class ProgressLine {
public:
    explicit ProgressLine(bool shown) : shown_(shown && ::isatty(STDERR_FILENO) != 0) {}
    ~ProgressLine() {
        if (shown_) {
            std::fputs("\r\033[K", stderr);
        }
    }
    void operator()(std::uint64_t sent, std::uint64_t size) {
        const auto now = std::chrono::steady_clock::now();
        if (!shown_ || (sent < size && now - last_ < std::chrono::milliseconds(200))) {
            return;
        }
        last_ = now;
        const double seconds = std::max(std::chrono::duration<double>(now - start_).count(), 0.001);
        std::fprintf(stderr, "\r%3.0f %%  %.1f MiB  %.1f MiB/s ",
                     size == 0 ? 100.0 : 100.0 * static_cast<double>(sent) / static_cast<double>(size),
                     static_cast<double>(sent) / 1048576, static_cast<double>(sent) / 1048576 / seconds);
    }

private:
    bool shown_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point last_{};
};

// The same body until there is an answer that does not ask for a repetition.
Answer send(NodeApi& node, const std::string& method, const std::string& path, const std::string& body_path,
            bool show_progress) {
    for (int attempt = 1;; ++attempt) {
        try {
            InputFile body(body_path);
            ProgressLine progress(show_progress);
            Answer answer =
                node.upload(method, path, {{"Content-Type", "application/pkcs7-mime"}}, body, 0, std::ref(progress));
            const bool again = answer.status >= 429 && stop_for(answer).exit == Exit::unreachable;
            if (!again || attempt == kAttempts) {
                return answer;
            }
        } catch (const Stop& stop) {
            if (stop.exit != Exit::unreachable || attempt == kAttempts || !node.reached()) {
                throw;
            }
            note(stop.text);
        }
        note({"sending the same body again", "正在重新发送同一文件"});
        std::this_thread::sleep_for(std::chrono::seconds(1 << (attempt - 1)));
    }
}

// A large body, over a line that may break: goes on where the node says it was. The upload's place is kept beside the
// file, so that the same command goes on after it was killed. Answers as PUT would; empty: the node has no such
// service.
std::optional<Answer> send_in_parts(NodeApi& node, const Options& options, const std::string& name,
                                    const SignedFile& signed_body) {
    ResumableUpload upload(node, {.catalog = options.catalog,
                                  .name = name,
                                  .body = signed_body.path,
                                  .digest = signed_body.digest,
                                  .kept_at = options.file + ".upload"});
    for (int attempt = 1;; ++attempt) {
        const std::uint64_t before = upload.offset();
        try {
            ProgressLine progress(!options.json);
            Answer answer = upload.send(std::ref(progress));
            if (upload.unsupported()) {
                return std::nullopt;
            }
            const bool again = answer.status >= 400 && stop_for(answer).exit == Exit::unreachable;
            if (!again || attempt == kAttempts) {
                return answer;
            }
        } catch (const Stop& stop) {
            if (stop.exit != Exit::unreachable || !node.reached()) {
                throw;
            }
            attempt = upload.offset() > before ? 1 : attempt;  // a line that gets somewhere is worth going on
            if (attempt == kAttempts) {
                throw;
            }
            note(stop.text);
        }
        note({"going on where the upload was", "从断点继续上传"});
        std::this_thread::sleep_for(std::chrono::seconds(1 << (attempt - 1)));
    }
}

void say_defects(const json::object& answer) {
    std::size_t shown = 0;
    for (const char* list : {"defects", "warnings"}) {
        for (const json::value& value : array_of(answer, list)) {
            if (!value.is_object() || ++shown > kDefectsShown) {
                continue;
            }
            const json::object& defect = value.get_object();
            const std::string place = std::to_string(number_of(defect, "line")) + " " + text_of(defect, "field") + " " +
                                      text_of(defect, "code") + " ";
            say({"  line " + place + text_of(defect, "detail"), "  第 " + place + text_of(defect, "detail_zh")});
        }
    }
    if (shown > kDefectsShown) {
        const std::string more = std::to_string(shown - kDefectsShown);
        say({"  and " + more + " more (--json shows them)", "  另有 " + more + " 条（--json 可全部显示）"});
    }
}

// What a refusal says, defects included; its receipt is evidence as well and is kept.
[[noreturn]] void refuse(const Answer& answer, const Options& options) {
    const Stop stop = stop_for(answer);
    boost::system::error_code error;
    const json::value parsed = json::parse(answer.body, error);
    if (!error && parsed.is_object()) {
        if (const std::string receipt = text_of(parsed.get_object(), "receipt"); !receipt.empty()) {
            write_file(options.file + ".refusal", receipt);
        }
        if (options.json) {
            say({answer.body, {}});
        } else {
            say_defects(parsed.get_object());
        }
    }
    throw stop;
}

// The receipt as far as it can be checked here and now: with the key the user gave, else with the one the
// node itself states, which proves the form and the place but not who signs; and that it is about this very
// body.
Receipt check_receipt(const std::string& text, const Options& options, NodeApi& node, const SignedFile& body) {
    EvidenceOptions evidence;
    evidence.log_key = options.log_key;
    if (evidence.log_key.empty()) {
        try {
            evidence.log_key = text_of(node.get("/v1/status"), "log_key");
        } catch (const Stop&) {
            // Not entitled to the status: then the receipt's own words are all there is.
        }
    }
    if (evidence.log_key.empty()) {
        auto proof = crypto::parse_tlog_proof(text);
        if (!proof) {
            throw stop_with_code(Exit::evidence, "XF-8001", {proof.error().message()});
        }
        const auto checkpoint =
            crypto::parse_checkpoint(proof->checkpoint.substr(0, proof->checkpoint.rfind("\n\n") + 1));
        if (!checkpoint || !crypto::verify_inclusion(crypto::leaf_hash(proof->extra), proof->index, checkpoint->size,
                                                     proof->hashes, checkpoint->root)) {
            throw stop_with_code(Exit::evidence, "XF-8004");
        }
        note({"the receipt's signature was not checked: give --log-key", "未核验回执签名：请给出 --log-key"});
        Receipt receipt{std::move(*proof), {}, *checkpoint, {}};
        receipt.leaf = parse_leaf(receipt.proof.extra);
        check_subject_matter(receipt.leaf, body.digest);
        return receipt;
    }
    Receipt receipt = verify_receipt(text, TrustedKeys(evidence));
    try {
        check_subject_matter(receipt.leaf, body.digest);
    } catch (const Stop&) {
        // The same content, signed again: the receipt is that of the first body.
        const auto content = content_signed_by(body.path, read_certificate(options.node.cert));
        if (!content) {
            throw;
        }
        check_subject_matter(receipt.leaf, *content);
    }
    return receipt;
}

Exit push(const Options& options) {
    NodeApi node(options.node);
    const SignedFile body = signed_file(options.file, options.node, options.file + ".p7m");
    const std::string name = options.name.empty() ? base_name(body.path) : options.name;
    std::optional<Answer> sent;
    if (InputFile(body.path).size() >= kResumableSizeBytes) {
        sent = send_in_parts(node, options, name, body);
    }
    if (!sent) {
        sent = send(node, "PUT", "/v1/submissions/" + encode_segment(options.catalog) + "/" + encode_segment(name),
                    body.path, !options.json);
    }
    const Answer& answer = *sent;
    if (answer.status >= 400) {
        refuse(answer, options);
    }
    const Receipt receipt = check_receipt(answer.body, options, node, body);
    const std::string receipt_path = options.file + ".receipt";
    write_file(receipt_path, answer.body);
    const std::string id = answer.location.substr(std::min(answer.location.rfind('/') + 1, answer.location.size()));
    const std::string result = text_of(receipt.leaf, "result");
    if (options.json) {
        const json::object out{{"status", answer.status}, {"id", id},
                               {"result", result},        {"body", body.path},
                               {"receipt", receipt_path}, {"index", receipt.proof.index},
                               {"leaf", receipt.leaf}};
        say({json::serialize(out), {}});
        return Exit::done;
    }
    const std::string known_en = answer.status == 200 ? " (known already)" : "";
    const std::string known_zh = answer.status == 200 ? "（此前已受理）" : "";
    say({result + known_en + ": entry " + std::to_string(receipt.proof.index) + " of " + receipt.checkpoint.origin +
             ", submission " + id,
         result + known_zh + "：" + receipt.checkpoint.origin + " 第 " + std::to_string(receipt.proof.index) +
             " 条，报送 " + id});
    say({"receipt " + receipt_path, "回执 " + receipt_path});
    return Exit::done;
}

// The file goes as it is, signed or not: nothing is handed in, so nobody need vouch for it.
Exit check(const Options& options) {
    NodeApi node(options.node);
    const Answer answer =
        send(node, "POST", "/v1/checks/" + encode_segment(options.catalog), options.file, !options.json);
    if (answer.status >= 400) {
        refuse(answer, options);
    }
    const json::object report = parse_answer(answer);
    const json::value* accepted = report.if_contains("accepted");
    const bool good = accepted == nullptr || !accepted->is_bool() || accepted->get_bool();
    if (options.json) {
        say({answer.body, {}});
        return good ? Exit::done : Exit::refused;
    }
    const json::object& counts = object_of(report, "counts");
    const std::string records = std::to_string(number_of(counts, "records"));
    const std::string warned = std::to_string(number_of(counts, "warned"));
    const std::string defective = std::to_string(number_of(counts, "defective"));
    say({records + " records, " + defective + " with errors, " + warned + " with warnings; nothing was handed in",
         records + " 条记录，" + defective + " 条有错误，" + warned + " 条有警告；未报送"});
    say_defects(report);
    return good ? Exit::done : Exit::refused;
}

}  // namespace

void add_hand_in_verbs(CLI::App& app, Chosen& chosen) {
    const auto add = [&](const char* name, const char* help, Exit (*act)(const Options&)) {
        auto options = std::make_shared<Options>();
        CLI::App* verb = app.add_subcommand(name, help);
        verb->add_option("FILE", options->file, "a table (CSV, XLSX, JSON Lines, XML), or one that is signed already")
            ->required();
        verb->add_option("--catalog", options->catalog, "such as administrative-penalty")->required();
        add_node_options(*verb, options->node);
        verb->add_flag("--json", options->json);
        verb->callback([&chosen, options, act] { chosen = {[options, act] { return act(*options); }, options->json}; });
        return std::pair(verb, options);
    };
    auto [verb, options] = add("push", "sign a file, hand it in, check and keep the receipt", push);
    verb->add_option("--name", options->name, "under which name (default: the body's file name)");
    verb->add_option("--log-key", options->log_key, "the node's log key, to check the receipt with");
    add("check", "have a file checked without handing it in", check);
}

}  // namespace xinfu::client
