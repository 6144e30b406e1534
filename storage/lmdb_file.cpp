#include "storage/lmdb_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <compare>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/bytes.hpp"
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
constexpr std::size_t kPageUpperAt = 14;
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
constexpr std::uint16_t kFreeListFlags = 0x08;  // keys are numbers of this machine
constexpr std::size_t kFreeListTree = 0;        // of a head's two
constexpr std::size_t kMainTree = 1;
constexpr std::uint64_t kFirstPage = 2;  // behind the heads
constexpr std::size_t kKeySizeMax = 511;
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

// One tree as its parent, or a head of the file, describes it.
struct Tree {
    std::uint16_t flags;
    std::uint16_t depth;
    std::uint64_t branch_pages;
    std::uint64_t leaf_pages;
    std::uint64_t overflow_pages;
    std::uint64_t rows;
    std::uint64_t root;
};

Tree parse_tree(const std::uint8_t* at) {
    return {load<std::uint16_t>(at + 4),
            load<std::uint16_t>(at + 6),
            load<std::uint64_t>(at + 8),
            load<std::uint64_t>(at + 16),
            load<std::uint64_t>(at + 24),
            load<std::uint64_t>(at + 32),
            load<std::uint64_t>(at + kDatabaseRootAt)};
}

struct Heads {
    std::size_t page_size = 0;
    std::array<Meta, 2> metas{};
    std::uint64_t transaction(std::size_t n) const { return load<std::uint64_t>(&metas[n][kMetaTransactionAt]); }
    std::uint64_t last_page(std::size_t n) const { return load<std::uint64_t>(&metas[n][kMetaLastPageAt]); }
    Tree tree(std::size_t n, std::size_t which) const {
        return parse_tree(&metas[n][kMetaDatabasesAt + which * kDatabaseSize]);
    }
    // The one LMDB will use.
    std::size_t newer() const { return transaction(1) > transaction(0) ? 1 : 0; }
};

Result<Heads> read_heads(int file) {
    Heads heads;
    if (!read_at(file, 0, heads.metas[0].data(), kMetaSize) ||
        load<std::uint32_t>(&heads.metas[0][kPageHeader]) != kMagic) {
        return Errc::corrupt;
    }
    if (load<std::uint32_t>(&heads.metas[0][kMetaVersionAt]) != kDataVersion) {
        return Errc::version_unknown;
    }
    heads.page_size = load<std::uint32_t>(&heads.metas[0][kMetaDatabasesAt]);
    if (!std::has_single_bit(heads.page_size) || heads.page_size < 512 || heads.page_size > 32768) {
        return Errc::corrupt;
    }
    if (!read_at(file, heads.page_size, heads.metas[1].data(), kMetaSize) ||
        load<std::uint32_t>(&heads.metas[1][kPageHeader]) != kMagic ||
        load<std::uint32_t>(&heads.metas[1][kMetaVersionAt]) != kDataVersion) {
        return Errc::corrupt;
    }
    return heads;
}

// Transactions write the two heads in turn, each number into the head of its parity, and the file only grows. A head
// that lies about its number would bring back an older state, or hide one.
bool fit_together(const Heads& heads) {
    const std::size_t newer = heads.newer();
    const std::uint64_t last = heads.transaction(newer);
    const std::uint64_t before = heads.transaction(1 - newer);
    const bool fresh = last <= 1 && before <= 1;  // nothing, or only the first transaction, was written yet
    return fresh || (last % 2 == newer && last == before + 1 && heads.last_page(newer) >= heads.last_page(1 - newer));
}

using Key = std::vector<std::uint8_t>;

// Follows trees from their roots, and notes what is not as LMDB writes it.
class PageWalk {
public:
    PageWalk(int file, std::uint64_t file_size, std::size_t page_size, std::uint64_t last_page)
        : file_(file),
          pages_(std::min(file_size / page_size, last_page + 1)),
          page_size_(page_size),
          used_(pages_),
          buffers_(kDepthMax + 1, std::vector<std::uint8_t>(page_size)) {}

