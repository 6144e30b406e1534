#include "storage/log_recovery.hpp"

#include <utility>
#include <vector>

#include "storage/error.hpp"
#include "storage/tree_reader.hpp"

namespace xinfu::storage {
namespace {

Result<TileNodes> rehash_last_entries(const ReadTransaction& snapshot, std::uint64_t size) {
    TileNodes tile;
    std::uint64_t expected = size - size % crypto::kTileWidth;
    bool in_order = true;
    const auto visited = snapshot.visit(Table::log_entries, {}, index_key(expected), [&](ByteView key, ByteView entry) {
        in_order = expected < size && key.size() == sizeof(IndexKey) && parse_index_key(key) == expected;
        if (in_order) {
            tile.append(crypto::leaf_hash(entry));
            ++expected;
        }
        return in_order;
    });
    if (!visited) {
        return visited.error();
    }
    if (!in_order || expected != size) {
        return Errc::corrupt;
    }
    return tile;
}

Result<TileNodes> read_partial_tile(const ReadTransaction& snapshot, unsigned level, std::uint64_t size) {
    const unsigned shift = (level + 1) * crypto::kTileHeight;
    const std::uint64_t index = shift >= 64 ? 0 : size >> shift;
    const unsigned width = crypto::tile_width(level, index, size);
    if (width == 0) {
        return TileNodes();
    }
    const auto row = snapshot.get(Table::log_tiles, tile_key(level, index));
    if (!row) {
        return row.error();
    }
    auto tile = row->has_value() ? TileNodes::parse(**row) : std::nullopt;
    if (!tile || tile->width() != width) {
        return Errc::corrupt;
    }
    return std::move(*tile);
}

// The newest stored checkpoint, if any: signed by us, for this origin.
Result<std::optional<crypto::Checkpoint>> read_checkpoint(const ReadTransaction& snapshot, const std::string& origin,
                                                          const crypto::NoteSigner& signer) {
    std::optional<std::string> note;
    const auto visited = snapshot.visit(
        Table::checkpoints, {}, {},
        [&](ByteView, ByteView value) {
            note = as_text(value);
            return false;
        },
        true);
    if (!visited) {
        return visited.error();
    }
    if (!note) {
        return std::optional<crypto::Checkpoint>();
    }
    const auto verifier = crypto::NoteVerifier::parse(signer.verifier_key());
    if (!verifier) {
        return verifier.error();
    }
    const auto opened = crypto::open_note(*note, {&*verifier});
    if (!opened) {
        return Errc::corrupt;
    }
    const auto checkpoint = crypto::parse_checkpoint(opened->text);
    if (!checkpoint || checkpoint->origin != origin) {
        return Errc::corrupt;
    }
    return std::optional<crypto::Checkpoint>(*checkpoint);
}

}  // namespace

Result<RecoveredLog> recover_log(const Engine& engine, const std::string& origin, const crypto::NoteSigner& signer) {
    const auto opened = engine.snapshot();
    if (!opened) {
        return opened.error();
    }
    const ReadTransaction& snapshot = **opened;
    const auto row = snapshot.get(Table::meta, as_bytes(kLogStateKey));
    if (!row) {
        return row.error();
    }
    RecoveredLog log;
    if (row->has_value()) {
        const auto state = parse_log_state(**row);
        if (!state) {
            return Errc::corrupt;
        }
        log.state = *state;
    } else {
        log.state.root = RightEdge().root();
    }
    const std::uint64_t size = log.state.size;
    const auto entries = snapshot.count(Table::log_entries);
    if (!entries) {
        return entries.error();
    }
    if (*entries != size) {
        return Errc::corrupt;
    }

    std::vector<TileNodes> tiles;
    for (unsigned level = 0; level * crypto::kTileHeight < 64 && size >> (level * crypto::kTileHeight) != 0; ++level) {
        auto tile = level == 0 ? rehash_last_entries(snapshot, size) : read_partial_tile(snapshot, level, size);
        if (!tile) {
            return tile.error();
        }
        tiles.push_back(std::move(*tile));
    }
    auto edge = std::make_shared<const RightEdge>(RightEdge::restore(size, std::move(tiles)));
    if (edge->root() != log.state.root) {
        return Errc::corrupt;
    }
    log.edge = std::move(edge);

    const auto checkpoint = read_checkpoint(snapshot, origin, signer);
    if (!checkpoint) {
        return checkpoint.error();
    }
    if (checkpoint->has_value()) {
        DurableTree tree(engine);
        tree.publish(log.edge, {});
        const auto root =
            (*checkpoint)->size <= size ? tree.root((*checkpoint)->size) : Result<crypto::Digest>(Errc::corrupt);
        if (!root) {
            return Errc::corrupt;
        }
        if (*root != (*checkpoint)->root) {
            return Errc::corrupt;
        }
        log.checkpoint_size = (*checkpoint)->size;
    }
    return log;
}

}  // namespace xinfu::storage
