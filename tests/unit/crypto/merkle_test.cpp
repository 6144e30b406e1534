// Roots and one proof of the eight-entry tree that Certificate Transparency's implementations share; every
// other proof is compared with RFC 6962's recursive definitions, written down here as the RFC has them; one
// consistency proof comes from Go's sumdb/tlog (tests/vectors/tlog/make.go).
#include "crypto/merkle.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <sstream>

#include "crypto/note.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

using Hashes = std::vector<Digest>;

const std::array<const char*, 8> kEntries{
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const std::array<const char*, 8> kRoots{"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

Hashes leaves(std::size_t count) {
    Hashes hashes;
    for (std::size_t i = 0; i < count; ++i) {
        hashes.push_back(leaf_hash(as_bytes("entry " + std::to_string(i))));
    }
    return hashes;
}

// RFC 6962 section 2.1: MTH, PATH and SUBPROOF.
std::size_t split(std::size_t n) {
    return std::bit_floor(n - 1);
}
Digest mth(std::span<const Digest> d) {
    if (d.size() == 1) {
        return d[0];
    }
    const std::size_t k = split(d.size());
    return node_hash(mth(d.first(k)), mth(d.subspan(k)));
}
Hashes path(std::size_t m, std::span<const Digest> d) {
    if (d.size() == 1) {
        return {};
    }
    const std::size_t k = split(d.size());
    Hashes proof = m < k ? path(m, d.first(k)) : path(m - k, d.subspan(k));
    proof.push_back(m < k ? mth(d.subspan(k)) : mth(d.first(k)));
    return proof;
}
Hashes subproof(std::size_t m, std::span<const Digest> d, bool complete) {
    if (m == d.size()) {
        return complete ? Hashes{} : Hashes{mth(d)};
    }
    const std::size_t k = split(d.size());
    Hashes proof = m <= k ? subproof(m, d.first(k), complete) : subproof(m - k, d.subspan(k), false);
    proof.push_back(m <= k ? mth(d.subspan(k)) : mth(d.first(k)));
    return proof;
}

TEST(Merkle, GivesTheKnownRoots) {
    EXPECT_EQ(to_base64(merkle_root({})), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    Frontier frontier;
    for (std::size_t i = 0; i < kEntries.size(); ++i) {
        frontier.append(leaf_hash(test::hex(kEntries[i])));
        EXPECT_EQ(to_hex(frontier.root()), kRoots[i]) << i + 1 << " entries";
    }
}

TEST(Merkle, AppendsSubtreesAsItAppendsTheirLeaves) {
    const Hashes all = leaves(70);
    for (const unsigned height : {0u, 1u, 2u, 4u, 5u}) {
        const std::size_t width = std::size_t{1} << height;
        Frontier frontier;
        for (std::size_t i = 0; i + width <= all.size(); i += width) {
            frontier.append_subtree(height, mth(std::span(all).subspan(i, width)));
            ASSERT_EQ(frontier.size(), i + width);
            ASSERT_EQ(frontier.root(), mth(std::span(all).first(i + width))) << height << ' ' << i;
        }
    }
}

TEST(Merkle, VerifiesTheKnownInclusionProof) {
    const Hashes proof{test::hex_array<32>("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
                       test::hex_array<32>("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
                       test::hex_array<32>("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")};
    EXPECT_TRUE(verify_inclusion(leaf_hash({}), 0, 8, proof, test::hex_array<32>(kRoots[7])));
}

TEST(Merkle, AcceptsEveryTrueInclusionProofAndNoChangedOne) {
    const Hashes all = leaves(70);
    for (std::size_t n = 1; n <= all.size(); ++n) {
        const std::span tree = std::span(all).first(n);
        const Digest root = mth(tree);
        ASSERT_EQ(merkle_root(tree), root);
        for (std::size_t i = 0; i < n; ++i) {
            Hashes proof = path(i, tree);
            ASSERT_TRUE(verify_inclusion(all[i], i, n, proof, root)) << i << " of " << n;
            EXPECT_FALSE(verify_inclusion(all[i], n, n, proof, root));
            if (n > 1) {
                EXPECT_FALSE(verify_inclusion(all[i], (i + 1) % n, n, proof, root)) << i << " of " << n;
                EXPECT_FALSE(verify_inclusion(all[(i + 1) % n], i, n, proof, root)) << i << " of " << n;
                EXPECT_FALSE(verify_inclusion(all[i], i, n, std::span(proof).first(proof.size() - 1), root));
            }
            proof.push_back(root);
            EXPECT_FALSE(verify_inclusion(all[i], i, n, proof, root)) << i << " of " << n << ", longer";
        }
    }
}

TEST(Merkle, AcceptsEveryTrueConsistencyProofAndNoChangedOne) {
    const Hashes all = leaves(70);
    for (std::size_t n = 1; n <= all.size(); ++n) {
        const std::span tree = std::span(all).first(n);
        const Digest root = mth(tree);
        for (std::size_t m = 1; m <= n; ++m) {
            const Digest old_root = mth(tree.first(m));
            Hashes proof = subproof(m, tree, true);
            ASSERT_TRUE(verify_consistency(m, old_root, n, root, proof)) << m << " to " << n;
            if (m < n) {
                EXPECT_FALSE(verify_consistency(m, root, n, root, proof)) << m << " to " << n;
                EXPECT_FALSE(verify_consistency(m, old_root, n, old_root, proof)) << m << " to " << n;
                for (std::size_t i = 0; i < proof.size(); ++i) {
                    Hashes changed = proof;
                    changed[i][31] ^= 1;
                    EXPECT_FALSE(verify_consistency(m, old_root, n, root, changed)) << m << " to " << n;
                }
                EXPECT_FALSE(verify_consistency(m, old_root, n, root, std::span(proof).first(proof.size() - 1)));
            }
            proof.push_back(root);
            EXPECT_FALSE(verify_consistency(m, old_root, n, root, proof)) << m << " to " << n << ", longer";
        }
        EXPECT_TRUE(verify_consistency(0, merkle_root({}), n, root, {}));
        EXPECT_FALSE(verify_consistency(0, root, n, root, {}));
        EXPECT_FALSE(verify_consistency(n + 1, root, n, root, {}));
    }
}

TEST(Merkle, RefusesProofsOfASmallerTreeThanIsClaimed) {
    const Hashes all = leaves(8);
    const auto two = std::span(all).first(2);
    const auto four = std::span(all).first(4);
    EXPECT_FALSE(verify_inclusion(all[0], 0, 4, path(0, two), mth(two)));
    EXPECT_FALSE(verify_inclusion(all[0], 0, 3, path(0, two), mth(two)));
    EXPECT_FALSE(verify_consistency(2, mth(two), 8, mth(four), subproof(2, four, true)));
}

TEST(Merkle, VerifiesGosConsistencyProof) {
    std::istringstream vectors(test::read_vector("tlog/vectors.txt"));
    std::string line;
    while (std::getline(vectors, line) && !line.starts_with("consistency ")) {
    }
    std::istringstream words(line);
    std::string word;
    std::uint64_t old_size = 0;
    std::uint64_t size = 0;
    words >> word >> old_size >> size;
    Hashes proof;
    while (words >> word) {
        std::ranges::copy(*from_base64(word), proof.emplace_back().begin());
    }
    const auto root_of = [](const std::string& name) {
        const std::string note = test::read_vector(name);
        return parse_checkpoint(note.substr(0, note.find("\n\n") + 1)).value().root;
    };
    const Digest old_root = root_of("tlog/checkpoint-100");
    const Digest root = root_of("tlog/log/checkpoint");
    ASSERT_GT(proof.size(), 3u);
    EXPECT_TRUE(verify_consistency(old_size, old_root, size, root, proof));
    EXPECT_FALSE(verify_consistency(old_size + 1, old_root, size, root, proof));
}

TEST(TilePath, SpellsTheSpecificationsExamples) {
    const auto path_of = [](unsigned level, std::uint64_t index, unsigned width) {
        return tile_path({.level = level, .index = index, .width = width});
    };
    EXPECT_EQ(path_of(0, 1234067, 256), "tile/0/x001/x234/067");
    EXPECT_EQ(path_of(0, 273, 112), "tile/0/273.p/112");
    EXPECT_EQ(path_of(2, 0, 1), "tile/2/000.p/1");
    EXPECT_EQ(path_of(0, 1000, 256), "tile/0/x001/000");
    EXPECT_EQ(tile_path({.entries = true, .index = 5, .width = 17}), "tile/entries/005.p/17");
}

TEST(TilePath, ReadsBackOnlyTheCanonicalForm) {
    for (const char* text : {"tile/0/x001/x234/067", "tile/0/273.p/112", "tile/63/000.p/1", "tile/entries/005.p/17",
                             "tile/entries/x999/999"}) {
        const auto tile = parse_tile_path(text);
        ASSERT_TRUE(tile) << text;
        EXPECT_EQ(tile_path(*tile), text);
    }
    for (const char* text : {"",
                             "tile",
                             "tile/",
                             "tile/0",
                             "tile/0/",
                             "tile/0/0",
                             "tile/0/00",
                             "tile/0/0000",
                             "tile/64/000",
                             "tile/00/000",
                             "tile/0/000.p/0",
                             "tile/0/000.p/256",
                             "tile/0/000.p/01",
                             "tile/0/000.p/",
                             "tile/0/001/234",
                             "tile/0/x000/001",
                             "tile/0/x001/x234",
                             "tile/-1/000",
                             "tile/0/../000",
                             "tile/entries/000.p/1/",
                             "/tile/0/000",
                             "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
                             "tile/0/000.p/1.p/1"}) {
        EXPECT_FALSE(parse_tile_path(text)) << text;
    }
}

TEST(TileWidth, CountsTheHashesOfATreeOf70000Leaves) {
    EXPECT_EQ(tile_width(0, 272, 70000), 256u);
    EXPECT_EQ(tile_width(0, 273, 70000), 112u);
    EXPECT_EQ(tile_width(0, 274, 70000), 0u);
    EXPECT_EQ(tile_width(1, 0, 70000), 256u);
    EXPECT_EQ(tile_width(1, 1, 70000), 17u);
    EXPECT_EQ(tile_width(2, 0, 70000), 1u);
    EXPECT_EQ(tile_width(3, 0, 70000), 0u);
    EXPECT_EQ(tile_width(63, 0, 70000), 0u);
}

}  // namespace
}  // namespace xinfu::crypto
