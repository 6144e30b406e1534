#include "storage/tree_reader.hpp"

#include <bit>
#include <cassert>
#include <optional>

#include "storage/error.hpp"
#include "storage/log_rows.hpp"

namespace xinfu::storage {
namespace {

constexpr std::size_t kRecentTilesMax = 128;  // of 16 KiB: tiles a batch just filled, and what old receipts need

// Where a tree of `count` > 1 leaves splits: the largest power of two below it, RFC 6962 section 2.1.
std::uint64_t split(std::uint64_t count) {
    return std::bit_ceil(count) / 2;
}

}  // namespace

// One request's way through the tree: a fixed size, one snapshot (opened only when a tile is not in memory),
// and the first error, after which all answers are void.
class DurableTree::Walk {
public:
    explicit Walk(const DurableTree& tree) : tree_(tree), edge_(tree.edge()) {}

    std::uint64_t durable_size() const { return edge_->size(); }
    boost::system::error_code error() const { return error_; }

    std::shared_ptr<const TileNodes> tile(unsigned level, std::uint64_t index) {
        const TilePosition position{level, index};
        if (level < edge_->levels() && index == edge_->edge_index(level)) {
            return {edge_, &edge_->tile(level)};
        }
        if (auto nodes = tree_.cached(position)) {
            return nodes;
        }
        auto nodes = load(level, index);
        if (nodes != nullptr) {
            tree_.keep(position, nodes);
        }
        return nodes;
    }

    // The hash over leaves [first, last), which is a subtree of the tree of some size up to the durable one.
    crypto::Digest subtree(std::uint64_t first, std::uint64_t last) {
        const std::uint64_t count = last - first;
        if (std::has_single_bit(count)) {
            return node(static_cast<unsigned>(std::countr_zero(count)), first / count);
        }
        const std::uint64_t middle = first + split(count);
        const crypto::Digest left = subtree(first, middle);
        return crypto::node_hash(left, subtree(middle, last));
    }

    // RFC 6962 section 2.1.1: from the leaf up.
    void path(std::uint64_t index, std::uint64_t first, std::uint64_t last, std::vector<crypto::Digest>& out) {
        if (last - first <= 1) {
            return;
        }
        const std::uint64_t middle = first + split(last - first);
        if (index < middle) {
            path(index, first, middle, out);
            out.push_back(subtree(middle, last));
        } else {
            path(index, middle, last, out);
            out.push_back(subtree(first, middle));
        }
    }

    // RFC 6962 section 2.1.2, SUBPROOF; `whole` while the old tree is a prefix that the verifier can name.
    void subproof(std::uint64_t old_size, std::uint64_t first, std::uint64_t last, bool whole,
                  std::vector<crypto::Digest>& out) {
        if (old_size == last) {
            if (!whole) {
                out.push_back(subtree(first, last));
            }
            return;
        }
        const std::uint64_t middle = first + split(last - first);
        if (old_size <= middle) {
            subproof(old_size, first, middle, whole, out);
            out.push_back(subtree(middle, last));
        } else {
            subproof(old_size, middle, last, false, out);
            out.push_back(subtree(first, middle));
        }
    }

    ReadTransaction* snapshot() {
        if (snapshot_ == nullptr) {
            auto opened = tree_.engine_.snapshot();
            if (!opened) {
                error_ = opened.error();
                return nullptr;
            }
            snapshot_ = std::move(*opened);
        }
        return snapshot_.get();
    }

private:
    // A complete node: `index`-th of its height, counted from the leaves.
    crypto::Digest node(unsigned height, std::uint64_t index) {
        if (error_) {
            return {};
        }
        const unsigned level = height / crypto::kTileHeight;
        const unsigned inner = height % crypto::kTileHeight;
        const std::uint64_t per_tile = crypto::kTileWidth >> inner;
        const auto nodes = tile(level, index / per_tile);
        return nodes != nullptr ? nodes->at(inner, static_cast<unsigned>(index % per_tile)) : crypto::Digest{};
    }

    std::shared_ptr<const TileNodes> load(unsigned level, std::uint64_t index) {
        const ReadTransaction* const reader = snapshot();
        if (reader == nullptr) {
            return nullptr;
        }
        const auto row = reader->get(Table::log_tiles, tile_key(level, index));
        if (!row) {
            error_ = row.error();
            return nullptr;
        }
        auto nodes = row->has_value() ? TileNodes::parse(**row) : std::nullopt;
        if (!nodes || !nodes->full()) {
            error_ = Errc::corrupt;
            return nullptr;
        }
        return std::make_shared<const TileNodes>(std::move(*nodes));
    }

