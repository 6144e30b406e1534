// Goal: whatever bit of a store at rest is turned over, a look through its pages and rows finds it, or it changes
// nothing of what is read; and the finding says where. Method: a small store of every kind of page; bits of each page
// in use are turned over one at a time, those of headers and entries all of them, of the rest a sample.
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "storage/lmdb_file.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::make_engine;
using testing::read_file;
using testing::TestDirectory;
using testing::write_file;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kTransactionAt = 144;  // in a head: LMDB 0.9's MDB_page and MDB_meta
#ifdef XINFU_SANITIZED
constexpr unsigned kStep = 83;
#else
constexpr unsigned kStep = 17;
#endif

using Rows = std::map<std::string, std::string>;

// Three levels of pages in one table, long values in another, and pages that became free.
void fill(Engine& engine) {
    for (unsigned round = 0; round < 4; ++round) {
        auto transaction = *engine.begin();
        for (unsigned n = 0; n < 700; ++n) {
            std::string key = "identity " + std::to_string(round * 1000 + n * 7919 % 700);
            key.resize(200, 'k');
            ASSERT_TRUE(transaction->put(Table::identity_claims, as_bytes(key), as_bytes("claim")));
        }
        ASSERT_TRUE(transaction->put(Table::record_blocks, as_bytes("block " + std::to_string(round)),
                                     Bytes(9000, static_cast<std::uint8_t>(round))));
        if (round == 2) {
            ASSERT_TRUE(transaction->erase(Table::record_blocks, as_bytes("block 0")));
        }
        ASSERT_TRUE(transaction->commit());
    }
}

Rows read_all(const Engine& engine) {
    Rows rows;
    const auto snapshot = engine.snapshot();
    for (const Table table : all_tables()) {
        const auto visited = (*snapshot)->visit(table, {}, {}, [&](ByteView key, ByteView value) {
            rows[std::string(to_text(table)) + " " + std::string(as_text(key))] = as_text(value);
            return true;
        });
        EXPECT_TRUE(visited) << visited.error().message();
    }
    return rows;
}

struct Look {
    bool starts = false;
    std::vector<std::string> told{};
    Rows rows{};
};

std::uint64_t newest_transaction(const std::string& file) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::memcpy(&first, &file[kTransactionAt], sizeof first);
    std::memcpy(&second, &file[kPage + kTransactionAt], sizeof second);
    return std::max(first, second);
}

// As a node does it: the file before LMDB has it, the pages, then rows.
Look look(const std::string& directory, const std::string& file) {
    write_file(directory + "/data.mdb", file);
    Look found;
    const int opened = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const auto checked = check_lmdb_file(opened);
    const auto walked =
        checked ? walk_lmdb_pages(opened, newest_transaction(file)) : Result<PageFindings>(Errc::corrupt);
    ::close(opened);
    if (!walked) {
        return found;
    }
    found.starts = true;
    found.told = walked->damaged;
    if (!found.told.empty()) {
        return found;  // LMDB itself is not asked to read such a file
    }
    EngineOptions options;
    options.map_size_bytes = std::uint64_t{1} << 30;
    options.on_damage = [&found](const std::string& what) { found.told.push_back(what); };
    const auto engine = open_lmdb_engine(directory, options, testing::make_sealer());
    if (!engine) {
        found.starts = false;
        return found;
    }
    for (const Table table : all_tables()) {
        EXPECT_TRUE((*engine)->check_rows(table, {}, std::uint64_t{1} << 30));
    }
    if (found.told.empty()) {
        found.rows = read_all(**engine);
    }
    return found;
}

