#include "daemon/vault/record_trace.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/log_indexer.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/record_reader.hpp"
#include "storage/error.hpp"
#include "storage/leaf_text.hpp"
#include "storage/parcels.hpp"
#include "storage/records.hpp"
#include "storage/requests.hpp"

namespace xinfu::vault {
namespace {

using storage::LogField;
using storage::rows::Acknowledgement;
using storage::rows::Submission;

constexpr std::size_t kIdLength = 32;
constexpr std::uint64_t kVersionsMax = 500;
constexpr std::size_t kFileLeavesMax = 200;   // of one file, the newest
constexpr std::size_t kStoryLeavesMax = 600;  // of the whole story
constexpr std::size_t kReadingsMax = 100;     // queries of the subject, and traces, the newest

// What an approver may see beside the story's own leaves: what became of the file, not who read it.
constexpr auto kActsOnFiles = std::to_array<std::string_view>(
    {"submit", "decide_submission", "request", "approve_request", "reject_request", "deliver"});

struct RecordName {
    storage::SubmissionId submission{};
    std::uint64_t line = 0;
};

std::optional<RecordName> parse_record_name(std::string_view text) {
    if (text.size() < kIdLength + 2 || text.size() > kIdLength + 20 || text[kIdLength] != '-' ||
        text[kIdLength + 1] == '0') {
        return std::nullopt;
    }
    const auto id = storage::submission_id_from_text(text.substr(0, kIdLength));
    RecordName name;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + kIdLength + 1, end, name.line);
    if (!id || error != std::errc{} || stopped != end) {
        return std::nullopt;
    }
    name.submission = *id;
    return name;
}

std::int64_t integer(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

std::string hex(const std::string& bytes) {
    return to_hex(as_bytes(bytes));
}

// UTC, as leaves say it.
std::string time_text(std::int64_t milliseconds) {
    return milliseconds == 0 ? std::string()
                             : storage::format_time(storage::Milliseconds(std::chrono::milliseconds(milliseconds)));
}

// Ids begin with their time: nothing about a file is before it.
std::int64_t time_of(const storage::SubmissionId& id) {
    std::int64_t time = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        time = time << 8 | id[i];
    }
    return time;
}

std::string list_of(const std::vector<crypto::JsonObject>& objects) {
    std::string text = "[";
    for (const auto& object : objects) {
        text += (text.size() == 1 ? "" : ",") + object.encode();
    }
    return text + "]";
}

crypto::JsonObject parcel_text(const storage::rows::ParcelName& name) {
    crypto::JsonObject object;
    object.text("node", name.node()).text("route", name.route()).number("sequence", integer(name.sequence()));
    return object;
}

std::string_view state_of(Acknowledgement::State state) {
    switch (state) {
        case Acknowledgement::DELIVERED: return "delivered";
        case Acknowledgement::REFUSED: return "refused";
        default: return "waiting";
    }
}

// What the worker made of it.
struct Gathered {
    std::optional<boundary::Problem> problem;
    std::string role;
    std::string catalog;
    std::string name;   // the record's, as its first version is called
    std::string story;  // JSON
    std::vector<std::uint64_t> unindexed;
};

class Story {
public:
    Story(const Context& context, const storage::LogIndex& index, const PolicySet& policies, const Principal& principal,
          const storage::ReadTransaction& transaction)
        : context_(context), index_(index), policies_(policies), principal_(principal), transaction_(transaction) {}

    Result<Gathered> gather(std::string_view text);

private:
    struct File {
        Submission row;
        std::optional<storage::RecordSealer> sealer;
        std::set<std::uint64_t> lines{};
    };

    Result<std::optional<storage::SubmissionId>> find(const storage::SubmissionId& named);
    Result<File*> open(const storage::SubmissionId& id);
    Result<void> tell_versions(const RecordName& name, const storage::SubmissionId& id,
                               const storage::RecordInLine& found);
    Result<storage::RecordPlace> find_first(const storage::SubmissionId& named, std::uint64_t line,
                                            std::string& identity);
    Result<void> tell_version(std::uint64_t number, const storage::RecordPlace& place);
    Result<crypto::JsonObject> tell_file(const storage::SubmissionId& id, const File& file);
    Result<void> tell_request(const storage::SubmissionId& id, crypto::JsonObject& object);
    Result<void> tell_onward(const storage::SubmissionId& id, const File& file, crypto::JsonObject& object);
    Result<void> tell_findings(const storage::SubmissionId& id, const File& file, crypto::JsonObject& object);
    Result<void> search(std::vector<storage::LogTerm> terms, std::int64_t from_ms, std::size_t max,
                        std::set<std::uint64_t>& into);
    Result<std::string> receipts();