    const DurableTree& tree_;
    std::shared_ptr<const RightEdge> edge_;
    std::unique_ptr<ReadTransaction> snapshot_;
    boost::system::error_code error_;
};

DurableTree::DurableTree(const Engine& engine) : engine_(engine), edge_(std::make_shared<const RightEdge>()) {}

void DurableTree::publish(std::shared_ptr<const RightEdge> edge, const std::vector<FullTile>& completed) {
    for (const FullTile& tile : completed) {
        keep({tile.level, tile.index}, tile.nodes);
    }
    const std::lock_guard lock(mutex_);
    edge_ = std::move(edge);
}

std::shared_ptr<const RightEdge> DurableTree::edge() const {
    const std::lock_guard lock(mutex_);
    return edge_;
}

std::shared_ptr<const TileNodes> DurableTree::cached(const TilePosition& position) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_position_.find(position);
    if (found == by_position_.end()) {
        return nullptr;
    }
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->second;
}

void DurableTree::keep(const TilePosition& position, std::shared_ptr<const TileNodes> nodes) const {
    const std::lock_guard lock(mutex_);
    if (by_position_.contains(position)) {
        return;
    }
    recent_.emplace_front(position, std::move(nodes));
    by_position_.emplace(position, recent_.begin());
    if (recent_.size() > kRecentTilesMax) {
        by_position_.erase(recent_.back().first);
        recent_.pop_back();
    }
}

Result<std::vector<crypto::Digest>> DurableTree::inclusion_proof(std::uint64_t index, std::uint64_t size) const {
    Walk walk(*this);
    if (index >= size || size > walk.durable_size()) {
        return Errc::not_found;
    }
    std::vector<crypto::Digest> proof;
    walk.path(index, 0, size, proof);
    if (walk.error()) {
        return walk.error();
    }
    return proof;
}

Result<std::vector<crypto::Digest>> DurableTree::consistency_proof(std::uint64_t old_size, std::uint64_t size) const {
    Walk walk(*this);
    if (old_size > size || size > walk.durable_size()) {
        return Errc::not_found;
    }
    std::vector<crypto::Digest> proof;
    if (old_size != 0 && old_size != size) {
        walk.subproof(old_size, 0, size, true, proof);
    }
    if (walk.error()) {
        return walk.error();
    }
    return proof;
}

Result<crypto::Digest> DurableTree::root(std::uint64_t size) const {
    Walk walk(*this);
    if (size > walk.durable_size()) {
        return Errc::not_found;
    }
    const crypto::Digest root = size == 0 ? crypto::sha256({}) : walk.subtree(0, size);
    if (walk.error()) {
        return walk.error();
    }
    return root;
}

Result<Bytes> DurableTree::tile(unsigned level, std::uint64_t index, unsigned width) const {
    Walk walk(*this);
    if (width == 0 || width > crypto::tile_width(level, index, walk.durable_size())) {
        return Errc::not_found;
    }
    const auto nodes = walk.tile(level, index);
    if (nodes == nullptr) {
        return walk.error();
    }
    return nodes->bytes(width);
}

Result<Bytes> DurableTree::entries(std::uint64_t index, unsigned width) const {
    Walk walk(*this);
    if (width == 0 || width > crypto::tile_width(0, index, walk.durable_size())) {
        return Errc::not_found;
    }
    const ReadTransaction* const reader = walk.snapshot();
    if (reader == nullptr) {
        return walk.error();
    }
    const std::uint64_t first = index * crypto::kTileWidth;
    std::uint64_t expected = first;
    Bytes bundle;
    const auto visited = reader->visit(Table::log_entries, {}, index_key(first), [&](ByteView key, ByteView entry) {
        if (parse_index_key(key) != expected) {
            return false;
        }
        assert(entry.size() <= crypto::kEntrySizeBytesMax);
        bundle.push_back(static_cast<std::uint8_t>(entry.size() >> 8));
        bundle.push_back(static_cast<std::uint8_t>(entry.size() & 0xff));
        bundle.insert(bundle.end(), entry.begin(), entry.end());
        return ++expected < first + width;
    });
    if (!visited) {
        return visited.error();
    }
    if (expected != first + width) {
        return Errc::corrupt;
    }
    return bundle;
}

Result<Bytes> DurableTree::entry(std::uint64_t index) const {
    Walk walk(*this);
    if (index >= walk.durable_size()) {
        return Errc::not_found;
    }
    const ReadTransaction* const reader = walk.snapshot();
    if (reader == nullptr) {
        return walk.error();
    }
    auto row = reader->get(Table::log_entries, index_key(index));
    if (!row) {
        return row.error();
    }
    if (!row->has_value()) {
        return Errc::corrupt;
    }
    return std::move(**row);
}

}  // namespace xinfu::storage
