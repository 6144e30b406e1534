#include "storage/lmdb_file.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/error.hpp"

namespace xinfu::storage {
namespace {

// LMDB 0.9's data format, version 1, on 64-bit little-endian machines: offsets in bytes (mdb.c: MDB_page,
// MDB_meta, MDB_db, MDB_node).
static_assert(std::endian::native == std::endian::little && sizeof(void*) == 8);
constexpr std::uint32_t kMagic = 0xbeefc0de;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kPageFlagsAt = 10;
constexpr std::size_t kPageLowerAt = 12;
constexpr std::size_t kOverflowCountAt = 12;
constexpr std::size_t kMetaVersionAt = kPageHeader + 4;
constexpr std::size_t kMetaDatabasesAt = kPageHeader + 24;  // free list, then main; the first word is the page size
constexpr std::size_t kDatabaseSize = 48;
constexpr std::size_t kDatabaseRootAt = 40;
constexpr std::size_t kMetaLastPageAt = kMetaDatabasesAt + 2 * kDatabaseSize;
constexpr std::size_t kMetaTransactionAt = kMetaLastPageAt + 8;
constexpr std::size_t kMetaSize = kMetaTransactionAt + 8;
constexpr std::size_t kNodeHeader = 8;
constexpr std::uint16_t kBranchPage = 0x01;
constexpr std::uint16_t kLeafPage = 0x02;
constexpr std::uint16_t kOverflowPage = 0x04;
constexpr std::uint16_t kBigData = 0x01;
constexpr std::uint16_t kSubDatabase = 0x02;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr int kDepthMax = 32;

template <class T>
T load(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd >= 0) {
            ::close(fd);
        }
    }
};

bool read_at(int file, std::uint64_t offset, std::uint8_t* out, std::size_t size) {
    std::size_t got = 0;
    while (got < size) {
        const ssize_t n = ::pread(file, out + got, size - got, static_cast<off_t>(offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        got += static_cast<std::size_t>(n);
    }
    return true;
}

using Meta = std::array<std::uint8_t, kMetaSize>;

// Follows every tree from its root and answers whether all its pages lie inside the file.
class PageWalk {
public:
    PageWalk(int file, std::uint64_t file_size, std::size_t page_size)
        : file_(file), pages_(file_size / page_size), page_size_(page_size) {}

    bool tree(std::uint64_t root, int depth = 0) {
        if (root == kNoPage) {
            return true;
        }
        if (root < 2 || root >= pages_ || depth > kDepthMax || ++visited_ > pages_) {
            return false;
        }
        std::vector<std::uint8_t> page(page_size_);
        if (!read_at(file_, root * page_size_, page.data(), page.size())) {
            return false;
        }
        const auto flags = load<std::uint16_t>(&page[kPageFlagsAt]);
        const std::size_t lower = load<std::uint16_t>(&page[kPageLowerAt]);
        if ((flags & (kBranchPage | kLeafPage)) == 0 || lower < kPageHeader || lower > page_size_) {
            return false;
        }
        for (std::size_t at = kPageHeader; at + 2 <= lower; at += 2) {
            const std::size_t node = load<std::uint16_t>(&page[at]);
            if (node + kNodeHeader > page_size_ || !entry(page, node, (flags & kBranchPage) != 0, depth)) {
                return false;
            }
        }
        return true;
    }

private:
    bool entry(const std::vector<std::uint8_t>& page, std::size_t node, bool branch, int depth) {
        const std::uint64_t low = load<std::uint16_t>(&page[node]);
        const std::uint64_t high = load<std::uint16_t>(&page[node + 2]);
        const auto flags = load<std::uint16_t>(&page[node + 4]);
        if (branch) {
            return tree(low | high << 16 | std::uint64_t{flags} << 32, depth + 1);
        }
        const std::size_t data = node + kNodeHeader + load<std::uint16_t>(&page[node + 6]);
        if ((flags & kBigData) != 0) {
            return data + 8 <= page_size_ && overflow(load<std::uint64_t>(&page[data]));
        }
        if ((flags & kSubDatabase) != 0) {
            return data + kDatabaseSize <= page_size_ &&
                   tree(load<std::uint64_t>(&page[data + kDatabaseRootAt]), depth + 1);
        }
        return true;
    }

    bool overflow(std::uint64_t first) {
        std::array<std::uint8_t, kPageHeader> header;
        if (first < 2 || first >= pages_ || !read_at(file_, first * page_size_, header.data(), header.size())) {
            return false;
        }
        return (load<std::uint16_t>(&header[kPageFlagsAt]) & kOverflowPage) != 0 &&
               load<std::uint32_t>(&header[kOverflowCountAt]) <= pages_ - first;
    }

    int file_;
    std::uint64_t pages_;
    std::size_t page_size_;
    std::uint64_t visited_ = 0;
};

}  // namespace

Result<void> check_lmdb_file(int directory) {
    const Descriptor file{::openat(directory, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (file.fd < 0) {
        return errno == ENOENT ? Errc::not_found : Errc::io_failed;
    }
    struct stat status {};
    if (::fstat(file.fd, &status) != 0) {
        return Errc::io_failed;
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == 0) {
        return {};
    }
    Meta first;
    if (!read_at(file.fd, 0, first.data(), first.size()) || load<std::uint32_t>(&first[kPageHeader]) != kMagic) {
        return Errc::corrupt;
    }
    if (load<std::uint32_t>(&first[kMetaVersionAt]) != kDataVersion) {
        return Errc::version_unknown;
    }
    const std::size_t page_size = load<std::uint32_t>(&first[kMetaDatabasesAt]);
    if (!std::has_single_bit(page_size) || page_size < 512 || page_size > 65536) {
        return Errc::corrupt;
    }
    Meta second;
    if (!read_at(file.fd, page_size, second.data(), second.size()) ||
        load<std::uint32_t>(&second[kPageHeader]) != kMagic) {
        return Errc::corrupt;
    }
    // The newer of the two is the one LMDB will use.
    const bool use_second =
        load<std::uint64_t>(&second[kMetaTransactionAt]) > load<std::uint64_t>(&first[kMetaTransactionAt]);
    const Meta& meta = use_second ? second : first;
    const auto last_page = load<std::uint64_t>(&meta[kMetaLastPageAt]);
    if (last_page < size / page_size) {
        return {};
    }
    PageWalk walk(file.fd, size, page_size);
    for (std::size_t database = 0; database < 2; ++database) {
        if (!walk.tree(load<std::uint64_t>(&meta[kMetaDatabasesAt + database * kDatabaseSize + kDatabaseRootAt]))) {
            return Errc::corrupt;
        }
    }
    return {};
}

}  // namespace xinfu::storage