    const Context& context_;
    const storage::LogIndex& index_;
    const PolicySet& policies_;
    const Principal& principal_;
    const storage::ReadTransaction& transaction_;
    Gathered gathered_;
    bool may_search_ = false;
    std::map<storage::SubmissionId, File> files_;
    std::vector<storage::SubmissionId> order_;  // of the files, as they come in the story
    std::vector<crypto::JsonObject> versions_;
    std::set<std::uint64_t> leaves_;
    std::set<std::uint64_t> readings_;
    std::set<std::string> subjects_;
};

// Here, or at an upper level under another id.
Result<std::optional<storage::SubmissionId>> Story::find(const storage::SubmissionId& named) {
    const auto row = storage::find_submission(transaction_, named);
    if (!row) {
        return row.error();
    }
    if (*row) {
        return std::optional(named);
    }
    const auto units = enrolled_units(transaction_);
    if (!units) {
        return units.error();
    }
    for (const auto& [catalog, description] : policies_.catalogs) {
        for (const std::string& unit : *units) {
            auto carried = storage::find_origin(transaction_, context_.keys.index(), unit, catalog, named);
            if (!carried || *carried) {
                return carried;
            }
        }
    }
    return std::optional<storage::SubmissionId>{};
}

Result<Story::File*> Story::open(const storage::SubmissionId& id) {
    if (const auto known = files_.find(id); known != files_.end()) {
        return &known->second;
    }
    auto row = storage::find_submission(transaction_, id);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return storage::Errc::corrupt;
    }
    File file{std::move(**row), std::nullopt, {}};
    if (!file.row.wrapped_key().empty()) {
        const auto key = context_.keys.unwrap_data_key(file.row.unit(), id, as_bytes(file.row.wrapped_key()));
        if (!key) {
            return key.error();
        }
        file.sealer.emplace(id, key->view());
    }
    order_.push_back(id);
    return &files_.emplace(id, std::move(file)).first->second;
}

Result<Gathered> Story::gather(std::string_view text) {
    gathered_.problem = problem("XF-2005");
    const auto name = parse_record_name(text);
    const auto id = name ? find(name->submission)
                         : Result<std::optional<storage::SubmissionId>>(std::optional<storage::SubmissionId>{});
    if (!id) {
        return id.error();
    }
    if (!*id) {
        return gathered_;
    }
    const auto file = open(**id);
    if (!file) {
        return file.error();
    }
    const Submission row = (*file)->row;
    auto role = permitting_role(policies_.access, principal_, policies::verb::trace_record, row.catalog(), row.unit());
    if (!role) {
        return gathered_;
    }
    gathered_.role = std::move(*role);
    gathered_.catalog = row.catalog();
    may_search_ = permitting_role(policies_.access, principal_, policies::verb::search_log, {}, row.unit()).has_value();
    const auto found =
        (*file)->sealer ? storage::find_record_in_line(transaction_, *(*file)->sealer, **id, row.blocks(), name->line)
                        : Result<std::optional<storage::RecordInLine>>(std::optional<storage::RecordInLine>{});
    if (!found) {
        return found.error();
    }
    if (!*found) {
        gathered_.problem = problem("XF-1131", {std::to_string(name->line)});
        return gathered_;
    }
    if (const auto told = tell_versions(*name, **id, **found); !told) {
        return told.error();
    }
    std::vector<crypto::JsonObject> files;
    for (std::size_t i = 0; i < order_.size(); ++i) {
        auto told = tell_file(order_[i], files_.at(order_[i]));
        if (!told) {
            return told.error();
        }
        files.push_back(std::move(*told));
    }
    if (may_search_) {
        const std::int64_t since = time_of(order_.front());
        if (const auto searched = search({{LogField::object, gathered_.name}}, since, kReadingsMax, readings_);
            !searched) {
            return searched.error();
        }
        for (const std::string& subject : subjects_) {
            const auto searched =
                search({{LogField::subject, subject}, {LogField::action, "query"}}, since, kReadingsMax, readings_);
            if (!searched) {
                return searched.error();
            }
        }
    }
    auto evidence = receipts();
    if (!evidence) {
        return evidence.error();
    }
    crypto::JsonObject story;
    story.text("asked", text)
        .text("record", gathered_.name)
        .text("node", context_.node)
        .text("catalog", gathered_.catalog)
        .text("unit", row.unit())
        .raw("versions", list_of(versions_))
        .raw("files", list_of(files))
        .raw("leaves", std::move(*evidence));
    gathered_.story = story.encode();
    gathered_.problem.reset();
    return std::move(gathered_);
}

