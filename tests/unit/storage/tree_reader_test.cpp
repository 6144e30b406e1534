#include "storage/tree_reader.hpp"

#include <span>
#include <vector>

#include "crypto/merkle.hpp"
#include "crypto/tlog_proof.hpp"
#include "tests/unit/storage/fixture.hpp"

namespace xinfu::storage {
namespace {

using testing::append_entries;
using testing::make_ledger;
using testing::TestDirectory;

std::vector<crypto::Digest> leaf_digests(std::uint64_t count) {
    std::vector<crypto::Digest> leaves;
    for (std::uint64_t i = 0; i < count; ++i) {
        leaves.push_back(crypto::leaf_hash(as_bytes(testing::entry_text(i))));
    }
    return leaves;
}

// Sizes around everything that changes shape: one tile, two, the first of level 1.
const std::vector<std::uint64_t> kSizes = {1, 2, 3, 5, 8, 255, 256, 257, 300, 511, 512, 513, 1000};

class DurableTreeTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        directory_ = new TestDirectory;
        // Appended in several batches, so that partial tiles are written and written over.
        for (const std::uint64_t count : {1u, 4u, 251u, 1u, 255u, 488u}) {
            ledger_ = make_ledger(directory_->path());
            ASSERT_TRUE(append_entries(*ledger_, count));
            ledger_.reset();
        }
        ledger_ = make_ledger(directory_->path());
        leaves_ = leaf_digests(1000);
    }
    static void TearDownTestSuite() {
        ledger_.reset();
        delete directory_;
    }
    static crypto::Digest root(std::uint64_t size) { return crypto::merkle_root(std::span(leaves_).first(size)); }
    static inline TestDirectory* directory_ = nullptr;
    static inline std::unique_ptr<Ledger> ledger_;
    static inline std::vector<crypto::Digest> leaves_;
};

TEST_F(DurableTreeTest, KnowsTheRootOfEverySize) {
    for (std::uint64_t size = 0; size <= 1000; ++size) {
        ASSERT_EQ(*ledger_->tree().root(size), root(size)) << size;
    }
    EXPECT_EQ(ledger_->tree().root(1001).error(), Errc::not_found);
}

TEST_F(DurableTreeTest, ProvesEveryEntryInEverySize) {
    for (const std::uint64_t size : kSizes) {
        for (std::uint64_t index = 0; index<size; index += size> 20 ? 7 : 1) {
            const auto proof = ledger_->tree().inclusion_proof(index, size);
            ASSERT_TRUE(proof);
            ASSERT_TRUE(crypto::verify_inclusion(leaves_[index], index, size, *proof, root(size)))
                << index << " in " << size;
        }
        EXPECT_EQ(ledger_->tree().inclusion_proof(size, size).error(), Errc::not_found);
    }
    EXPECT_EQ(ledger_->tree().inclusion_proof(0, 1001).error(), Errc::not_found);
}

TEST_F(DurableTreeTest, ProvesThatItOnlyGrew) {
    for (const std::uint64_t size : kSizes) {
        for (std::uint64_t old_size = 0; old_size <= size; old_size += size > 20 ? 11 : 1) {
            const auto proof = ledger_->tree().consistency_proof(old_size, size);
            ASSERT_TRUE(proof);
            ASSERT_TRUE(crypto::verify_consistency(old_size, root(old_size), size, root(size), *proof))
                << old_size << " in " << size;
        }
    }
    EXPECT_EQ(ledger_->tree().consistency_proof(5, 4).error(), Errc::not_found);
    EXPECT_EQ(ledger_->tree().consistency_proof(5, 1001).error(), Errc::not_found);
}

TEST_F(DurableTreeTest, ServesTilesAndTheirBeginnings) {
    const auto bytes_of = [](std::uint64_t first, std::uint64_t count) {
        Bytes bytes;
        for (std::uint64_t i = first; i < first + count; ++i) {
            bytes.insert(bytes.end(), leaves_[i].begin(), leaves_[i].end());
        }
        return bytes;
    };
    EXPECT_EQ(*ledger_->tree().tile(0, 0, 256), bytes_of(0, 256));
    EXPECT_EQ(*ledger_->tree().tile(0, 0, 17), bytes_of(0, 17));
    EXPECT_EQ(*ledger_->tree().tile(0, 3, 232), bytes_of(768, 232));
    EXPECT_EQ(*ledger_->tree().tile(0, 3, 1), bytes_of(768, 1));
    EXPECT_EQ(ledger_->tree().tile(0, 3, 233).error(), Errc::not_found);
    EXPECT_EQ(ledger_->tree().tile(0, 4, 1).error(), Errc::not_found);
    EXPECT_EQ(ledger_->tree().tile(0, 0, 0).error(), Errc::not_found);
    EXPECT_EQ(ledger_->tree().tile(0, 0, 257).error(), Errc::not_found);
    const Bytes upper = *ledger_->tree().tile(1, 0, 3);
    for (std::size_t i = 0; i < 3; ++i) {
        const crypto::Digest digest = crypto::merkle_root(std::span(leaves_).subspan(i * 256, 256));
        EXPECT_TRUE(std::equal(digest.begin(), digest.end(), upper.begin() + static_cast<std::ptrdiff_t>(i * 32)));
    }
    EXPECT_EQ(ledger_->tree().tile(1, 0, 4).error(), Errc::not_found);
    EXPECT_EQ(ledger_->tree().tile(2, 0, 1).error(), Errc::not_found);
    EXPECT_EQ(ledger_->tree().tile(63, 0, 1).error(), Errc::not_found);
}

