#include "storage/leaf.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "crypto/merkle.hpp"
#include "storage/error.hpp"
#include "storage/log_rows.hpp"
#include "storage/log_rows.pb.h"

namespace xinfu::storage {
namespace {

constexpr std::int64_t kLeafVersion = 1;

std::int64_t integer(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

Bytes joined(ByteView first, ByteView second) {
    Bytes bytes;
    bytes.reserve(first.size() + second.size());
    bytes.insert(bytes.end(), first.begin(), first.end());
    bytes.insert(bytes.end(), second.begin(), second.end());
    return bytes;
}

void put_object(crypto::JsonObject& json, const LeafObject& object) {
    if (object.type.empty()) {
        return;
    }
    crypto::JsonObject members;
    members.text("type", object.type).text_if("id", object.id);
    if (object.digest) {
        members.text("digest", to_hex(*object.digest));
    }
    if (object.content) {
        members.text("content", to_hex(*object.content));
    }
    json.object("object", members);
}

void put_counts(crypto::JsonObject& json, const LeafCounts& counts) {
    crypto::JsonObject members;
    members.number("records", integer(counts.records))
        .number("stored", integer(counts.stored))
        .number("duplicate", integer(counts.duplicate))
        .number("defective", integer(counts.defective))
        .number("warned", integer(counts.warned));
    json.object("counts", members);
}

void put_origin(crypto::JsonObject& json, const LeafOrigin& origin) {
    crypto::JsonObject members;
    members.text("node", origin.node).number("index", integer(origin.index)).text("digest", to_hex(origin.digest));
    json.object("origin", members);
}

std::string encode_notes(const LeafNotes& notes) {
    rows::LeafNotes row;
    row.set_subject(notes.subject);
    row.set_name(notes.name);
    row.set_purpose(notes.purpose);
    row.set_detail(notes.detail);
    return row.SerializeAsString();
}

}  // namespace

std::string format_time(Milliseconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

Result<Bytes> encode_leaf(const Leaf& leaf, const LeafNotes& notes, std::string_view node, Milliseconds time,
                          const LeafSalt& salt, ByteView index_key) {
    crypto::JsonObject json;
    json.number("v", kLeafVersion)
        .text("time", format_time(time))
        .text("node", node)
        .text("action", leaf.action)
        .text("result", leaf.result)
        .text_if("code", leaf.code)
        .text_if("principal", leaf.principal)
        .text_if("unit", leaf.unit)
        .text_if("role", leaf.role)
        .text_if("source", leaf.source)
        .text_if("catalog", leaf.catalog)
        .text_if("approval", leaf.approval)
        .text_if("reason", leaf.reason)
        .text("salt", to_base64(salt));
    put_object(json, leaf.object);
    if (leaf.counts) {
        put_counts(json, *leaf.counts);
    }
    if (leaf.origin) {
        put_origin(json, *leaf.origin);
    }
    if (!notes.name.empty()) {
        json.text("name", to_hex(crypto::sha256(joined(salt, as_bytes(notes.name)))));
    }
    if (!notes.purpose.empty()) {
        json.text("purpose", to_hex(crypto::sha256(joined(salt, as_bytes(notes.purpose)))));
    }
    if (!notes.subject.empty()) {
        assert(!index_key.empty());
        json.text("subject", to_hex(crypto::hmac_sha256(index_key, joined(as_bytes(notes.subject), salt))));
    }
    if (leaf.count > 1) {
        json.number("count", integer(leaf.count));
    }
    const std::string text = json.encode();
    if (text.size() > crypto::kEntrySizeBytesMax) {
        return Errc::too_large;
    }
    return to_bytes(text);
}

LeafWriter::LeafWriter(std::string node, Bytes index_key, crypto::RandomSource& random)
    : node_(std::move(node)), index_key_(std::move(index_key)), random_(random) {}

std::uint64_t LeafWriter::append(Batch& batch, const Leaf& leaf, const LeafNotes& notes, Bytes* entry) const {
    const auto salt = random_.array<std::tuple_size_v<LeafSalt>>();
    auto bytes = encode_leaf(leaf, notes, node_, batch.time(), salt, index_key_);
    assert(bytes.has_value());
    const std::uint64_t index = batch.append_leaf(*bytes);
    if (!notes.empty()) {
        // A failed write is kept by the batch, which then does not commit.
        (void)batch.transaction()
            .put(Table::log_notes, storage::index_key(index), as_bytes(encode_notes(notes)))
            .has_value();
    }
    if (observer_) {
        observer_(leaf, index);
    }
    if (entry != nullptr) {
        *entry = std::move(*bytes);
    }
    return index;
}

Result<LeafNotes> read_leaf_notes(const ReadTransaction& transaction, std::uint64_t index) {
    const auto row = transaction.get(Table::log_notes, storage::index_key(index));
    if (!row) {
        return row.error();
    }
    LeafNotes notes;
    if (!row->has_value()) {
        return notes;
    }
    rows::LeafNotes stored;
    if (!stored.ParseFromArray((*row)->data(), static_cast<int>((*row)->size()))) {
        return Errc::corrupt;
    }
    notes.subject = stored.subject();
    notes.name = stored.name();
    notes.purpose = stored.purpose();
    notes.detail = stored.detail();
    return notes;
}

}  // namespace xinfu::storage