Result<void> Story::tell_versions(const RecordName& name, const storage::SubmissionId& id,
                                  const storage::RecordInLine& found) {
    gathered_.name = record_name(name.submission, name.line);
    const bool waits = files_.at(id).row.state() == Submission::PENDING;
    const storage::RecordPlace asked_for{id, found.slot};
    storage::RecordPlace first = asked_for;
    std::string identity = found.record.identity();
    if (const auto named = storage::submission_id_from_bytes(as_bytes(found.record.first_submission()))) {
        gathered_.name = record_name(*named, found.record.first_line());
        order_.clear();  // the file asked for comes where its version is
        files_.clear();
        if (waits) {  // its rows are as they were asked for: what they would change says which record it is
            const auto place = find_first(*named, found.record.first_line(), identity);
            if (!place) {
                return place.error();
            }
            first = *place;
        }
    } else if (waits) {
        return tell_version(0, asked_for);
    }
    crypto::Digest key{};
    if (identity.size() != key.size()) {
        return storage::Errc::corrupt;
    }
    std::ranges::copy(as_bytes(identity), key.begin());
    const auto head = storage::find_head(transaction_, key);
    if (!head) {
        return head.error();
    }
    const std::uint64_t newest = *head ? (*head)->version() : 0;
    if (newest == 0) {
        if (const auto told = tell_version(1, first); !told) {
            return told;
        }
    } else {
        order_.clear();
        files_.clear();
    }
    for (std::uint64_t number = newest > kVersionsMax ? newest - kVersionsMax + 1 : 1; number <= newest; ++number) {
        const auto version = storage::find_version(transaction_, key, number);
        if (!version) {
            return version.error();
        }
        if (!*version) {
            return storage::Errc::corrupt;
        }
        if (const auto told = tell_version(number, (*version)->place); !told) {
            return told;
        }
    }
    return waits ? tell_version(0, asked_for) : Result<void>{};
}

// Where the record of this name is stored, and under which identity.
Result<storage::RecordPlace> Story::find_first(const storage::SubmissionId& named, std::uint64_t line,
                                               std::string& identity) {
    const auto id = find(named);
    if (!id) {
        return id.error();
    }
    if (!*id) {
        return storage::Errc::corrupt;
    }
    const auto file = open(**id);
    if (!file) {
        return file.error();
    }
    if (!(*file)->sealer) {
        return storage::Errc::corrupt;
    }
    const auto found = storage::find_record_in_line(transaction_, *(*file)->sealer, **id, (*file)->row.blocks(), line);
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return storage::Errc::corrupt;
    }
    identity = (*found)->record.identity();
    return storage::RecordPlace{**id, (*found)->slot};
}

// `number` 0: none yet.
Result<void> Story::tell_version(std::uint64_t number, const storage::RecordPlace& place) {
    const auto file = open(place.submission);
    if (!file) {
        return file.error();
    }
    if (!(*file)->sealer) {
        return storage::Errc::corrupt;
    }
    const auto record = storage::find_record(transaction_, *(*file)->sealer, place.submission, place.slot);
    if (!record) {
        return record.error();
    }
    if (!*record) {
        return storage::Errc::corrupt;
    }
    (*file)->lines.insert((*record)->line());
    subjects_.insert((*record)->subject());
    const bool withdrawal = (*record)->withdrawal();
    const bool first = (*record)->first_submission().empty();
    crypto::JsonObject object;
    if (number > 0) {
        object.number("version", integer(number));
    }
    object.text("what", withdrawal ? "withdraw"
                        : first    ? "first"
                                   : "correct")
        .text("submission", storage::to_text(place.submission))
        .number("line", integer((*record)->line()))
        .text_if("reason", (*record)->reason());
    if (!withdrawal) {
        object.text("digest", to_hex(crypto::sha256(as_bytes((*record)->canonical()))));
    }
    versions_.push_back(std::move(object));
    return {};
}