TEST_F(DurableTreeTest, ServesEntryBundles) {
    const Bytes bundle = *ledger_->tree().entries(3, 232);
    std::string expected;
    for (std::uint64_t i = 768; i < 1000; ++i) {
        const std::string text = testing::entry_text(i);
        expected += std::string(1, '\0') + static_cast<char>(text.size()) + text;
    }
    EXPECT_EQ(as_text(bundle), expected);
    EXPECT_EQ(as_text(*ledger_->tree().entries(0, 1)), expected.substr(0, 0) + std::string("\0\x07"
                                                                                           "entry 0",
                                                                                           9));
    EXPECT_EQ(ledger_->tree().entries(3, 233).error(), Errc::not_found);
    EXPECT_EQ(as_text(*ledger_->tree().entry(999)), "entry 999");
    EXPECT_EQ(ledger_->tree().entry(1000).error(), Errc::not_found);
}

// Everything a node would serve, judged by Go's sumdb packages.
TEST(IndependentVerifier, AcceptsALogOfSeventyThousandEntriesAndItsReceipts) {
    const TestDirectory directory;
    const std::string verifier = directory.path("verifier");
    const std::string build = "bash " XINFU_SOURCE_DIR "/tests/support/verifier/build.sh " + verifier;
    ASSERT_EQ(std::system(build.c_str()), 0);
    const auto ledger = make_ledger(directory.path());
    const std::string key = "'" + testing::make_signer()->verifier_key() + "'";
    const std::string log = directory.path("log");
    std::filesystem::create_directory(log);
    ASSERT_TRUE(append_entries(*ledger, 300));
    testing::write_file(directory.path("old"), *ledger->head().checkpoint);
    ASSERT_TRUE(append_entries(*ledger, 69'700));
    constexpr std::uint64_t kSize = 70'000;
    const Committed head = ledger->head();
    ASSERT_EQ(head.tree_size, kSize);

    testing::write_file(log + "/checkpoint", *head.checkpoint);
    const auto save = [&](const crypto::TileCoordinates& tile, const Bytes& bytes) {
        const std::filesystem::path path = log + "/" + crypto::tile_path(tile);
        std::filesystem::create_directories(path.parent_path());
        testing::write_file(path.string(), as_text(bytes));
    };
    for (unsigned level = 0; kSize >> (8 * level) != 0; ++level) {
        for (std::uint64_t index = 0;; ++index) {
            const unsigned width = crypto::tile_width(level, index, kSize);
            if (width == 0) {
                break;
            }
            save({false, level, index, width}, *ledger->tree().tile(level, index, width));
            if (level == 0) {
                save({true, 0, index, width}, *ledger->tree().entries(index, width));
            }
        }
    }
    EXPECT_EQ(std::system((verifier + " log " + log + " " + key).c_str()), 0);
    EXPECT_EQ(
        std::system((verifier + " consistency " + log + " " + directory.path("old") + " " + log + "/checkpoint " + key)
                        .c_str()),
        0);
    for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{65'535}, std::uint64_t{65'536}, kSize - 1}) {
        const crypto::TlogProof proof{.extra = *ledger->tree().entry(index),
                                      .index = index,
                                      .hashes = *ledger->tree().inclusion_proof(index, kSize),
                                      .checkpoint = *head.checkpoint};
        testing::write_file(directory.path("receipt"), crypto::encode_tlog_proof(proof));
        EXPECT_EQ(std::system((verifier + " receipt " + directory.path("receipt") + " " + key).c_str()), 0) << index;
    }
    // And it does refuse: one hash of one tile is another.
    Bytes tile = *ledger->tree().tile(0, 7, 256);
    tile[5] ^= 1;
    save({false, 0, 7, 256}, tile);
    EXPECT_NE(std::system((verifier + " log " + log + " " + key + " 2>/dev/null").c_str()), 0);
}

}  // namespace
}  // namespace xinfu::storage