    // The tree of all tables, and with `tables` those too.
    void main(const Tree& tree, bool tables) {
        for (const auto& [name, table] : walk(tree, "the list of tables", Kind::tables, 0)) {
            if (tables) {
                walk(table, name, Kind::table, 0);
            }
        }
    }
    // After main() with its tables: what is free is not in use.
    void free_list(const Tree& tree) { walk(tree, "the list of free pages", Kind::free_pages, kFreeListFlags); }

    PageFindings take() { return std::move(findings_); }

private:
    enum class Kind { tables, table, free_pages };
    using Tables = std::vector<std::pair<std::string, Tree>>;

    // Of the tree being walked.
    struct Totals {
        const std::string& name;
        Kind kind;
        std::uint64_t branch_pages = 0;
        std::uint64_t leaf_pages = 0;
        std::uint64_t overflow_pages = 0;
        std::uint64_t rows = 0;
        std::uint64_t bad_pages = 0;
        Tables tables{};
    };

    void note(const std::string& what) {
        if (findings_.damaged.size() < kFindingsMax) {
            findings_.damaged.push_back("data.mdb, " + what);
        }
    }
    void bad(Totals& totals, std::uint64_t page, const char* what) {
        ++totals.bad_pages;
        note("page " + std::to_string(page) + " of " + totals.name + ": " + what);
    }

    // Answers the tables that a tree of tables lists.
    Tables walk(const Tree& tree, const std::string& name, Kind kind, std::uint16_t flags) {
        Totals totals{name, kind};
        if (tree.flags != flags) {
            note(name + ": its kind is not the one it was made with");
        }
        if (tree.root == kNoPage) {
            if (tree.rows != 0 || tree.depth != 0) {
                note(name + ": its root is gone");
            }
            return {};
        }
        page(totals, tree.root, 1, tree.depth, nullptr, nullptr);
        // One bad page makes all the sums wrong, and was told of.
        if (totals.bad_pages == 0 &&
            (totals.rows != tree.rows || totals.branch_pages != tree.branch_pages ||
             totals.leaf_pages != tree.leaf_pages || totals.overflow_pages != tree.overflow_pages)) {
            note(name + ": " + std::to_string(totals.rows) + " rows are there, of " + std::to_string(tree.rows));
        }
        return std::move(totals.tables);
    }

    bool take_page(std::uint64_t number, std::uint64_t count) {
        if (number < kFirstPage || number >= pages_ || count > pages_ - number) {
            return false;
        }
        for (std::uint64_t n = number; n < number + count; ++n) {
            if (used_[n]) {
                return false;
            }
            used_[n] = true;
        }
        findings_.pages += count;
        return true;
    }

    std::strong_ordering order(Kind kind, ByteView a, ByteView b) const {
        if (kind == Kind::free_pages) {  // numbers of transactions
            return load<std::uint64_t>(a.data()) <=> load<std::uint64_t>(b.data());
        }
        return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
    }