Result<crypto::JsonObject> Story::tell_file(const storage::SubmissionId& id, const File& file) {
    const Submission& row = file.row;
    const std::string id_text = storage::to_text(id);
    crypto::JsonObject object;
    object.text("id", id_text)
        .text("state", storage::to_text(row.state()))
        .text("name", row.name())
        .text("account", row.account())
        .text("unit", row.unit())
        .text_if("certificate", hex(row.certificate()))
        .text("content", hex(row.content_digest()))
        .text("body", hex(row.body_digest()))
        .text_if("records_digest", hex(row.records_digest()))
        .text("catalog_version", row.catalog_version())
        .text("pack", hex(row.pack_digest()))
        .number("leaf", integer(row.leaf()))
        .text("time", time_text(row.time_ms()));
    crypto::JsonObject counts;
    counts.number("records", integer(row.counts().records()))
        .number("stored", integer(row.counts().stored()))
        .number("duplicate", integer(row.counts().duplicate()))
        .number("defective", integer(row.counts().defective()))
        .number("warned", integer(row.counts().warned()));
    object.object("counts", counts);
    if (row.has_origin()) {
        crypto::JsonObject origin;
        origin.text("node", row.origin().node())
            .number("index", integer(row.origin().index()))
            .text("digest", hex(row.origin().digest()));
        object.object("origin", origin);
    }
    if (row.has_received()) {
        object.object("received", parcel_text(row.received()));
    }
    leaves_.insert(row.leaf());
    if (row.needs_approval()) {
        if (const auto told = tell_request(id, object); !told) {
            return told.error();
        }
    }
    if (const auto told = tell_findings(id, file, object); !told) {
        return told.error();
    }
    if (const auto told = tell_onward(id, file, object); !told) {
        return told.error();
    }
    const std::int64_t since = time_of(id);
    for (const auto field : {LogField::object, LogField::approval}) {
        if (const auto searched = search({{field, id_text}}, since, kFileLeavesMax, leaves_); !searched) {
            return searched.error();
        }
    }
    for (const auto& parcel : row.sent()) {
        const auto name = storage::parcel_name(parcel.node(), parcel.route(), parcel.sequence());
        if (const auto searched = search({{LogField::object, name}}, since, kFileLeavesMax, leaves_); !searched) {
            return searched.error();
        }
    }
    return object;
}

Result<void> Story::tell_request(const storage::SubmissionId& id, crypto::JsonObject& object) {
    const auto request = storage::find_request(transaction_, id);
    if (!request) {
        return request.error();
    }
    if (!*request) {
        return {};
    }
    std::vector<crypto::JsonObject> decisions;
    for (const auto& decision : (*request)->decisions()) {
        auto& one = decisions.emplace_back();
        one.text("account", decision.account())
            .text("role", decision.role())
            .boolean("approves", decision.approves())
            .text("strength", decision.signature().empty() ? "session" : "signature")
            .text_if("certificate", hex(decision.certificate()))
            .text_if("reason", decision.reason())
            .text("time", time_text(decision.time_ms()))
            .number("leaf", integer(decision.leaf()));
        leaves_.insert(decision.leaf());
    }
    crypto::JsonObject told;
    told.text("id", storage::to_text(id))
        .text("applicant", (*request)->applicant())
        .text("digest", hex((*request)->digest()))
        .raw("decisions", list_of(decisions));
    object.object("request", told);
    return {};
}

// What the checks found in the record's own lines.
Result<void> Story::tell_findings(const storage::SubmissionId& id, const File& file, crypto::JsonObject& object) {
    std::vector<crypto::JsonObject> findings;
    const auto visited = storage::visit_defects(transaction_, id, [&](const storage::rows::Defect& defect) {
        if (file.lines.contains(defect.line())) {
            auto& one = findings.emplace_back();
            one.number("line", integer(defect.line()))
                .text_if("field", defect.field())
                .text("code", defect.code())
                .text("severity", defect.warning() ? "warning" : "error");
        }
        return true;
    });
    object.raw("findings", list_of(findings));
    return visited;
}

