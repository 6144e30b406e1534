#include "daemon/vault/feed_page.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/authorisation.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/record_reader.hpp"
#include "daemon/vault/record_text.hpp"
#include "policies/mask.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kRangesMax = 4096;  // looked at for a page, where most are not the reader's

// What of a catalog's records some classes of fields show.
class FeedFields {
public:
    FeedFields(const PolicySet& policies, std::string_view catalog, std::vector<std::string_view> classes)
        : classes_(std::move(classes)) {
        for (const auto* version : policies.versions(catalog)) {
            for (const auto& field : version->fields()) {
                // As with queries: of a field that versions describe differently the newest counts.
                const bool shown = std::ranges::find(classes_, field.visibility()) != classes_.end();
                rules_.emplace(field.code(), shown ? std::optional<std::string_view>(field.mask()) : std::nullopt);
            }
        }
    }
    const std::vector<std::string_view>& classes() const { return classes_; }

    // A field that no version describes is nobody's to read. False: the record is not the vault's own text.
    bool append(std::string_view canonical, std::string& out) const {
        const auto fields = read_record_text(canonical);
        if (!fields) {
            return false;
        }
        const std::function<std::string_view(std::string_view)> value_of = [&fields](std::string_view code) {
            const auto found = std::ranges::find(*fields, code, &std::pair<std::string, std::string>::first);
            return found == fields->end() ? std::string_view() : std::string_view(found->second);
        };
        char separator = '{';
        for (const auto& [code, value] : *fields) {
            const auto rule = rules_.find(code);
            if (rule == rules_.end() || !rule->second) {
                continue;
            }
            out += std::exchange(separator, ',');
            crypto::append_json_string(out, code);
            out += ':';
            crypto::append_json_string(
                out, rule->second->empty() ? value : policies::mask_by(*rule->second, value, value_of));
        }
        out += separator == '{' ? "{}" : "}";
        return true;
    }

private:
    std::vector<std::string_view> classes_;
    std::map<std::string_view, std::optional<std::string_view>> rules_;  // by code; empty: not shown
};

// The submission that a range is of, and what it takes to read it.
struct Source {
    storage::SubmissionId id{};
    storage::SubmissionId origin{};  // what the first node calls it
    storage::rows::Submission row;
};

bool append_line(std::uint64_t position, const storage::rows::RecordBlock::Record& record, const Source& source,
                 const FeedFields& fields, std::string& out) {
    const bool first_version = record.version() == 0;
    const auto named = first_version ? std::optional(source.origin)
                                     : storage::submission_id_from_bytes(as_bytes(record.first_submission()));
    if (!named) {
        return false;
    }
    out += "{\"seq\":" + std::to_string(position) + ",\"op\":";
    out += first_version ? "\"put\"" : record.withdrawal() ? "\"withdraw\"" : "\"correct\"";
    out += ",\"record\":\"" + record_name(*named, first_version ? record.line() : record.first_line());
    out += "\",\"version\":" + std::to_string(first_version ? 1 : record.version());
    out += ",\"submission\":\"" + storage::to_text(source.id) + "\"";
    if (!record.withdrawal()) {
        out += ",\"fields\":";
        if (!fields.append(record.canonical(), out)) {
            return false;
        }
    }
    out += "}\n";
    return true;
}

// The range's submission; it counts, since it has positions.
Result<Source> find_source(const storage::ReadTransaction& transaction, const storage::FeedRange& range) {
    auto row = storage::find_submission(transaction, range.submission);
    if (!row) {
        return row.error();
    }
    if (!*row || !storage::claims_count(**row)) {
        return storage::Errc::corrupt;
    }
    Source source{range.submission, range.submission, std::move(**row)};
    if (const auto origin = storage::submission_id_from_bytes(as_bytes(source.row.origin_submission()))) {
        source.origin = *origin;
    }
    return source;
}

}  // namespace

Result<FeedPage> make_feed_page(const storage::Engine& engine, const Keys& keys, storage::FeedPlaces& places,
                                const FeedPageRequest& request) {
    FeedPage page;
    page.next = request.after;
    std::optional<FeedFields> fields;
    for (std::size_t looked_at = 0; looked_at < kRangesMax; ++looked_at) {
        if (page.count == request.limit || page.text.size() >= kFeedPageSizeBytesMax) {
            break;
        }
        auto snapshot = engine.snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        const auto range = storage::find_feed_range(**snapshot, request.catalog, page.next + 1);
        if (!range) {
            return range.error();
        }
        if (!*range) {
            break;
        }
        const auto source = find_source(**snapshot, **range);
        snapshot->reset();
        if (!source) {
            return source.error();
        }
        auto classes =
            extractable_fields(request.policies.access, request.principal, request.catalog, source->row.unit());
        if (classes.empty()) {
            page.next = (*range)->end() - 1;
            continue;
        }
        if (!fields || fields->classes() != classes) {
            fields.emplace(request.policies, request.catalog, std::move(classes));
        }
        for (const auto shown : fields->classes()) {
            if (std::ranges::find(page.fields, shown) == page.fields.end()) {
                page.fields.emplace_back(shown);
            }
        }
        const auto key = keys.unwrap_data_key(source->row.unit(), source->id, as_bytes(source->row.wrapped_key()));
        if (!key) {
            return key.error();
        }
        const storage::RecordSealer sealer(source->id, key->view());
        bool damaged = false;
        const auto visited = storage::visit_feed(
            engine, places, {**range, page.next + 1, source->row.blocks(), sealer},
            [&](std::uint64_t position, const storage::rows::RecordBlock::Record& record) {
                damaged = !append_line(position, record, *source, *fields, page.text);
                page.next = position;
                ++page.count;
                return !damaged && page.count < request.limit && page.text.size() < kFeedPageSizeBytesMax;
            });
        if (!visited) {
            return visited.error();
        }
        if (damaged) {
            return make_error_code(storage::Errc::corrupt);
        }
    }
    return page;
}

}  // namespace xinfu::vault
