#include "daemon/vault/paths_change.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/note.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/paths_text.hpp"
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
        told.set_witness_key(route.witness_key);
        for (const auto& onward : route.onward) {
            auto& beyond = *told.add_onward();
            beyond.set_level(onward.level);
            beyond.set_node(onward.node);
            beyond.set_log_key(onward.log_key);
        }
    }
    for (const auto& log : paths.witnessed) {
        auto& told = *message.add_witnessed();
        told.set_node(log.node);
        told.set_log_key(log.log_key);
    }
    return message;
}

template <class Message>
config::Paths from_message(const Message& message) {
    config::Paths paths{{message.listen().begin(), message.listen().end()}, message.metrics(), message.tls12(), {}, {}};
    for (const auto& told : message.routes()) {
        config::Route route;
        route.name = told.name();
        route.level = told.level();
        route.node = told.node();
        route.url = told.url();
        route.anchors = told.anchors();
        route.log_key = told.log_key();
        route.envelope = told.envelope();
        route.witness_key = told.witness_key();
        for (const auto& beyond : told.onward()) {
            route.onward.push_back({beyond.level(), beyond.node(), beyond.log_key()});
        }
        paths.routes.push_back(std::move(route));
    }
    for (const auto& told : message.witnessed()) {
        paths.witnessed.push_back({told.node(), told.log_key()});
    }
    return paths;
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
        std::vector<std::pair<std::string_view, std::string>> keys{{"log_key", route.log_key}};
        if (!route.witness_key.empty()) {
            keys.emplace_back("witness_key", route.witness_key);
        }
        for (const auto& beyond : route.onward) {
            keys.emplace_back("log_key", beyond.log_key);
        }
        for (const auto& [member, key] : keys) {
            const auto parsed = crypto::NoteVerifier::parse(key);
            if (!parsed || parsed->is_witness() != (member == "witness_key")) {
                return route.name + "." + std::string(member) + ": " + key;
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
    for (const auto& log : paths.witnessed) {
        const auto parsed = crypto::NoteVerifier::parse(log.log_key);
        if (!parsed || parsed->is_witness()) {
            return "witnessed " + log.node + ".log_key: " + log.log_key;
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
    const PathLines before = lines_of(*approved ? from_row((*approved)->paths()) : config::Paths{});
    const PathLines after = lines_of(from_row(change.paths()));
    const auto tell = [&view](const PathLines& these, const PathLines& those, bool gone) {
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

}  // namespace xinfu::vault