class DamagedStore : public ::testing::Test {
protected:
    void SetUp() override {
        {
            const auto engine = make_engine(directory_.path());
            fill(*engine);
            whole_ = read_all(*engine);
        }
        file_ = read_file(directory_.path("data.mdb"));
        pages_ = file_.size() / kPage;
        ASSERT_GT(pages_, 200u);
    }
    std::uint16_t flags(std::size_t page) const {
        std::uint16_t flags = 0;
        std::memcpy(&flags, &file_[page * kPage + 10], sizeof flags);
        return flags;
    }
    std::uint64_t free_list_root() const {
        constexpr std::size_t kRootAt = 80;  // in a head
        std::uint64_t root = 0;
        std::memcpy(&root, &file_[newest_transaction(file_) % 2 * kPage + kRootAt], sizeof root);
        return root;
    }
    Look look_at(const std::string& file) { return look(directory_.path(), file); }

    TestDirectory directory_;
    std::string file_;
    std::size_t pages_ = 0;
    Rows whole_;
};

TEST_F(DamagedStore, AWholeStoreHasNoFindings) {
    const Look found = look_at(file_);
    EXPECT_TRUE(found.starts);
    EXPECT_TRUE(found.told.empty()) << found.told[0];
    EXPECT_EQ(found.rows, whole_);
    const auto engine = make_engine(directory_.path());
    const auto check = engine->check_pages();
    ASSERT_TRUE(check);
    EXPECT_EQ(check->damaged, 0u);
    EXPECT_GT(check->pages, 150u);
    EXPECT_LE(check->pages, pages_);
}

TEST_F(DamagedStore, ATurnedBitIsFoundOrChangesNothing) {
    std::mt19937 random(20261122);
    unsigned noticed_at_start = 0;
    unsigned told = 0;
    unsigned harmless = 0;
    std::set<std::size_t> pages{0, 1};
    // Each kind of page, and of the leaves a few.
    for (std::size_t page = 2; page < pages_; ++page) {
        if (flags(page) == 0x01 || page % kStep == 0) {
            pages.insert(page);
        }
    }
    for (const std::size_t page : pages) {
        std::set<std::size_t> octets;
        for (std::size_t at = 0; at < (page < 2 ? 160u : 24u); ++at) {
            octets.insert(at);
        }
        for (int n = 0; n < 24; ++n) {
            octets.insert(random() % kPage);
        }
        for (const std::size_t octet : octets) {
            if ((octet + page) % (kStep / 6 + 1) != 0) {
                continue;
            }
            std::string file = file_;
            char& turned = file[page * kPage + octet];
            turned = static_cast<char>(turned ^ (1 << random() % 8));
            const Look found = look_at(file);
            if (!found.starts) {
                ++noticed_at_start;
            } else if (!found.told.empty()) {
                ++told;
            } else {
                ++harmless;
                ASSERT_EQ(found.rows, whole_) << "page " << page << ", octet " << octet;
            }
        }
    }
    std::printf("%u kept the store from starting, %u were told of, %u changed nothing\n", noticed_at_start, told,
                harmless);
    EXPECT_GT(told, noticed_at_start);
    EXPECT_GT(told, harmless / 4);
}

TEST_F(DamagedStore, APageInThePlaceOfAnotherIsNamed) {
    std::vector<std::size_t> leaves;
    for (std::size_t page = 2; page < pages_; ++page) {
        if (flags(page) == 0x02) {
            leaves.push_back(page);
        }
    }
    std::string file = file_;
    std::copy_n(file_.begin() + static_cast<std::ptrdiff_t>(leaves[10] * kPage), kPage,
                file.begin() + static_cast<std::ptrdiff_t>(leaves[20] * kPage));
    const Look found = look_at(file);
    ASSERT_FALSE(found.told.empty());
    EXPECT_NE(found.told[0].find("data.mdb, page " + std::to_string(leaves[20]) + " of identity_claims"),
              std::string::npos)
        << found.told[0];
    // With the number of its new place as well, its keys do not fit.
    std::memcpy(&file[leaves[20] * kPage], &leaves[20], sizeof leaves[20]);
    const Look disguised = look_at(file);
    ASSERT_FALSE(disguised.told.empty());
    EXPECT_NE(disguised.told[0].find("out of order"), std::string::npos) << disguised.told[0];
}

