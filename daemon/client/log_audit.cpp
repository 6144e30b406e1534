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

// The next entry of a bundle, which is cut off; none: what is left is no entry.
std::optional<std::string_view> take_entry(std::string_view& bundle) {
    if (bundle.size() < 2) {
        return std::nullopt;
    }
    const std::size_t size = boost::endian::load_big_u16(reinterpret_cast<const std::uint8_t*>(bundle.data()));
    if (bundle.size() - 2 < size) {
        return std::nullopt;
    }
    const std::string_view entry = bundle.substr(2, size);
    bundle.remove_prefix(2 + size);
    return entry;
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

// Where the JSON string that begins at `start`, after its quotation mark, ends: at the next one that is not escaped.
std::size_t end_of_text(std::string_view entry, std::size_t start) {
    std::size_t end = entry.find('"', start);
    while (end != std::string_view::npos) {
        std::size_t escapes = 0;
        while (end - escapes > start && entry[end - escapes - 1] == '\\') {
            ++escapes;
        }
        if (escapes % 2 == 0) {
            break;
        }
        end = entry.find('"', end + 1);
    }
    return end;
}

// The text of the member `time` of a JSON object, as it stands; empty when there is none. Every entry is looked at, so
// this walks over the others instead of building them: what is signed is the octets, which are hashed in any case.
std::string_view time_of(std::string_view entry) {
    static constexpr std::string_view kMember = "\"time\":\"";
    int depth = 0;
    for (std::size_t at = 0; at < entry.size(); ++at) {
        const char c = entry[at];
        if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            --depth;
        } else if (c == '"') {
            const bool is_time = depth == 1 && entry.substr(at).starts_with(kMember);
            const std::size_t start = at + (is_time ? kMember.size() : 1);
            const std::size_t end = end_of_text(entry, start);
            if (end == std::string_view::npos) {
                return {};
            }
            if (is_time) {
                return entry.substr(start, end - start);
            }
            at = end;
        }
    }
    return {};
}

// A leaf's time never decreases. Entries of another kind have none, and are held to their hashes alone.
void note_time(std::string_view entry, std::uint64_t index, AuditResult& result) {
    const std::string_view time = time_of(entry);
    if (time.empty()) {
        return;
    }
    if (time < result.last_time) {
        throw stop_with_code(Exit::evidence, "XF-8012",
                             {"entry " + std::to_string(index) + " is of " + std::string(time) +
                              ", the one before of " + result.last_time});
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
        const crypto::Checkpoint old = keys.open(*from, TrustedKeys::Quorum::not_asked).checkpoint;
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
        std::string_view rest = content;
        for (unsigned i = 0; i < width; ++i) {
            const std::uint64_t index = bundle * kTileWidth + i;
            const auto entry = take_entry(rest);
            if (!entry || crypto::leaf_hash(as_bytes(*entry)) != hashes[i]) {
                throw stop_with_code(Exit::evidence, "XF-8008", {std::to_string(index)});
            }
            if (index >= result.first) {
                note_time(*entry, index, result);
            }
        }
        if (!rest.empty()) {
            throw stop_with_code(Exit::evidence, "XF-8008", {std::to_string(bundle * kTileWidth + width)});
        }
        if (width == kTileWidth) {
            const Digest root = crypto::merkle_root(hashes);
            upper.add(1, bundle, root);
            if (edge.size() == bundle * kTileWidth) {
                edge.append_subtree(kTileHeight, root);
            }
        }
        for (std::uint64_t index = edge.size(); index < bundle * kTileWidth + width; ++index) {
            edge.append(hashes[index % kTileWidth]);
        }
        progress(bundle * kTileWidth + width, size);
    }
    if (edge.root() != result.checkpoint.root) {
        throw stop_with_code(Exit::evidence, "XF-8004");
    }
    return result;
}

}  // namespace xinfu::client
