#include "daemon/client/log_export.hpp"

#include <filesystem>
#include <map>

#include "crypto/digest.hpp"
#include "crypto/note.hpp"
#include "daemon/client/files.hpp"
#include "daemon/client/text.hpp"

namespace xinfu::client {
namespace {

namespace fs = std::filesystem;
using crypto::kTileWidth;

constexpr std::size_t kListSizeBytesMax = 1u << 30;

[[noreturn]] void stop_at(const fs::path& path, const std::error_code& error) {
    throw Stop{Exit::usage, {path.string() + ": " + error.message(), path.string() + "：" + error.message()}, {}};
}

void make_directories(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) {
        stop_at(path, error);
    }
}

class Copier {
public:
    Copier(LogSource& source, const std::string& directory) : source_(source), directory_(directory) {}

    std::string copy(const std::string& path) {
        auto content = source_.read(path);
        if (!content) {
            throw stop_with_code(Exit::evidence, "XF-8011", {path});
        }
        const fs::path target = directory_ / path;
        make_directories(target.parent_path());
        write_file(target.string(), *content);
        list_ += to_hex(crypto::sha256(as_bytes(*content))) + "  " + path + "\n";
        ++files_;
        return std::move(*content);
    }
    void copy(const crypto::TileCoordinates& tile) { copy(crypto::tile_path(tile)); }
    std::uint64_t finish() {
        write_file((directory_ / kExportList).string(), list_);
        return files_;
    }

private:
    LogSource& source_;
    fs::path directory_;
    std::string list_;
    std::uint64_t files_ = 0;
};

// What the note says, whoever signed it: checking that is the reader's part.
crypto::Checkpoint read_checkpoint(const std::string& note) {
    const std::size_t blank_line = note.rfind("\n\n");
    auto checkpoint = crypto::parse_checkpoint(std::string_view(note).substr(0, blank_line + 1));
    if (blank_line == std::string::npos || !checkpoint) {
        throw stop_with_code(Exit::evidence, "XF-8001", {"checkpoint"});
    }
    return std::move(*checkpoint);
}

// Path to digest, as the list says.
std::map<std::string, std::string> read_list(const std::string& path) {
    const std::string text = read_file(path, kListSizeBytesMax);
    std::map<std::string, std::string> files;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin);
        const std::string line = text.substr(begin, end - begin);
        if (end == std::string::npos || line.size() < 67 || line.compare(64, 2, "  ") != 0 ||
            !files.emplace(line.substr(66), line.substr(0, 64)).second) {
            throw stop_with_code(Exit::evidence, "XF-8010", {std::string(kExportList)});
        }
        begin = end + 1;
    }
    return files;
}

}  // namespace

ExportResult export_log(LogSource& source, const std::string& directory, const AuditProgress& progress) {
    make_directories(directory);
    std::error_code error;
    if (!fs::is_empty(directory, error) || error) {
        throw Stop{Exit::usage, {directory + ": not an empty directory", directory + "：不是空目录"}, {}};
    }
    Copier copier(source, directory);
    const crypto::Checkpoint checkpoint = read_checkpoint(copier.copy("checkpoint"));
    const std::uint64_t size = checkpoint.size;
    std::uint64_t tiles = (size + kTileWidth - 1) / kTileWidth;
    for (std::uint64_t index = 0; index < tiles; ++index) {
        copier.copy({.entries = true, .index = index, .width = crypto::tile_width(0, index, size)});
        progress(std::min(size, (index + 1) * kTileWidth), size);
    }
    for (unsigned level = 0; tiles > 0; ++level) {
        for (std::uint64_t index = 0; index < tiles; ++index) {
            copier.copy({.level = level, .index = index, .width = crypto::tile_width(level, index, size)});
        }
        // A level has a hash for each full tile of the one below.
        const std::uint64_t full = tiles - (crypto::tile_width(level, tiles - 1, size) == kTileWidth ? 0 : 1);
        tiles = (full + kTileWidth - 1) / kTileWidth;
    }
    return {checkpoint.origin, size, copier.finish()};
}

bool check_export(const std::string& directory) {
    const std::string list = directory + "/" + std::string(kExportList);
    if (!exists(list)) {
        return false;
    }
    const auto listed = read_list(list);
    std::size_t found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        if (entry.is_directory() && !entry.is_symlink()) {
            continue;
        }
        const std::string path = fs::relative(entry.path(), directory).string();
        if (path == kExportList) {
            continue;
        }
        const auto known = listed.find(path);
        if (known == listed.end() || entry.is_symlink() || !entry.is_regular_file() ||
            to_hex(digest_of_file(entry.path().string())) != known->second) {
            throw stop_with_code(Exit::evidence, "XF-8010", {path});
        }
        ++found;
    }
    if (found != listed.size()) {
        for (const auto& [path, digest] : listed) {
            if (!exists(directory + "/" + path)) {
                throw stop_with_code(Exit::evidence, "XF-8010", {path});
            }
        }
        // All are there, and yet not all were met: the same file under two spellings.
        throw stop_with_code(Exit::evidence, "XF-8010", {std::string(kExportList)});
    }
    return true;
}

}  // namespace xinfu::client