    // `low` and `high`: its keys are not below the one and below the other; null: no bound.
    void page(Totals& totals, std::uint64_t number, int level, int depth, const Key* low, const Key* high) {
        if (level > depth || level > kDepthMax) {
            return bad(totals, number, "lies deeper than its tree");
        }
        if (!take_page(number, 1)) {
            return bad(totals, number, "is outside the file or in use elsewhere");
        }
        std::vector<std::uint8_t>& content = buffers_[static_cast<std::size_t>(level)];
        if (!read_at(file_, number * page_size_, content.data(), content.size())) {
            return bad(totals, number, "cannot be read");
        }
        const auto flags = load<std::uint16_t>(&content[kPageFlagsAt]);
        const std::size_t lower = load<std::uint16_t>(&content[kPageLowerAt]);
        const std::size_t upper = load<std::uint16_t>(&content[kPageUpperAt]);
        if (load<std::uint64_t>(content.data()) != number) {
            return bad(totals, number, "is another page");
        }
        if (flags != (level == depth ? kLeafPage : kBranchPage)) {
            return bad(totals, number, "is not of its kind");
        }
        if (lower <= kPageHeader || lower % 2 != 0 || upper < lower || upper > page_size_) {
            return bad(totals, number, "has impossible bounds");
        }
        const std::size_t entries = (lower - kPageHeader) / 2;
        // All of a page is looked at before what is below it, so that a damaged branch leads nowhere.
        std::vector<Entry> found;
        found.reserve(entries);
        for (std::size_t n = 0; n < entries; ++n) {
            Entry entry;
            if (!parse(content, load<std::uint16_t>(&content[kPageHeader + 2 * n]), upper, level == depth, entry)) {
                return bad(totals, number, "has an entry outside itself");
            }
            const bool named = level == depth || n > 0;  // the first entry of a branch takes its parent's bound
            if (named && (totals.kind == Kind::free_pages ? entry.key.size() != 8 : entry.key.empty())) {
                return bad(totals, number, "has a key of an impossible size");
            }
            if (named && ((n > (level == depth ? 0u : 1u) && order(totals.kind, found.back().key, entry.key) >= 0) ||
                          (low != nullptr && order(totals.kind, entry.key, *low) < 0) ||
                          (high != nullptr && order(totals.kind, entry.key, *high) >= 0))) {
                return bad(totals, number, "has keys out of order");
            }
            found.push_back(std::move(entry));
        }
        if (level < depth) {
            ++totals.branch_pages;
            for (std::size_t n = 0; n < found.size(); ++n) {
                page(totals, found[n].child, level + 1, depth, n == 0 ? low : &found[n].key,
                     n + 1 < found.size() ? &found[n + 1].key : high);
            }
            return;
        }
        ++totals.leaf_pages;
        totals.rows += entries;
        for (const Entry& entry : found) {
            leaf_entry(totals, number, content, entry);
        }
    }

    struct Entry {
        Key key;
        std::uint64_t child = 0;  // of branches
        std::uint16_t flags = 0;  // of leaves, with the size of the value and where it, or its place, begins
        std::uint64_t size = 0;
        std::size_t data = 0;
    };

    bool parse(const std::vector<std::uint8_t>& content, std::size_t node, std::size_t upper, bool leaf,
               Entry& entry) const {
        if (node < upper || node + kNodeHeader > page_size_) {
            return false;
        }
        const std::uint64_t low = load<std::uint16_t>(&content[node]);
        const std::uint64_t high = load<std::uint16_t>(&content[node + 2]);
        const std::uint64_t flags = load<std::uint16_t>(&content[node + 4]);
        const std::size_t key_size = load<std::uint16_t>(&content[node + 6]);
        entry.data = node + kNodeHeader + key_size;
        if (entry.data > page_size_ || key_size > kKeySizeMax) {
            return false;
        }
        const auto* const key = &content[node] + kNodeHeader;
        entry.key.assign(key, key + key_size);
        entry.child = low | high << 16 | flags << 32;
        entry.flags = static_cast<std::uint16_t>(flags);
        entry.size = low | high << 16;
        const std::uint64_t here = entry.flags == kBigData ? sizeof(std::uint64_t) : entry.size;
        return !leaf || here <= page_size_ - entry.data;
    }

    void leaf_entry(Totals& totals, std::uint64_t number, const std::vector<std::uint8_t>& content,
                    const Entry& entry) {
        const std::uint8_t* const data = &content[0] + entry.data;
        const bool is_table = entry.flags == kSubDatabase;
        if ((totals.kind == Kind::tables) != is_table || (is_table && entry.size != kDatabaseSize) ||
            (!is_table && entry.flags != 0 && entry.flags != kBigData)) {
            return bad(totals, number, "has an entry of an impossible kind");
        }
        if (is_table) {
            totals.tables.emplace_back(std::string(entry.key.begin(), entry.key.end()), parse_tree(data));
            return;
        }
        Key value;
        if (entry.flags == kBigData) {
            const auto first = load<std::uint64_t>(data);
            const std::uint64_t count = (kPageHeader - 1 + entry.size) / page_size_ + 1;
            if (!overflow(first, count, totals.kind == Kind::free_pages ? entry.size : 0, value)) {
                return bad(totals, number, "has a long value that is not where it should be");
            }
            totals.overflow_pages += count;
        } else if (totals.kind == Kind::free_pages) {
            value.assign(data, data + entry.size);
        }
        if (totals.kind == Kind::free_pages && !free_pages(value)) {
            bad(totals, number, "calls a page free that is in use");
        }
    }

