// Merkle trees: the hashing of the audit log, its proofs, and where its hashes lie in tiles.
//
// Sources: RFC 6962 section 2.1 (hashing), RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verification), C2SP
// tlog-tiles. Threads: free functions; a Frontier belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"

namespace xinfu::crypto {

Digest leaf_hash(ByteView entry);
Digest node_hash(const Digest& left, const Digest& right);
Digest merkle_root(std::span<const Digest> leaf_hashes);  // of no leaves: SHA-256 of nothing

// True when `leaf` is the leaf hash at `index` of the tree of `size` leaves with this root.
bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size, std::span<const Digest> proof,
                      const Digest& root);

// True when the tree (size, root) begins with the tree (old_size, old_root). The proof from an empty tree and
// between equal sizes is empty.
bool verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t size, const Digest& root,
                        std::span<const Digest> proof);

// The right edge of a growing tree: enough to append and to know the root, 32 bytes per level.
class Frontier {
public:
    Frontier() = default;
    // Of a tree of `size` leaves: its complete subtrees, largest first.
    Frontier(std::uint64_t size, std::vector<Digest> subtrees);
    void append(const Digest& leaf) { append_subtree(0, leaf); }
    // Appends the complete subtree of 2^height leaves with this root. size() must be a multiple of 2^height.
    void append_subtree(unsigned height, const Digest& root);
    std::uint64_t size() const { return size_; }
    Digest root() const;

private:
    std::uint64_t size_ = 0;
    std::vector<Digest> subtrees_;  // complete ones, largest first: one for each set bit of size_
};

inline constexpr unsigned kTileHeight = 8;
inline constexpr unsigned kTileWidth = 256;               // hashes in a full tile
inline constexpr std::size_t kEntrySizeBytesMax = 65535;  // an entry's length is a u16 in its bundle

struct TileCoordinates {
    bool entries = false;  // an entry bundle rather than a tile of hashes
    unsigned level = 0;    // 0..63; 0 for bundles
    std::uint64_t index = 0;
    unsigned width = kTileWidth;  // 1..256
    bool operator==(const TileCoordinates&) const = default;
};
// "tile/0/x001/x234/067", "tile/entries/000.p/17": without a slash in front.
std::string tile_path(const TileCoordinates& tile);
std::optional<TileCoordinates> parse_tile_path(std::string_view path);  // the canonical form only

// How many hashes tile `index` of `level` holds in a tree of `size` leaves: 0..256.
unsigned tile_width(unsigned level, std::uint64_t index, std::uint64_t size);

}  // namespace xinfu::crypto
