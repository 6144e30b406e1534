// The sealed values are C2SP XAES-256-GCM's own test vectors.
#include "crypto/seal.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "crypto/error.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

TEST(Sealer, OpensTheSpecificationsVectors) {
    const std::string nonce = "ABCDEFGHIJKLMNOPQRSTUVWX";
    Bytes sealed = to_bytes(nonce);
    const Bytes first = test::hex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    sealed.insert(sealed.end(), first.begin(), first.end());
    EXPECT_EQ(Sealer(Bytes(32, 1)).open(sealed, {}).value(), to_bytes("XAES-256-GCM"));

    sealed = to_bytes(nonce);
    const Bytes second = test::hex("986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
    sealed.insert(sealed.end(), second.begin(), second.end());
    EXPECT_EQ(Sealer(Bytes(32, 3)).open(sealed, as_bytes("c2sp.org/XAES-256-GCM")).value(), to_bytes("XAES-256-GCM"));
}

TEST(Sealer, OpensWhatAnotherSealerOfTheSameKeySealed) {
    const Sealer before(Bytes(32, 5));
    const Sealer after(Bytes(32, 5));  // as after a restart
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{70000}}) {
        const Bytes plain(size, 0x61);
        const Bytes sealed = before.seal(plain, as_bytes("table 3, key k"));
        EXPECT_EQ(sealed.size(), size + kSealOverheadBytes);
        EXPECT_EQ(after.open(sealed, as_bytes("table 3, key k")).value(), plain);
    }
}

TEST(Sealer, DoesNotOpenWhatWasChangedMovedOrCut) {
    const Sealer sealer(Bytes(32, 5));
    const Bytes sealed = sealer.seal(as_bytes("value"), as_bytes("here"));
    EXPECT_EQ(sealer.open(sealed, as_bytes("there")).error(), Errc::seal_not_opened);
    EXPECT_EQ(Sealer(Bytes(32, 6)).open(sealed, as_bytes("here")).error(), Errc::seal_not_opened);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes changed = sealed;
        changed[i] ^= 1;
        EXPECT_EQ(sealer.open(changed, as_bytes("here")).error(), Errc::seal_not_opened) << "byte " << i;
        EXPECT_EQ(sealer.open(ByteView(sealed).first(i), as_bytes("here")).error(), Errc::seal_not_opened)
            << "cut after byte " << i;
    }
    EXPECT_EQ(sealer.open(sealed, as_bytes("here")).value(), to_bytes("value"));
}

TEST(Sealer, NeverUsesANonceTwiceFromManyThreads) {
    const Sealer sealer(Bytes(32, 5));
    std::array<std::vector<Bytes>, 4> sealed;
    {
        std::vector<std::jthread> threads;
        for (auto& mine : sealed) {
            threads.emplace_back([&] {
                for (int i = 0; i < 500; ++i) {
                    mine.push_back(sealer.seal(as_bytes("same"), {}));
                    ASSERT_TRUE(sealer.open(mine.back(), {}));
                }
            });
        }
    }
    std::set<Bytes> nonces;
    for (const auto& mine : sealed) {
        for (const Bytes& value : mine) {
            nonces.insert(Bytes(value.begin(), value.begin() + 24));
        }
    }
    EXPECT_EQ(nonces.size(), 2000u);
}

}  // namespace
}  // namespace xinfu::crypto
