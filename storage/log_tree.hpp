// The growing side of the log's tree in memory: its last, partial tile on every level with all inner nodes,
// so that appending a leaf costs one hash on average and a proof for a fresh leaf none.
//
// Sources: RFC 6962 section 2.1; C2SP tlog-tiles for what a tile holds.
// Threads: values; whoever shares one shares it const.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "crypto/digest.hpp"
#include "crypto/merkle.hpp"

namespace xinfu::storage {

// A tile of up to 256 hashes and every complete node above them inside the tile.
class TileNodes {
public:
    unsigned width() const { return width_; }
    bool full() const { return width_ == crypto::kTileWidth; }
    // `height` 0..8 within the tile. The node must be complete.
    const crypto::Digest& at(unsigned height, unsigned index) const { return nodes_[start(height) + index]; }
    void append(const crypto::Digest& digest);
    // The tile's bytes: its first `width` hashes.
    Bytes bytes(unsigned width) const;
    // From stored bytes, a multiple of 32 and at most 8192; an empty optional otherwise.
    static std::optional<TileNodes> parse(ByteView bytes);

private:
    static constexpr std::size_t start(unsigned height) {
        return 2 * crypto::kTileWidth - (2 * crypto::kTileWidth >> height);
    }
    std::array<crypto::Digest, 2 * crypto::kTileWidth - 1> nodes_;
    unsigned width_ = 0;
};

class RightEdge {
public:
    using TileVisitor = std::function<void(unsigned level, std::uint64_t index, const TileNodes& tile)>;

    std::uint64_t size() const { return size_; }
    crypto::Digest root() const;
    // `on_full` sees each tile that this leaf completes, before it leaves the edge.
    void append(const crypto::Digest& leaf, const TileVisitor& on_full);

    std::size_t levels() const { return tiles_.size(); }
    // The partial tile of a level; its index in the tree is edge_index().
    const TileNodes& tile(std::size_t level) const { return tiles_[level]; }
    std::uint64_t edge_index(std::size_t level) const {
        const std::size_t shift = (level + 1) * crypto::kTileHeight;
        return shift >= 64 ? 0 : size_ >> shift;
    }

    // Built again from its tiles, lowest level first, of a tree of `size` leaves. The widths must be those of
    // that size.
    static RightEdge restore(std::uint64_t size, std::vector<TileNodes> tiles);

private:
    std::uint64_t size_ = 0;
    std::vector<TileNodes> tiles_;
};

}  // namespace xinfu::storage
