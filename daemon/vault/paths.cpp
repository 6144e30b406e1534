#include "daemon/vault/paths.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "crypto/canonical_json.hpp"
#include "crypto/certificate.hpp"
#include "crypto/note.hpp"
#include "daemon/config/endpoint.hpp"
#include "daemon/vault/answers.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/receipt.hpp"
#include "policies/access.hpp"

namespace xinfu::vault {
namespace {

using boundary::Problem;
using storage::rows::ApprovedPaths;
using storage::rows::PathsChange;

constexpr std::size_t kMistakesBytesMax = 1000;  // told
constexpr off_t kCertificateFileBytesMax = 64 * 1024;
constexpr std::size_t kAnchorsBytesMax = 32 * 1024;  // of all routes: they go to the courier in one packet

// The same members in rows and in the boundary's forms.
template <class Message>
Message to_message(const config::Paths& paths) {
    Message message;
    for (const auto& endpoint : paths.listen) {
        message.add_listen(endpoint);
    }
    message.set_metrics(paths.metrics);
    message.set_tls12(paths.tls12);
    for (const auto& route : paths.routes) {
        auto& told = *message.add_routes();
        told.set_name(route.name);
        told.set_level(route.level);
        told.set_node(route.node);
        told.set_url(route.url);
        told.set_anchors(route.anchors);
        told.set_log_key(route.log_key);
        told.set_envelope(route.envelope);
        for (const auto& onward : route.onward) {
            auto& beyond = *told.add_onward();
            beyond.set_level(onward.level);
            beyond.set_node(onward.node);
            beyond.set_log_key(onward.log_key);
        }
    }
    return message;
}

template <class Message>
config::Paths from_message(const Message& message) {
    config::Paths paths{{message.listen().begin(), message.listen().end()}, message.metrics(), message.tls12(), {}};
    for (const auto& told : message.routes()) {
        config::Route route;
        route.name = told.name();
        route.level = told.level();
        route.node = told.node();
        route.url = told.url();
        route.anchors = told.anchors();
        route.log_key = told.log_key();
        route.envelope = told.envelope();
        for (const auto& beyond : told.onward()) {
            route.onward.push_back({beyond.level(), beyond.node(), beyond.log_key()});
        }
        paths.routes.push_back(std::move(route));
    }
    return paths;
}

std::string array_of(const std::vector<crypto::JsonObject>& objects) {
    std::string text = "[";
    for (const auto& object : objects) {
        text += (text.size() == 1 ? "" : ",") + object.encode();
    }
    return text + "]";
}

crypto::JsonObject json_of(const config::Paths& paths) {
    std::vector<crypto::JsonObject> routes;
    for (const auto& route : paths.routes) {
        std::vector<crypto::JsonObject> onward;
        for (const auto& beyond : route.onward) {
            onward.emplace_back().text("level", beyond.level).text("log_key", beyond.log_key).text("node", beyond.node);
        }
        routes.emplace_back()
            .text("anchors", route.anchors)
            .text_if("envelope", route.envelope)
            .text("level", route.level)
            .text("log_key", route.log_key)
            .text("name", route.name)
            .text("node", route.node)
            .raw("onward", array_of(onward))
            .text("url", route.url);
    }
    crypto::JsonObject json;
    json.texts("listen", paths.listen)
        .text("metrics", paths.metrics)
        .raw("routes", array_of(routes))
        .boolean("tls12", paths.tls12);
    return json;
}

crypto::Digest digest_of(const config::Paths& paths) {
    return crypto::sha256(as_bytes(json_of(paths).encode()));
}

// As the system writes it, however the configuration does.
std::string normal(const std::string& endpoint) {
    const auto parsed = config::parse_endpoint(endpoint);
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(parsed ? parsed->address : std::string(), failed);
    if (!parsed || failed) {
        return endpoint;
    }
    const std::string text = address.to_string();
    return (parsed->ipv6 ? "[" + text + "]" : text) + ":" + std::to_string(parsed->port);
}

// For people: one line for each thing that can differ.
using Lines = std::set<std::string>;

void add_listeners(Lines& lines, const std::vector<std::string>& listen, const std::string& metrics) {
    for (const auto& endpoint : listen) {
        lines.insert("listen " + normal(endpoint));
    }
    if (!metrics.empty()) {
        lines.insert("metrics " + normal(metrics));
    }
}

void add_routes(Lines& lines, const config::Paths& paths) {
    lines.insert(std::string("tls12 ") + (paths.tls12 ? "true" : "false"));
    for (const auto& route : paths.routes) {
        const std::string head = "route " + route.name + " ";
        lines.insert(head + "to " + route.level + " " + route.node + " " + route.url);
        lines.insert(head + "anchors " + route.anchors);
        lines.insert(head + "envelope " + route.envelope);
        lines.insert(head + "log_key " + route.log_key);
        for (const auto& beyond : route.onward) {
            lines.insert(head + "onward " + beyond.level + " " + beyond.node + " " + beyond.log_key);
        }
    }
}

Lines lines_of(const config::Paths& paths) {
    Lines lines;
    add_listeners(lines, paths.listen, paths.metrics);
    add_routes(lines, paths);
    return lines;
}

void compare(std::vector<std::string>& out, const Lines& approved, const Lines& found, const std::string& more,
             const std::string& less) {
    for (const auto& line : found) {
        if (!approved.contains(line)) {
            out.push_back(more + ": " + line);
        }
    }
    for (const auto& line : approved) {
        if (!found.contains(line)) {
            out.push_back(less + ": " + line);
        }
    }
}

// A file that a route may name: small, regular, among the certificates.
std::optional<Bytes> read_certificate_file(const std::string& path) {
    struct stat status {};
    if (!path.starts_with("certificates/") || ::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > kCertificateFileBytesMax) {
        return std::nullopt;
    }
    std::ifstream file(path, std::ios::binary);
    return Bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Approved routes are dialled whatever the file says: what a start needs of them must be there and right, or the node
// could not start any more.
std::optional<std::string> why_no_start(const config::Paths& paths) {
    std::size_t anchors_bytes = 0;
    for (const auto& route : paths.routes) {
        std::vector<std::string> keys{route.log_key};
        for (const auto& beyond : route.onward) {
            keys.push_back(beyond.log_key);
        }
        for (const auto& key : keys) {
            if (!crypto::NoteVerifier::parse(key)) {
                return route.name + ".log_key: " + key;
            }
        }
        const auto file = read_certificate_file(route.anchors);
        const auto anchors = crypto::read_certificates(file.value_or(Bytes()));
        if (!anchors || anchors->empty()) {
            return route.name + ".anchors: " + route.anchors;
        }
        for (const auto& anchor : *anchors) {
            anchors_bytes += anchor.der().size();
        }
        if (!read_certificate_file(route.envelope)) {
            return route.name + ".envelope: " + route.envelope;
        }
    }
    if (anchors_bytes > kAnchorsBytesMax) {
        return "anchors: more than " + std::to_string(kAnchorsBytesMax) + " bytes";
    }
    const auto certificates = load_node_certificates(".", paths.routes);
    return certificates ? std::nullopt : std::optional<std::string>("envelope: " + certificates.error().message());
}

}  // namespace

storage::rows::Paths to_row(const config::Paths& paths) {
    return to_message<storage::rows::Paths>(paths);
}

config::Paths from_row(const storage::rows::Paths& row) {
    return from_message(row);
}

Result<std::variant<PathsChange, Problem>> make_paths_change(const storage::ReadTransaction& transaction,
                                                             const boundary::PathsForm& asked,
                                                             const std::string& node) {
    using Answer = std::variant<PathsChange, Problem>;
    const auto approved = storage::find_approved_paths(transaction);
    if (!approved) {
        return approved.error();
    }
    const config::Paths paths = from_message(asked);
    std::string wrong;
    for (const auto& mistake : config::mistakes_in(paths, node)) {
        wrong += (wrong.empty() ? "" : "; ") + mistake.key + ": " + mistake.text;
    }
    if (wrong.empty()) {
        wrong = why_no_start(paths).value_or(std::string());
    }
    if (!wrong.empty()) {
        return Answer{problem("XF-2028", {wrong.substr(0, kMistakesBytesMax)})};
    }
    const config::Paths before = *approved ? from_row((*approved)->paths()) : config::Paths{};
    if (before == paths) {
        return Answer{problem("XF-1117", {"paths"})};
    }
    PathsChange change;
    const auto base = digest_of(before);
    change.set_base(base.data(), base.size());
    *change.mutable_paths() = to_row(paths);
    return Answer{std::move(change)};
}

std::optional<Problem> why_not_usable(const storage::rows::Paths& paths) {
    const auto wrong = why_no_start(from_row(paths));
    return wrong ? std::optional(problem("XF-2028", {wrong->substr(0, kMistakesBytesMax)})) : std::nullopt;
}

Result<std::optional<Problem>> apply_paths_change(storage::WriteTransaction& transaction, const PathsChange& change,
                                                  ByteView request, storage::Milliseconds now) {
    using Answer = std::optional<Problem>;
    const auto approved = storage::find_approved_paths(transaction);
    if (!approved) {
        return approved.error();
    }
    const config::Paths before = *approved ? from_row((*approved)->paths()) : config::Paths{};
    if (!std::ranges::equal(digest_of(before), as_bytes(change.base()))) {
        return Answer{problem("XF-2021")};
    }
    ApprovedPaths row;
    *row.mutable_paths() = change.paths();
    row.set_request(request.data(), request.size());
    row.set_time_ms(now.time_since_epoch().count());
    if (const auto put = storage::put_approved_paths(transaction, row); !put) {
        return put.error();
    }
    return Answer{};
}

std::string paths_change_json(const PathsChange& change, std::string_view node) {
    crypto::JsonObject json;
    json.text("act", policies::act::paths)
        .text("base", to_hex(as_bytes(change.base())))
        .text("node", node)
        .object("paths", json_of(from_row(change.paths())));
    return json.encode();
}

crypto::Digest digest_of(const PathsChange& change) {
    return digest_of(from_row(change.paths()));
}

Result<void> describe_paths_differences(const storage::ReadTransaction& transaction, const PathsChange& change,
                                        boundary::RequestView& view) {
    const auto approved = storage::find_approved_paths(transaction);
    if (!approved) {
        return approved.error();
    }
    const Lines before = lines_of(*approved ? from_row((*approved)->paths()) : config::Paths{});
    const Lines after = lines_of(from_row(change.paths()));
    const auto tell = [&view](const Lines& these, const Lines& those, bool gone) {
        for (const auto& line : these) {
            if (those.contains(line)) {
                continue;
            }
            auto& difference = *view.add_differences();
            const auto blank = line.find(' ');
            difference.set_field(line.substr(0, blank));
            (gone ? difference.mutable_before() : difference.mutable_after())->assign(line.substr(blank + 1));
        }
    };
    tell(before, after, true);
    tell(after, before, false);
    return {};
}

Result<config::Paths> Paths::approved() const {
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto row = storage::find_approved_paths(**snapshot);
    if (!row) {
        return row.error();
    }
    return *row ? from_row((*row)->paths()) : declared_;
}

asio::awaitable<Result<void>> Paths::start() {
    {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto check = storage::find_paths_check(**snapshot);
        if (!check) {
            co_return check.error();
        }
        if (*check) {
            checked_ = storage::Milliseconds(std::chrono::milliseconds((*check)->time_ms()));
        }
        const auto row = storage::find_approved_paths(**snapshot);
        if (!row) {
            co_return row.error();
        }
        if (*row) {
            // Until there is a look the time of the approval stands for it: a gateway that never runs is noticed.
            checked_ = checked_.value_or(storage::Milliseconds(std::chrono::milliseconds((*row)->time_ms())));
            co_return Result<void>{};
        }
    }
    checked_ = context_.clock.now();
    std::function<Result<void>(storage::Batch&)> apply = [this](storage::Batch& batch) -> Result<void> {
        ApprovedPaths row;
        *row.mutable_paths() = to_row(declared_);
        row.set_time_ms(batch.time().time_since_epoch().count());
        storage::Leaf leaf;
        leaf.action = "adopt_paths";
        leaf.result = "done";
        leaf.object = {"paths", context_.node, digest_of(declared_), std::nullopt};
        context_.leaves.append(batch, leaf);
        return storage::put_approved_paths(batch.transaction(), row);
    };
    auto running = execute(context_, std::move(apply), 0, true);
    const auto done = co_await std::move(running);
    co_return done ? Result<void>{} : Result<void>{done.error()};
}

void Paths::heard(const boundary::ReportListeners& report) {
    stale_ = stale_ || !open_ || open_->SerializeAsString() != report.SerializeAsString();
    open_ = report;
}

Result<std::vector<std::string>> Paths::differences() const {
    const auto wanted = approved();
    if (!wanted) {
        return wanted.error();
    }
    std::vector<std::string> out;
    compare(out, lines_of(*wanted), lines_of(declared_), "configured, not approved", "approved, not configured");
    Lines routes;
    Lines in_effect;
    add_routes(routes, *wanted);
    add_routes(in_effect, config::paths_of(context_.config));
    compare(out, routes, in_effect, "in effect until the next start", "in effect from the next start on");
    if (open_) {
        Lines listeners;
        Lines open;
        add_listeners(listeners, wanted->listen, wanted->metrics);
        for (const auto& endpoint : open_->https()) {
            open.insert("listen " + endpoint);
        }
        for (const auto& endpoint : open_->metrics()) {
            open.insert("metrics " + endpoint);
        }
        compare(out, listeners, open, "open, not approved", "approved, not open");
    }
    return out;
}

bool Paths::check_is_due() const {
    const auto now = context_.clock.now();
    // Neither trouble nor an owned gateway that reports something else each second makes more than one a minute.
    const bool rested = !tried_ || now - *tried_ >= kRest || now < *tried_;
    return open_ && rested && (stale_ || !checked_ || now - *checked_ >= kEvery);
}

asio::awaitable<Result<void>> Paths::check() {
    const auto now = context_.clock.now();
    tried_ = now;
    stale_ = false;  // what changes from here on is for the next look
    const auto found = differences();
    const auto wanted = approved();
    if (!found || !wanted) {
        stale_ = true;
        co_return found ? wanted.error() : found.error();
    }
    crypto::JsonObject json;
    json.object("approved", json_of(*wanted))
        .object("configured", json_of(declared_))
        .texts("differences", *found)
        .text("node", context_.node)
        .texts("open", open_ ? std::vector<std::string>(open_->https().begin(), open_->https().end())
                             : std::vector<std::string>())
        .texts("open_metrics", open_ ? std::vector<std::string>(open_->metrics().begin(), open_->metrics().end())
                                     : std::vector<std::string>())
        .text("time", storage::format_time(now));
    auto row = std::make_shared<storage::rows::PathsCheck>();
    row->set_record(json.encode());
    row->set_time_ms(now.time_since_epoch().count());
    storage::Leaf leaf;
    leaf.action = "check_paths";
    leaf.result = found->empty() ? "done" : "refused";
    leaf.code = found->empty() ? "" : "XF-2029";
    leaf.object = {"paths", context_.node, crypto::sha256(as_bytes(row->record())), std::nullopt};
    std::function<Result<void>(storage::Batch&)> apply = [this, row, leaf](storage::Batch& batch) -> Result<void> {
        row->set_leaf(context_.leaves.append(batch, leaf));
        return storage::put_paths_check(batch.transaction(), *row);
    };
    auto running = execute(context_, std::move(apply), 0, true);
    const auto done = co_await std::move(running);
    if (!done) {
        stale_ = true;
        co_return done.error();
    }
    checked_ = now;
    differences_ = found->size();
    co_return Result<void>{};
}

std::optional<Problem> Paths::alarm() const {
    if (differences_ > 0) {
        return problem("XF-2029", {std::to_string(differences_)});
    }
    if (checked_ && context_.clock.now() - *checked_ >= kOverdue) {
        return problem("XF-2030");
    }
    return std::nullopt;
}

asio::awaitable<void> Paths::show(ExchangePointer exchange) {
    const auto wanted = approved();
    const auto found = differences();
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!wanted || !found || !snapshot) {
        auto answering = answer_error(exchange, !wanted ? wanted.error() : !found ? found.error() : snapshot.error());
        co_await std::move(answering);
        co_return;
    }
    const auto check = storage::find_paths_check(**snapshot);
    if (!check) {
        auto answering = answer_error(exchange, check.error());
        co_await std::move(answering);
        co_return;
    }
    crypto::JsonObject json;
    json.object("approved", json_of(*wanted)).object("configured", json_of(declared_)).texts("differences", *found);
    if (*check) {
        auto receipt = newest_receipt(context_.ledger, (*check)->leaf());
        if (!receipt) {
            auto answering = answer_error(exchange, receipt.error());
            co_await std::move(answering);
            co_return;
        }
        // As text, not as an object: the leaf's digest is over these very bytes.
        crypto::JsonObject last;
        last.number("leaf", static_cast<std::int64_t>((*check)->leaf()))
            .text("receipt", *receipt)
            .text("record", (*check)->record())
            .text("time", storage::format_time(storage::Milliseconds(std::chrono::milliseconds((*check)->time_ms()))));
        json.object("check", last);
    }
    auto answering = answer_text(exchange, json.encode());
    static_cast<void>((co_await std::move(answering)).has_value());
}

}  // namespace xinfu::vault
