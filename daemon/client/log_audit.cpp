#include "daemon/client/log_audit.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include <boost/endian/conversion.hpp>

#include "daemon/client/files.hpp"
#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

using crypto::Digest;
using crypto::kTileHeight;
using crypto::kTileWidth;

std::string read_part(LogSource& source, const crypto::TileCoordinates& tile) {
    const std::string path = crypto::tile_path(tile);
    auto content = source.read(path);
    if (!content) {
        throw stop_with_code(Exit::evidence, "XF-8011", {path});
    }
    return std::move(*content);
}

std::vector<Digest> read_hashes(LogSource& source, unsigned level, std::uint64_t index, std::uint64_t size) {
    const crypto::TileCoordinates tile{.level = level, .index = index, .width = crypto::tile_width(level, index, size)};
    const std::string content = read_part(source, tile);
    if (content.size() != tile.width * sizeof(Digest)) {
        throw stop_with_code(Exit::evidence, "XF-8004");
    }
    std::vector<Digest> hashes(tile.width);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
        std::copy_n(reinterpret_cast<const std::uint8_t*>(content.data()) + i * sizeof(Digest), sizeof(Digest),
                    hashes[i].begin());
    }
    return hashes;
}

std::vector<std::string_view> split_bundle(std::string_view bundle, unsigned width, std::uint64_t first) {
    std::vector<std::string_view> entries;
    while (!bundle.empty() && entries.size() < width) {
        if (bundle.size() < 2) {
            break;
        }
        const std::size_t size = boost::endian::load_big_u16(reinterpret_cast<const std::uint8_t*>(bundle.data()));
        if (bundle.size() - 2 < size) {
            break;
        }
        entries.push_back(bundle.substr(2, size));
        bundle.remove_prefix(2 + size);
    }
    if (entries.size() != width || !bundle.empty()) {
        throw stop_with_code(Exit::evidence, "XF-8008", {std::to_string(first + entries.size())});
    }
    return entries;
}

// The complete subtrees that make up the tree of `old_size`, from the tiles; true when they hash to the old
// root, after which they are known to be what was signed then.
std::vector<Digest> old_subtrees(LogSource& source, std::uint64_t old_size, std::uint64_t size) {
    std::vector<Digest> subtrees;
    std::uint64_t start = 0;
    for (std::uint64_t rest = old_size; rest != 0;) {
        const unsigned height = static_cast<unsigned>(std::bit_width(rest)) - 1;
        const unsigned level = height / kTileHeight;
        const std::uint64_t node = start >> (level * kTileHeight);
        const std::size_t count = std::size_t{1} << (height % kTileHeight);
        const auto hashes = read_hashes(source, level, node / kTileWidth, size);
        subtrees.push_back(crypto::merkle_root(std::span(hashes).subspan(node % kTileWidth, count)));
        start += std::uint64_t{1} << height;
        rest -= std::uint64_t{1} << height;
    }
    return subtrees;
}

// Compares the hashes of the upper tiles with what the tiles below them come to.
class UpperTiles {
public:
    UpperTiles(LogSource& source, std::uint64_t size) : source_(source), size_(size) {}

    // `root` is that of full tile number `index` at the level below.
    void add(unsigned level, std::uint64_t index, const Digest& root) {
        const std::uint64_t tile = index / kTileWidth;
        auto& known = tiles_[level];
        if (known.hashes.empty() || known.index != tile) {
            known = {tile, read_hashes(source_, level, tile, size_)};
        }
        const std::size_t place = index % kTileWidth;
        if (known.hashes.at(place) != root) {
            throw stop_with_code(Exit::evidence, "XF-8004");
        }
        if (place == kTileWidth - 1) {
            add(level + 1, tile, crypto::merkle_root(known.hashes));
        }
    }

private:
    struct Tile {
        std::uint64_t index = 0;
        std::vector<Digest> hashes;
    };
    LogSource& source_;
    std::uint64_t size_;
    std::map<unsigned, Tile> tiles_;  // the one being filled, by level
};

// A leaf's time never decreases. Entries of another kind have none, and are held to their hashes alone.
void note_time(std::string_view entry, std::uint64_t index, AuditResult& result) {
    boost::system::error_code error;
    const json::value parsed = json::parse(entry, error);
    if (error || !parsed.is_object()) {
        return;
    }
    const std::string time = text_of(parsed.get_object(), "time");
    if (time.empty()) {
        return;
    }
    if (time < result.last_time) {
        throw stop_with_code(
            Exit::evidence, "XF-8012",
            {"entry " + std::to_string(index) + " is of " + time + ", the one before of " + result.last_time});
    }
    if (result.first_time.empty()) {
        result.first_time = time;
    }
    result.last_time = time;
}

}  // namespace

DirectorySource::DirectorySource(std::string directory) : directory_(std::move(directory)) {
    if (!exists(directory_)) {
        throw Stop{Exit::usage, {directory_ + ": no such directory", directory_ + "：目录不存在"}, {}};
    }
}

std::optional<std::string> DirectorySource::read(const std::string& path) {
    const std::string whole = directory_ + "/" + path;
    if (!exists(whole)) {
        return std::nullopt;
    }
    return read_file(whole, 32u << 20);  // 256 entries of 64 KiB and their lengths
}

AuditResult audit_log(LogSource& source, const TrustedKeys& keys, const std::optional<std::string>& from,
                      const AuditProgress& progress) {
    const auto note = source.read("checkpoint");
    if (!note) {
        throw stop_with_code(Exit::evidence, "XF-8011", {"checkpoint"});
    }
    auto opened = keys.open(*note);
    AuditResult result;
    result.checkpoint = std::move(opened.checkpoint);
    result.note = std::move(opened.note);
    const std::uint64_t size = result.checkpoint.size;

    std::vector<Digest> subtrees;
    if (from) {
        const crypto::Checkpoint old = keys.open(*from).checkpoint;
        if (old.size > size) {
            throw stop_with_code(Exit::evidence, "XF-8013", {std::to_string(size), std::to_string(old.size)});
        }
        subtrees = old_subtrees(source, old.size, size);
        if (crypto::Frontier(old.size, subtrees).root() != old.root) {
            throw stop_with_code(Exit::evidence, "XF-8009");
        }
        result.first = old.size;
    }

    crypto::Frontier edge(result.first, std::move(subtrees));
    UpperTiles upper(source, size);
    for (std::uint64_t bundle = result.first / kTileWidth; bundle * kTileWidth < size; ++bundle) {
        const unsigned width = crypto::tile_width(0, bundle, size);
        const auto hashes = read_hashes(source, 0, bundle, size);
        const std::string content = read_part(source, {.entries = true, .index = bundle, .width = width});
        const auto entries = split_bundle(content, width, bundle * kTileWidth);
        for (unsigned i = 0; i < width; ++i) {
            const std::uint64_t index = bundle * kTileWidth + i;
            if (crypto::leaf_hash(as_bytes(entries[i])) != hashes[i]) {
                throw stop_with_code(Exit::evidence, "XF-8008", {std::to_string(index)});
            }
            if (index >= result.first) {
                edge.append(hashes[i]);
                note_time(entries[i], index, result);
            }
        }
        if (width == kTileWidth) {
            upper.add(1, bundle, crypto::merkle_root(hashes));
        }
        progress(bundle * kTileWidth + width, size);
    }
    if (edge.root() != result.checkpoint.root) {
        throw stop_with_code(Exit::evidence, "XF-8004");
    }
    return result;
}

}  // namespace xinfu::client
