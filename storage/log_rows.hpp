// How the log lies in the engine's tables: keys of entries and tiles, and the one row that says how far it
// is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "crypto/digest.hpp"
#include "storage/ledger.hpp"

namespace xinfu::storage {

using IndexKey = std::array<std::uint8_t, 8>;  // u64 BE: entries, notes, checkpoints
using TileKey = std::array<std::uint8_t, 9>;   // level, u64 BE index

IndexKey index_key(std::uint64_t index);
std::uint64_t parse_index_key(ByteView key);  // of 8 bytes
TileKey tile_key(unsigned level, std::uint64_t index);

// Written in every transaction that appends: what the tree was when it committed.
struct LogState {
    std::uint64_t size = 0;
    Milliseconds time{};  // of the last leaf
    crypto::Digest root{};
};
inline constexpr std::string_view kLogStateKey = "log";  // in Table::meta
Bytes encode_log_state(const LogState& state);
std::optional<LogState> parse_log_state(ByteView bytes);

}  // namespace xinfu::storage
