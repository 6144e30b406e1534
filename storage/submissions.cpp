#include "storage/submissions.hpp"

#include <algorithm>

#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

Bytes numbered(const SubmissionId& id, std::uint32_t number) {
    Bytes key(id.begin(), id.end());
    codec::append_big(key, number);
    return key;
}

crypto::Digest name_key(ByteView index_key, std::string_view unit, std::string_view catalog, std::string_view name) {
    Bytes message;
    for (const auto part : {std::string_view("name"), unit, catalog, name}) {
        codec::append_part(message, as_bytes(part));
    }
    return crypto::hmac_sha256(index_key, message);
}

crypto::Digest origin_key(ByteView index_key, std::string_view unit, std::string_view catalog,
                          const SubmissionId& origin) {
    Bytes message;
    for (const auto part : {std::string_view("origin"), unit, catalog}) {
        codec::append_part(message, as_bytes(part));
    }
    codec::append_part(message, origin);
    return crypto::hmac_sha256(index_key, message);
}

crypto::Digest refusal_key(ByteView index_key, const RefusedContent& content) {
    Bytes message;
    for (const auto part : {std::string_view("content"), content.unit, content.catalog, content.catalog_version,
                            content.name, content.account}) {
        codec::append_part(message, as_bytes(part));
    }
    codec::append_part(message, content.content_digest);
    return crypto::hmac_sha256(index_key, message);
}

Result<std::optional<SubmissionId>> find_id(const ReadTransaction& transaction, Table table,
                                            const crypto::Digest& key) {
    const auto value = transaction.get(table, key);
    if (!value) {
        return value.error();
    }
    if (!*value) {
        return std::optional<SubmissionId>{};
    }
    const auto id = submission_id_from_bytes(**value);
    if (!id) {
        return Errc::corrupt;
    }
    return id;
}

}  // namespace

SubmissionId make_submission_id(std::int64_t time_ms, const std::array<std::uint8_t, 10>& random) {
    SubmissionId id{};
    const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(time_ms, 0));
    for (std::size_t i = 0; i < 6; ++i) {
        id[i] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
    }
    std::copy(random.begin(), random.end(), id.begin() + 6);
    return id;
}

std::string to_text(const SubmissionId& id) {
    return to_hex(id);
}

std::optional<SubmissionId> submission_id_from_text(std::string_view text) {
    const auto bytes = from_hex(text);
    return bytes ? submission_id_from_bytes(*bytes) : std::nullopt;
}

std::optional<SubmissionId> submission_id_from_bytes(ByteView bytes) {
    SubmissionId id{};
    if (bytes.size() != id.size()) {
        return std::nullopt;
    }
    std::copy(bytes.begin(), bytes.end(), id.begin());
    return id;
}

Result<std::optional<rows::Submission>> find_submission(const ReadTransaction& transaction, const SubmissionId& id) {
    return codec::read<rows::Submission>(transaction, Table::submissions, id);
}

Result<void> put_submission(WriteTransaction& transaction, const SubmissionId& id, const rows::Submission& row) {
    return codec::write(transaction, Table::submissions, id, row);
}

Result<std::optional<IdentifiedSubmission>> first_submission(const ReadTransaction& transaction,
                                                             const SubmissionId& from) {
    std::optional<IdentifiedSubmission> found;
    boost::system::error_code failed;
    const auto visited = transaction.visit(Table::submissions, {}, from, [&](ByteView key, ByteView value) {
        const auto id = submission_id_from_bytes(key);
        auto row = codec::parse<rows::Submission>(value);
        if (id && row) {
            found = IdentifiedSubmission{*id, std::move(*row)};
        } else {
            failed = Errc::corrupt;
        }
        return false;
    });
    if (!visited || failed) {
        return visited ? failed : visited.error();
    }
    return found;
}

bool advance(SubmissionId& id) {
    for (auto octet = id.rbegin(); octet != id.rend(); ++octet) {
        if (++*octet != 0) {
            return true;
        }
    }
    return false;
}

bool claims_count(const rows::Submission& row) {
    return row.state() == rows::Submission::ACCEPTED || row.state() == rows::Submission::WITHDRAWN;
}

std::string_view to_text(rows::Submission::State state) {
    switch (state) {
        case rows::Submission::PENDING: return "pending";
        case rows::Submission::ACCEPTED: return "accepted";
        case rows::Submission::REFUSED: return "refused";
        case rows::Submission::WITHDRAWN: return "withdrawn";
        default: return {};
    }
}

Result<std::optional<SubmissionId>> find_name(const ReadTransaction& transaction, ByteView index_key,
                                              std::string_view unit, std::string_view catalog, std::string_view name) {
    return find_id(transaction, Table::submission_names, name_key(index_key, unit, catalog, name));
}

Result<void> put_name(WriteTransaction& transaction, ByteView index_key, std::string_view unit,
                      std::string_view catalog, std::string_view name, const SubmissionId& id) {
    return transaction.put(Table::submission_names, name_key(index_key, unit, catalog, name), id);
}