// Reading does not mind it; the next change of the page would give the wrong one back to the list of free pages.
TEST_F(DamagedStore, APageThatSaysItIsAnotherIsNamed) {
    const std::size_t page = free_list_root();
    std::string file = file_;
    file[page * kPage] = static_cast<char>(file[page * kPage] ^ 1);
    const Look found = look_at(file);
    ASSERT_EQ(found.told.size(), 1u);
    EXPECT_NE(found.told[0].find("data.mdb, page " + std::to_string(page) + " of "), std::string::npos);
    EXPECT_NE(found.told[0].find("is another page"), std::string::npos) << found.told[0];
}

// A head with the number of a later transaction would win over the newer one.
TEST_F(DamagedStore, AHeadThatLiesAboutItsNumberKeepsTheStoreFromStarting) {
    for (const std::size_t head : {0u, 1u}) {
        for (int bit = 0; bit < 64; ++bit) {
            std::string file = file_;
            char& turned = file[head * kPage + kTransactionAt + static_cast<std::size_t>(bit) / 8];
            turned = static_cast<char>(turned ^ (1 << bit % 8));
            EXPECT_FALSE(look_at(file).starts) << "head " << head << ", bit " << bit;
        }
    }
}

// What is free and in use would be written over.
TEST_F(DamagedStore, AFreePageThatIsInUseIsNamed) {
    const std::uint64_t root = free_list_root();
    ASSERT_LT(root, pages_);
    ASSERT_EQ(flags(root), 0x02) << "one page is enough for this list";
    std::uint16_t node = 0;
    std::memcpy(&node, &file_[root * kPage + 16], sizeof node);
    const std::size_t list = root * kPage + node + 8 + 8;  // behind the node's header and its key
    std::uint64_t length = 0;
    std::memcpy(&length, &file_[list], sizeof length);
    ASSERT_GT(length, 0u);
    std::string file = file_;
    std::memcpy(&file[list + 8], &root, sizeof root);
    const Look found = look_at(file);
    ASSERT_FALSE(found.told.empty());
    EXPECT_NE(found.told[0].find("calls a page free that is in use"), std::string::npos) << found.told[0];
}

// Where rows came or went. One with the same keys and older values is whole by itself: only a look at what should be
// there (the log against its checkpoints) tells it.
TEST_F(DamagedStore, APageFromBeforeRowsWentIsFound) {
    const std::string older = file_;
    {
        const auto engine = make_engine(directory_.path());
        auto transaction = *engine->begin();
        for (unsigned n = 0; n < 700; n += 2) {
            std::string key = "identity " + std::to_string(n);
            key.resize(200, 'k');
            ASSERT_TRUE(transaction->erase(Table::identity_claims, as_bytes(key)));
        }
        ASSERT_TRUE(transaction->commit());
        whole_ = read_all(*engine);
    }
    const std::string newer = read_file(directory_.path("data.mdb"));
    unsigned found_pages = 0;
    unsigned differing = 0;
    for (std::size_t page = 2; page < older.size() / kPage; ++page) {
        const auto begin = static_cast<std::ptrdiff_t>(page * kPage);
        if (std::equal(older.begin() + begin, older.begin() + begin + kPage, newer.begin() + begin)) {
            continue;
        }
        ++differing;
        std::string file = newer;
        std::copy_n(older.begin() + begin, kPage, file.begin() + begin);
        const Look found = look_at(file);
        if (!found.starts || !found.told.empty()) {
            ++found_pages;
        } else {
            ASSERT_EQ(found.rows, whole_) << "page " << page;
        }
    }
    EXPECT_GT(found_pages, 0u);
    EXPECT_GT(differing, 0u);
}

}  // namespace
}  // namespace xinfu::storage
