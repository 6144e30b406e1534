// Rows as bytes: how a typed row is read from and written to a table, and how keys are put together.
//
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  those of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <boost/endian/conversion.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "storage/engine.hpp"
#include "storage/error.hpp"

namespace xinfu::storage::codec {

template <class Row>
Result<Row> parse(ByteView value) {
    Row row;
    if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
        return Errc::corrupt;
    }
    return row;
}

template <class Row>
Result<std::optional<Row>> read(const ReadTransaction& transaction, Table table, ByteView key) {
    const auto value = transaction.get(table, key);
    if (!value) {
        return value.error();
    }
    if (!*value) {
        return std::optional<Row>{};
    }
    auto row = parse<Row>(**value);
    if (!row) {
        return row.error();
    }
    return std::optional<Row>{std::move(*row)};
}

template <class Row>
Result<void> write(WriteTransaction& transaction, Table table, ByteView key, const Row& row) {
    const std::string bytes = row.SerializeAsString();
    return transaction.put(table, key, as_bytes(bytes));
}

// Visits rows; the visitor gets what follows `prefix` in the key, and the parsed row.
template <class Row, class Visitor>
Result<void> visit(const ReadTransaction& transaction, Table table, ByteView prefix, ByteView from,
                   const Visitor& visitor) {
    bool corrupt = false;
    const auto visited = transaction.visit(table, prefix, from, [&](ByteView key, ByteView value) {
        const auto row = parse<Row>(value);
        if (!row) {
            corrupt = true;
            return false;
        }
        return visitor(key.subspan(prefix.size()), *row);
    });
    if (!visited) {
        return visited.error();
    }
    if (corrupt) {
        return Errc::corrupt;
    }
    return {};
}

inline void append(Bytes& key, ByteView bytes) {
    key.insert(key.end(), bytes.begin(), bytes.end());
}

// Text in a key ends with a zero byte, which no text in a key contains.
inline void append_text(Bytes& key, std::string_view text) {
    append(key, as_bytes(text));
    key.push_back(0);
}

template <class Integer>
void append_big(Bytes& key, Integer number) {
    std::uint8_t bytes[sizeof(Integer)];
    boost::endian::endian_store<Integer, sizeof(Integer), boost::endian::order::big>(bytes, number);
    append(key, bytes);
}

template <class Integer>
Integer load_big(const std::uint8_t* bytes) {
    return boost::endian::endian_load<Integer, sizeof(Integer), boost::endian::order::big>(bytes);
}

// For keyed digests: each part behind its length, so that no two lists of parts read the same.
inline void append_part(Bytes& message, ByteView part) {
    append_big(message, static_cast<std::uint32_t>(part.size()));
    append(message, part);
}

}  // namespace xinfu::storage::codec