Result<void> erase_name(WriteTransaction& transaction, ByteView index_key, std::string_view unit,
                        std::string_view catalog, std::string_view name) {
    return transaction.erase(Table::submission_names, name_key(index_key, unit, catalog, name));
}

Result<std::optional<SubmissionId>> find_origin(const ReadTransaction& transaction, ByteView index_key,
                                                std::string_view unit, std::string_view catalog,
                                                const SubmissionId& origin) {
    return find_id(transaction, Table::submission_names, origin_key(index_key, unit, catalog, origin));
}

Result<void> put_origin(WriteTransaction& transaction, ByteView index_key, std::string_view unit,
                        std::string_view catalog, const SubmissionId& origin, const SubmissionId& id) {
    const auto key = origin_key(index_key, unit, catalog, origin);
    const auto taken = transaction.contains(Table::submission_names, key);
    if (!taken) {
        return taken.error();
    }
    return *taken ? Result<void>{} : transaction.put(Table::submission_names, key, id);
}

Result<std::optional<SubmissionId>> find_refusal(const ReadTransaction& transaction, ByteView index_key,
                                                 const RefusedContent& content) {
    return find_id(transaction, Table::submission_contents, refusal_key(index_key, content));
}

Result<void> put_refusal(WriteTransaction& transaction, ByteView index_key, const RefusedContent& content,
                         const SubmissionId& id) {
    return transaction.put(Table::submission_contents, refusal_key(index_key, content), id);
}

Result<void> put_defect_part(WriteTransaction& transaction, const SubmissionId& id, std::uint32_t part,
                             const rows::DefectPart& defects) {
    return codec::write(transaction, Table::defects, numbered(id, part), defects);
}

Result<void> visit_defects(const ReadTransaction& transaction, const SubmissionId& id,
                           const std::function<bool(const rows::Defect&)>& visitor) {
    const auto visit_part = [&](ByteView, const rows::DefectPart& part) {
        return std::all_of(part.defects().begin(), part.defects().end(), visitor);
    };
    return codec::visit<rows::DefectPart>(transaction, Table::defects, id, {}, visit_part);
}

Result<std::uint64_t> append_feed(WriteTransaction& transaction, std::string_view catalog, const SubmissionId& id,
                                  std::uint64_t count) {
    Bytes key;
    codec::append_text(key, catalog);
    const Bytes prefix = key;
    std::uint64_t next = 1;
    bool corrupt = false;
    const auto visit_last = [&](ByteView found, ByteView value) {
        const auto row = codec::parse<rows::FeedRange>(value);
        if (!row || found.size() != prefix.size() + 8) {
            corrupt = true;
        } else {
            next = codec::load_big<std::uint64_t>(found.data() + prefix.size()) + row->count();
        }
        return false;
    };
    Bytes last = prefix;
    codec::append_big(last, ~std::uint64_t{0});
    const auto visited = transaction.visit(Table::feeds, prefix, last, visit_last, true);
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    rows::FeedRange range;
    range.set_submission(id.data(), id.size());
    range.set_count(count);
    codec::append_big(key, next);
    const auto written = codec::write(transaction, Table::feeds, key, range);
    if (!written) {
        return written.error();
    }
    return next;
}

Result<void> put_staging(WriteTransaction& transaction, const SubmissionId& id, const rows::Staging& staging) {
    return codec::write(transaction, Table::staged, id, staging);
}

Result<std::optional<rows::Staging>> find_staging(const ReadTransaction& transaction, const SubmissionId& id) {
    return codec::read<rows::Staging>(transaction, Table::staged, id);
}

Result<void> erase_staging(WriteTransaction& transaction, const SubmissionId& id) {
    return transaction.erase(Table::staged, id);
}

Result<std::vector<SubmissionId>> staged_submissions(const ReadTransaction& transaction, const SubmissionId& from,
                                                     std::size_t max) {
    std::vector<SubmissionId> found;
    Bytes next(from.begin(), from.end());
    // Notes of clashes share the table: each visit looks at one submission and the next begins behind it.
    while (found.size() < max) {
        std::optional<SubmissionId> seen;
        const auto visit_one = [&](ByteView key, ByteView) {
            seen = submission_id_from_bytes(key.first(std::min(key.size(), SubmissionId{}.size())));
            return false;
        };
        const auto visited = transaction.visit(Table::staged, {}, next, visit_one);
        if (!visited) {
            return visited.error();
        }
        if (!seen) {
            break;
        }
        found.push_back(*seen);
        next.assign(seen->begin(), seen->end());
        next.insert(next.end(), 53, 0xff);  // longer than any note's key behind the same id
    }
    return found;
}

Result<void> put_object(WriteTransaction& transaction, ByteView object_id, const rows::Object& row) {
    return codec::write(transaction, Table::objects, object_id, row);
}

Result<void> erase_object(WriteTransaction& transaction, ByteView object_id) {
    return transaction.erase(Table::objects, object_id);
}

Result<bool> object_is_named(const ReadTransaction& transaction, ByteView object_id) {
    return transaction.contains(Table::objects, object_id);
}

}  // namespace xinfu::storage
