#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include <CLI/CLI.hpp>

#include "daemon/client/files.hpp"
#include "daemon/client/log_export.hpp"
#include "daemon/client/node_api.hpp"
#include "daemon/client/receipt.hpp"
#include "daemon/client/verbs.hpp"

namespace xinfu::client {
namespace {

json::array names(const std::vector<std::string>& lines) {
    return json::array(lines.begin(), lines.end());
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

void say_unverified(const crypto::OpenedNote& opened) {
    for (const std::string& line : opened.unverified) {
        say({"unverified: " + line, "未验证：" + line});
    }
}

struct ReceiptOptions {
    std::string receipt;
    std::string file;
    EvidenceOptions evidence;
    bool json = false;
};

Exit verify_receipt_file(const ReceiptOptions& options) {
    const TrustedKeys keys(options.evidence);
    const Receipt receipt = verify_receipt(read_file(options.receipt), keys);
    if (!options.file.empty()) {
        check_subject_matter(receipt.leaf, digest_of_file(options.file));
    }
    if (options.json) {
        const json::object answer{{"verified", true},
                                  {"index", receipt.proof.index},
                                  {"leaf", receipt.leaf},
                                  {"log", receipt.checkpoint.origin},
                                  {"size", receipt.checkpoint.size},
                                  {"root", to_base64(receipt.checkpoint.root)},
                                  {"verified_by", names(receipt.note.verified)},
                                  {"unverified", names(receipt.note.unverified)},
                                  {"file_matches", !options.file.empty()}};
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const json::object& leaf = receipt.leaf;
    const json::object& object = object_of(leaf, "object");
    const std::string action = text_of(leaf, "action");
    const std::string result = text_of(leaf, "result");
    const std::string code = text_of(leaf, "code");
    const std::string place = std::to_string(receipt.proof.index) + " / " + receipt.checkpoint.origin;
    say({"verified, signed by " + joined(receipt.note.verified), "验证通过，签名方：" + joined(receipt.note.verified)});
    say({"who     " + text_of(leaf, "principal") + " of unit " + text_of(leaf, "unit"),
         "主体    " + text_of(leaf, "principal") + "，单位 " + text_of(leaf, "unit")});
    say({"when    " + text_of(leaf, "time"), "时间    " + text_of(leaf, "time")});
    say({"what    " + action + " " + text_of(leaf, "catalog") + ": " + result + (code.empty() ? "" : " " + code),
         "事项    " + action + " " + text_of(leaf, "catalog") + "：" + result + (code.empty() ? "" : " " + code)});
    if (const json::object& counts = object_of(leaf, "counts"); !counts.empty()) {
        const auto count = [&](std::string_view name) { return std::to_string(number_of(counts, name)); };
        say({"records " + count("records") + ", stored " + count("stored") + ", duplicate " + count("duplicate") +
                 ", defective " + count("defective") + ", warned " + count("warned"),
             "记录    " + count("records") + "，入库 " + count("stored") + "，重复 " + count("duplicate") + "，缺陷 " +
                 count("defective") + "，警告 " + count("warned")});
    }
    if (!object.empty()) {
        say({"digest  " + text_of(object, "digest"), "摘要    " + text_of(object, "digest")});
    }
    say({"entry   " + place, "条目    " + place});
    if (!options.file.empty()) {
        say({"the file is the one handed in", "文件与所报送的一致"});
    }
    say_unverified(receipt.note);
    return Exit::done;
}

class UrlSource final : public LogSource {
public:
    explicit UrlSource(const NodeOptions& options) : node_(options) {}
    std::optional<std::string> read(const std::string& path) override {
        try {
            return node_.get_answer("/v1/log/" + path).body;
        } catch (const Stop& stop) {
            if (stop.code == "XF-1119") {  // the log has no such part, though its checkpoint says so
                return std::nullopt;
            }
            throw;
        }
    }

private:
    NodeApi node_;
};

struct LogOptions {
    NodeOptions node;
    std::string directory;
    std::string from;
    EvidenceOptions evidence;
    bool json = false;
};

// How far a long reading is, for someone who watches.
class ProgressLine {
public:
    explicit ProgressLine(bool json) : terminal_(::isatty(STDERR_FILENO) != 0 && !json) {}
    ~ProgressLine() {
        if (terminal_) {
            std::fputs("\r\033[K", stderr);
        }
    }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(std::uint64_t read, std::uint64_t size) const {
        if (terminal_) {
            std::fprintf(stderr, "\r%llu / %llu", static_cast<unsigned long long>(read),
                         static_cast<unsigned long long>(size));
        }
    }

private:
    bool terminal_;
};

// Witnesses sign a little after the log, and to read it is an entry: a checkpoint that too few of them signed yet is
// asked for again for a while, over the same connection, which makes no further entry.
class WitnessedSource final : public LogSource {
public:
    WitnessedSource(const NodeOptions& options, const TrustedKeys& keys) : source_(options), keys_(keys) {}
    std::optional<std::string> read(const std::string& path) override {
        constexpr std::chrono::seconds kWaitMax{15};
        constexpr std::chrono::milliseconds kAgain{250};
        const auto until = std::chrono::steady_clock::now() + kWaitMax;
        for (;;) {
            auto found = source_.read(path);
            if (path != "checkpoint" || !found || std::chrono::steady_clock::now() >= until) {
                return found;
            }
            try {
                keys_.open(*found);
                return found;
            } catch (const Stop& stop) {
                if (stop.code != "XF-8006") {
                    return found;  // whoever reads it says so
                }
            }
            std::this_thread::sleep_for(kAgain);
        }
    }

private:
    UrlSource source_;
    const TrustedKeys& keys_;
};

Exit verify_log(const LogOptions& options) {
    const TrustedKeys keys(options.evidence);
    std::unique_ptr<LogSource> source;
    if (options.directory.empty()) {
        source = std::make_unique<WitnessedSource>(options.node, keys);
    } else {
        source = std::make_unique<DirectorySource>(options.directory);
        check_export(options.directory);
    }
    std::optional<std::string> from;
    if (!options.from.empty()) {
        from = read_file(options.from);
    }
    AuditResult result;
    {
        const ProgressLine progress(options.json);
        result =
            audit_log(*source, keys, from, [&](std::uint64_t read, std::uint64_t size) { progress.show(read, size); });
    }
    if (options.json) {
        const json::object answer{{"verified", true},
                                  {"log", result.checkpoint.origin},
                                  {"size", result.checkpoint.size},
                                  {"root", to_base64(result.checkpoint.root)},
                                  {"first", result.first},
                                  {"first_time", result.first_time},
                                  {"last_time", result.last_time},
                                  {"verified_by", names(result.note.verified)},
                                  {"unverified", names(result.note.unverified)}};
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const std::string size = std::to_string(result.checkpoint.size);
    const std::string read = std::to_string(result.checkpoint.size - result.first);
    say({result.checkpoint.origin + ": " + size + " entries, " + read + " read, all as signed by " +
             joined(result.note.verified),
         result.checkpoint.origin + "：共 " + size + " 条，核验 " + read + " 条，均与签名一致，签名方：" +
             joined(result.note.verified)});
    if (!result.first_time.empty()) {
        say({"from " + result.first_time + " to " + result.last_time,
             "时间范围 " + result.first_time + " 至 " + result.last_time});
    }
    say_unverified(result.note);
    return Exit::done;
}

struct ExportOptions {
    NodeOptions node;
    std::string out;
    bool json = false;
};

Exit export_whole_log(const ExportOptions& options) {
    UrlSource source(options.node);
    ExportResult result;
    {
        const ProgressLine progress(options.json);
        result =
            export_log(source, options.out, [&](std::uint64_t read, std::uint64_t size) { progress.show(read, size); });
    }
    if (options.json) {
        const json::object answer{
            {"log", result.origin}, {"size", result.size}, {"files", result.files}, {"directory", options.out}};
        say({json::serialize(answer), {}});
        return Exit::done;
    }
    const std::string size = std::to_string(result.size);
    say({result.origin + ": " + size + " entries in " + options.out + "; check them with: xinfu log verify --dir " +
             options.out + " --log-key KEY",
         result.origin + "：" + size + " 条已导出到 " + options.out + "；核验：xinfu log verify --dir " + options.out +
             " --log-key KEY"});
    return Exit::done;
}

}  // namespace

void add_evidence_verbs(CLI::App& app, Chosen& chosen) {
    CLI::App* receipt = app.add_subcommand("receipt", "receipts");
    receipt->require_subcommand(1);
    CLI::App* verify = receipt->add_subcommand("verify", "check a receipt, offline");
    auto receipt_options = std::make_shared<ReceiptOptions>();
    verify->add_option("RECEIPT", receipt_options->receipt, "the receipt's file")->required();
    verify->add_option("--file", receipt_options->file, "what it is about: the body as it was sent, or its content");
    add_evidence_options(*verify, receipt_options->evidence);
    verify->add_flag("--json", receipt_options->json);
    verify->callback([&chosen, receipt_options] {
        chosen = {[receipt_options] { return verify_receipt_file(*receipt_options); }, receipt_options->json};
    });

    CLI::App* log = app.add_subcommand("log", "the audit log");
    log->require_subcommand(1);
    CLI::App* audit = log->add_subcommand("verify", "check a whole log, or what came after a checkpoint");
    auto log_options = std::make_shared<LogOptions>();
    add_node_options(*audit, log_options->node);
    audit->add_option("--dir", log_options->directory, "read it from this directory instead of a node");
    audit->add_option("--from", log_options->from, "an earlier checkpoint: only what came after it is read");
    add_evidence_options(*audit, log_options->evidence);
    audit->add_flag("--json", log_options->json);
    audit->callback([&chosen, log_options] {
        chosen = {[log_options] { return verify_log(*log_options); }, log_options->json};
    });

    CLI::App* copy = log->add_subcommand("export", "copy a whole log into a directory, to be checked anywhere");
    auto export_options = std::make_shared<ExportOptions>();
    add_node_options(*copy, export_options->node);
    copy->add_option("--out", export_options->out, "an empty directory, or one to be made")->required();
    copy->add_flag("--json", export_options->json);
    copy->callback([&chosen, export_options] {
        chosen = {[export_options] { return export_whole_log(*export_options); }, export_options->json};
    });
}

}  // namespace xinfu::client