Result<void> Story::tell_onward(const storage::SubmissionId& id, const File& file, crypto::JsonObject& object) {
    std::vector<crypto::JsonObject> sent;
    for (const auto& name : file.row.sent()) {
        auto& one = sent.emplace_back(parcel_text(name));
        const auto parcel = storage::find_parcel(transaction_, name.route(), name.sequence());
        if (!parcel) {
            return parcel.error();
        }
        if (*parcel) {
            one.text("made", time_text((*parcel)->created_ms()))
                .text_if("finished", time_text((*parcel)->finished_ms()))
                .text_if("upper", (*parcel)->upper_id());
        }
    }
    object.raw("sent", list_of(sent));
    std::vector<crypto::JsonObject> acknowledgements;
    const auto visited =
        storage::visit_acknowledgements(transaction_, id, [&acknowledgements](const Acknowledgement& row) {
            auto& one = acknowledgements.emplace_back();
            one.text("level", row.level())
                .text("node", row.node())
                .text("state", state_of(row.state()))
                .text_if("time", time_text(row.time_ms()))
                .text_if("code", row.reason().code())
                .text_if("receipt", row.receipt());
            return true;
        });
    object.raw("acknowledgements", list_of(acknowledgements));
    return visited;
}

Result<void> Story::search(std::vector<storage::LogTerm> terms, std::int64_t from_ms, std::size_t max,
                           std::set<std::uint64_t>& into) {
    storage::LogQuery query;
    query.terms = std::move(terms);
    query.from = storage::Milliseconds(std::chrono::milliseconds(from_ms));
    query.limit = max;
    for (std::size_t found = 0; found < max;) {
        auto page = index_.search(transaction_, query);
        if (!page) {
            return page.error();
        }
        for (const auto& one : page->found) {
            const auto leaf = storage::LeafText::read(one.entry);
            if (may_search_ || (leaf && std::ranges::find(kActsOnFiles, (*leaf)["action"]) != kActsOnFiles.end())) {
                into.insert(one.index);
            }
        }
        found += page->found.size();
        gathered_.unindexed.insert(gathered_.unindexed.end(), page->unindexed.begin(), page->unindexed.end());
        if (!page->next) {
            return {};
        }
        query.before = *page->next;
    }
    return {};
}

Result<std::string> Story::receipts() {
    std::vector<crypto::JsonObject> told;
    leaves_.insert(readings_.begin(), readings_.end());
    for (const std::uint64_t index : leaves_) {
        if (told.size() == kStoryLeavesMax) {
            break;
        }
        auto receipt = newest_receipt(context_.ledger, index);
        if (!receipt) {
            return receipt.error();
        }
        told.emplace_back().number("index", integer(index)).text("receipt", *receipt);
    }
    return list_of(told);
}

}  // namespace

asio::awaitable<void> trace_record(Context& context, LogIndexer& indexer, ExchangePointer exchange) {
    Caller caller = exchange->caller();
    const auto policies = context.policies.current();
    const storage::LogIndex& index = indexer.index();
    std::function<Result<Gathered>()> gather = [&context, &index, policies, principal = caller.principal,
                                                name = exchange->request().trace_record().record()]() {
        const auto snapshot = context.ledger.engine().snapshot();
        if (!snapshot) {
            return Result<Gathered>(snapshot.error());
        }
        return Story(context, index, *policies, principal, **snapshot).gather(name);
    };
    auto gathering = run_on_worker(context, std::move(gather));
    auto gathered = co_await std::move(gathering);
    if (!gathered || gathered->problem) {
        auto why = gathered ? *gathered->problem : problem_of(gathered.error());
        auto recording = record_refusal(context, caller, "trace_record", why.code());
        if (const auto recorded = co_await std::move(recording); !recorded) {
            why = problem_of(recorded.error());
        }
        auto refusing = answer_problem(exchange, std::move(why));
        static_cast<void>((co_await std::move(refusing)).has_value());
        co_return;
    }
    indexer.renew(gathered->unindexed);
    caller.role = gathered->role;
    storage::Leaf leaf = leaf_of(caller, "trace_record");
    leaf.result = "done";
    leaf.catalog = gathered->catalog;
    leaf.object.type = "record";
    leaf.object.id = gathered->name;
    leaf.object.digest = crypto::sha256(as_bytes(gathered->story));
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    auto receipt = recorded ? make_receipt(context.ledger, recorded->index, recorded->entry, recorded->committed)
                            : Result<std::string>(boost::system::in_place_error, recorded.error());
    if (!receipt) {
        auto answering = answer_error(exchange, receipt.error());
        co_await std::move(answering);
        co_return;
    }
    boundary::GatewayReply reply;
    reply.set_more(true);
    reply.mutable_trace()->set_receipt(std::move(*receipt));
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    if (const auto answered = co_await std::move(answering); !answered) {
        co_return;
    }
    auto telling = answer_text(exchange, std::move(gathered->story));
    static_cast<void>((co_await std::move(telling)).has_value());
}

}  // namespace xinfu::vault
