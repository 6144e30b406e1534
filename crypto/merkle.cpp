#include "crypto/merkle.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <charconv>

namespace xinfu::crypto {
namespace {

constexpr std::uint8_t kLeafPrefix = 0x00;  // RFC 6962 section 2.1: leaves and nodes never hash alike
constexpr std::uint8_t kNodePrefix = 0x01;

bool is_power_of_two(std::uint64_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

}  // namespace

Digest leaf_hash(ByteView entry) {
    thread_local Sha256 state;
    state.update({&kLeafPrefix, 1});
    state.update(entry);
    return state.finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
    std::array<std::uint8_t, 65> bytes;
    bytes[0] = kNodePrefix;
    std::ranges::copy(left, bytes.begin() + 1);
    std::ranges::copy(right, bytes.begin() + 33);
    return sha256(bytes);
}

Digest merkle_root(std::span<const Digest> leaf_hashes) {
    Frontier frontier;
    for (const Digest& leaf : leaf_hashes) {
        frontier.append(leaf);
    }
    return frontier.root();
}

bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> proof,
                      const Digest& root) {
    if (index >= size) {
        return false;
    }
    std::uint64_t fn = index;  // RFC 9162 section 2.1.3.2: position of the node so far, and of the last one
    std::uint64_t sn = size - 1;
    Digest hash = leaf;
    for (const Digest& sibling : proof) {
        if (sn == 0) {
            return false;
        }
        if ((fn & 1) != 0 || fn == sn) {
            hash = node_hash(sibling, hash);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hash = node_hash(hash, sibling);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && equal_constant_time(hash, root);
}

bool verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t size, const Digest& root,
                        std::span<const Digest> proof) {
    if (old_size > size) {
        return false;
    }
    if (old_size == size) {
        return proof.empty() && old_root == root;
    }
    if (old_size == 0) {
        return proof.empty() && old_root == sha256({});
    }
    // RFC 9162 section 2.1.4.2. A complete old tree is its own first node and is left out of the proof.
    const bool implied = is_power_of_two(old_size);
    if (!implied && proof.empty()) {
        return false;
    }
    std::uint64_t fn = old_size - 1;
    std::uint64_t sn = size - 1;
    while ((fn & 1) != 0) {
        fn >>= 1;
        sn >>= 1;
    }
    Digest old_hash = implied ? old_root : proof.front();
    Digest hash = old_hash;
    for (const Digest& node : proof.subspan(implied ? 0 : 1)) {
        if (sn == 0) {
            return false;
        }
        if ((fn & 1) != 0 || fn == sn) {
            old_hash = node_hash(node, old_hash);
            hash = node_hash(node, hash);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hash = node_hash(hash, node);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && old_hash == old_root && hash == root;
}

Frontier::Frontier(std::uint64_t size, std::vector<Digest> subtrees) : size_(size), subtrees_(std::move(subtrees)) {
    assert(subtrees_.size() == static_cast<std::size_t>(std::popcount(size_)));
}

void Frontier::append_subtree(unsigned height, const Digest& root) {
    assert(height < 64 && size_ % (std::uint64_t{1} << height) == 0);
    Digest hash = root;
    for (std::uint64_t rest = size_ >> height; (rest & 1) != 0; rest >>= 1) {
        hash = node_hash(subtrees_.back(), hash);
        subtrees_.pop_back();
    }
    subtrees_.push_back(hash);
    size_ += std::uint64_t{1} << height;
    assert(subtrees_.size() == static_cast<std::size_t>(std::popcount(size_)));
}

Digest Frontier::root() const {
    if (subtrees_.empty()) {
        return sha256({});
    }
    Digest hash = subtrees_.back();
    for (auto left = subtrees_.rbegin() + 1; left != subtrees_.rend(); ++left) {
        hash = node_hash(*left, hash);
    }
    return hash;
}

std::string tile_path(const TileCoordinates& tile) {
    assert(tile.width >= 1 && tile.width <= kTileWidth && tile.level <= 63);
    std::string path = tile.entries ? "tile/entries/" : "tile/" + std::to_string(tile.level) + "/";
    std::string digits = std::to_string(tile.index);
    digits.insert(0, (3 - digits.size() % 3) % 3, '0');
    for (std::size_t i = 0; i < digits.size(); i += 3) {
        if (i != 0) {
            path += '/';
        }
        if (i + 3 < digits.size()) {
            path += 'x';
        }
        path.append(digits, i, 3);
    }
    if (tile.width != kTileWidth) {
        path += ".p/" + std::to_string(tile.width);
    }
    return path;
}

std::optional<TileCoordinates> parse_tile_path(std::string_view path) {
    static constexpr std::string_view kPrefix = "tile/";
    static constexpr std::size_t kPathSizeMax = 64;
    const std::string_view whole = path;
    const auto number = [](std::string_view text, auto& value) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc{} && end == text.data() + text.size();
    };
    if (path.size() > kPathSizeMax || !path.starts_with(kPrefix)) {
        return std::nullopt;
    }
    path.remove_prefix(kPrefix.size());
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    TileCoordinates tile;
    if (path.substr(0, slash) == "entries") {
        tile.entries = true;
    } else if (!number(path.substr(0, slash), tile.level) || tile.level > 63) {
        return std::nullopt;
    }
    path.remove_prefix(slash + 1);
    if (const auto partial = path.find(".p/"); partial != std::string_view::npos) {
        if (!number(path.substr(partial + 3), tile.width) || tile.width < 1 || tile.width >= kTileWidth) {
            return std::nullopt;
        }
        path = path.substr(0, partial);
    }
    std::string digits;
    for (const char c : path) {
        if (c >= '0' && c <= '9') {
            digits.push_back(c);
        } else if (c != 'x' && c != '/') {
            return std::nullopt;
        }
    }
    if (!number(digits, tile.index)) {
        return std::nullopt;
    }
    // Whatever leads back to another text was not canonical.
    if (tile_path(tile) != whole) {
        return std::nullopt;
    }
    return tile;
}

unsigned tile_width(unsigned level, std::uint64_t index, std::uint64_t size) {
    const unsigned shift = kTileHeight * level;
    const std::uint64_t hashes = shift >= 64 ? 0 : size >> shift;  // complete nodes at this level
    const std::uint64_t full_tiles = hashes / kTileWidth;
    if (index < full_tiles) {
        return kTileWidth;
    }
    return index == full_tiles ? static_cast<unsigned>(hashes % kTileWidth) : 0;
}

}  // namespace xinfu::crypto
