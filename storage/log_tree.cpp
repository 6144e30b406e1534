#include "storage/log_tree.hpp"

#include <algorithm>
#include <cassert>

namespace xinfu::storage {

static_assert(sizeof(crypto::Digest) == 32);

void TileNodes::append(const crypto::Digest& digest) {
    assert(!full());
    unsigned index = width_++;
    nodes_[index] = digest;
    // Two finished neighbours finish the node above them.
    for (unsigned height = 0; (index & 1) != 0; ++height, index >>= 1) {
        nodes_[start(height + 1) + (index >> 1)] = crypto::node_hash(at(height, index - 1), at(height, index));
    }
}

Bytes TileNodes::bytes(unsigned width) const {
    assert(width <= width_);
    Bytes bytes(std::size_t{width} * sizeof(crypto::Digest));
    auto out = bytes.begin();
    for (unsigned i = 0; i < width; ++i) {
        out = std::ranges::copy(nodes_[i], out).out;
    }
    return bytes;
}

std::optional<TileNodes> TileNodes::parse(ByteView bytes) {
    constexpr std::size_t kDigestSize = sizeof(crypto::Digest);
    if (bytes.size() % kDigestSize != 0 || bytes.size() > crypto::kTileWidth * kDigestSize) {
        return std::nullopt;
    }
    std::optional<TileNodes> tile(std::in_place);
    for (std::size_t at = 0; at < bytes.size(); at += kDigestSize) {
        crypto::Digest digest;
        std::ranges::copy(bytes.subspan(at, kDigestSize), digest.begin());
        tile->append(digest);
    }
    return tile;
}

void RightEdge::append(const crypto::Digest& leaf, const TileVisitor& on_full) {
    ++size_;
    crypto::Digest digest = leaf;
    for (std::size_t level = 0;; ++level) {
        if (level == tiles_.size()) {
            tiles_.emplace_back();
        }
        tiles_[level].append(digest);
        if (!tiles_[level].full()) {
            return;
        }
        on_full(static_cast<unsigned>(level), edge_index(level) - 1, tiles_[level]);
        digest = tiles_[level].at(crypto::kTileHeight, 0);
        tiles_[level] = TileNodes();
    }
}

crypto::Digest RightEdge::root() const {
    // Complete subtrees from the smallest, rightmost, to the largest: one for each set bit of the size.
    std::optional<crypto::Digest> root;
    for (const TileNodes& tile : tiles_) {
        for (unsigned height = 0; height < crypto::kTileHeight; ++height) {
            if ((tile.width() >> height & 1) == 0) {
                continue;
            }
            const crypto::Digest& subtree = tile.at(height, (tile.width() >> height) - 1);
            root = root ? crypto::node_hash(subtree, *root) : subtree;
        }
    }
    return root ? *root : crypto::sha256({});
}

RightEdge RightEdge::restore(std::uint64_t size, std::vector<TileNodes> tiles) {
    RightEdge edge;
    edge.size_ = size;
    edge.tiles_ = std::move(tiles);
    for (std::size_t level = 0; level < edge.tiles_.size(); ++level) {
        assert(edge.tiles_[level].width() ==
               crypto::tile_width(static_cast<unsigned>(level), edge.edge_index(level), size));
    }
    return edge;
}

}  // namespace xinfu::storage