    // The first `size` octets of a long value in `value`.
    bool overflow(std::uint64_t first, std::uint64_t count, std::uint64_t size, Key& value) {
        std::array<std::uint8_t, kPageHeader> header;
        if (!take_page(first, count) || !read_at(file_, first * page_size_, header.data(), header.size()) ||
            load<std::uint64_t>(header.data()) != first ||
            load<std::uint16_t>(&header[kPageFlagsAt]) != kOverflowPage ||
            load<std::uint32_t>(&header[kOverflowCountAt]) != count) {
            return false;
        }
        value.resize(size);
        return read_at(file_, first * page_size_ + kPageHeader, value.data(), size);
    }

    // A list begins with its length.
    bool free_pages(const Key& list) const {
        const std::size_t words = list.size() / 8;
        if (words == 0 || list.size() % 8 != 0 || load<std::uint64_t>(list.data()) >= words) {
            return false;
        }
        for (std::size_t n = 1; n <= load<std::uint64_t>(list.data()); ++n) {
            const auto page = load<std::uint64_t>(&list[8 * n]);
            if (page < kFirstPage || (page < pages_ && used_[page])) {
                return false;
            }
        }
        return true;
    }

    int file_;
    std::uint64_t pages_;
    std::size_t page_size_;
    std::vector<bool> used_;
    std::vector<std::vector<std::uint8_t>> buffers_;  // one for each level of a tree
    PageFindings findings_;
};

Result<PageFindings> walk_state(int file, std::uint64_t file_size, const Heads& heads, std::size_t which) {
    PageWalk walk(file, file_size, heads.page_size, heads.last_page(which));
    walk.main(heads.tree(which, kMainTree), true);
    walk.free_list(heads.tree(which, kFreeListTree));
    return walk.take();
}

Result<std::uint64_t> size_of(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) {
        return Errc::io_failed;
    }
    return static_cast<std::uint64_t>(status.st_size);
}

int open_data(int directory) {
    return ::openat(directory, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

}  // namespace

Result<void> check_lmdb_file(int directory) {
    const Descriptor file{open_data(directory)};
    if (file.fd < 0) {
        return errno == ENOENT ? Errc::not_found : Errc::io_failed;
    }
    const auto size = size_of(file.fd);
    if (!size || *size == 0) {
        return size ? Result<void>() : Result<void>(size.error());
    }
    const auto heads = read_heads(file.fd);
    if (!heads) {
        return heads.error();
    }
    if (!fit_together(*heads)) {
        return Errc::corrupt;
    }
    const std::size_t newer = heads->newer();
    PageWalk walk(file.fd, *size, heads->page_size, heads->last_page(newer));
    const bool cut_short = heads->last_page(newer) >= *size / heads->page_size;
    walk.main(heads->tree(newer, kMainTree), cut_short);
    if (cut_short) {
        walk.free_list(heads->tree(newer, kFreeListTree));
    }
    return walk.take().damaged.empty() ? Result<void>() : Result<void>(Errc::corrupt);
}

Result<PageFindings> walk_lmdb_pages(int directory, std::uint64_t transaction) {
    const Descriptor file{open_data(directory)};
    if (file.fd < 0) {
        return Errc::io_failed;
    }
    const auto size = size_of(file.fd);
    if (!size) {
        return size.error();
    }
    const auto heads = read_heads(file.fd);
    const auto again = read_heads(file.fd);  // a head that is being written while it is read is not the same twice
    if (!heads || !again) {
        return heads ? again.error() : heads.error();
    }
    for (std::size_t which : {0u, 1u}) {
        if (heads->transaction(which) == transaction && heads->metas[which] == again->metas[which]) {
            return walk_state(file.fd, *size, *heads, which);
        }
    }
    return Errc::busy;
}

}  // namespace xinfu::storage
