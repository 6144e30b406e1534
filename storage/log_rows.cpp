#include "storage/log_rows.hpp"

#include <algorithm>
#include <cassert>

#include <boost/endian/conversion.hpp>

namespace xinfu::storage {
namespace {

// Size, time (UTC milliseconds), both BE, root.
constexpr std::size_t kTimeAt = 8;
constexpr std::size_t kRootAt = 16;
constexpr std::size_t kStateSize = kRootAt + sizeof(crypto::Digest);

}  // namespace

IndexKey index_key(std::uint64_t index) {
    IndexKey key;
    boost::endian::store_big_u64(key.data(), index);
    return key;
}

std::uint64_t parse_index_key(ByteView key) {
    assert(key.size() == sizeof(IndexKey));
    return boost::endian::load_big_u64(key.data());
}

TileKey tile_key(unsigned level, std::uint64_t index) {
    TileKey key;
    key[0] = static_cast<std::uint8_t>(level);
    boost::endian::store_big_u64(key.data() + 1, index);
    return key;
}

Bytes encode_log_state(const LogState& state) {
    Bytes bytes(kStateSize);
    boost::endian::store_big_u64(bytes.data(), state.size);
    boost::endian::store_big_s64(bytes.data() + kTimeAt, state.time.time_since_epoch().count());
    std::ranges::copy(state.root, bytes.begin() + kRootAt);
    return bytes;
}

std::optional<LogState> parse_log_state(ByteView bytes) {
    if (bytes.size() != kStateSize) {
        return std::nullopt;
    }
    LogState state;
    state.size = boost::endian::load_big_u64(bytes.data());
    state.time = Milliseconds(std::chrono::milliseconds(boost::endian::load_big_s64(bytes.data() + kTimeAt)));
    std::ranges::copy(bytes.subspan(kRootAt), state.root.begin());
    return state;
}

}  // namespace xinfu::storage
