// Digests of sealed streams come from the Python package `cryptography` (tests/vectors/seal/make.py).
#include <gtest/gtest.h>

#include <sstream>

#include "crypto/digest.hpp"
#include "crypto/error.hpp"
#include "crypto/seal.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kObject = "object-1";

Bytes key() {
    Bytes bytes(kSealKeySizeBytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(i);
    }
    return bytes;
}

Bytes plaintext(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::uint8_t>(i % 251);
    }
    return bytes;
}

Bytes seal(ByteView plain, std::size_t piece) {
    StreamSealer sealer(key(), as_bytes(kObject));
    Bytes sealed;
    while (!plain.empty()) {
        const std::size_t size = std::min(piece, plain.size());
        sealer.update(plain.first(size), sealed);
        plain = plain.subspan(size);
    }
    sealer.finish(sealed);
    return sealed;
}

Result<Bytes> open(ByteView sealed, std::size_t piece, std::string_view object = kObject) {
    StreamOpener opener(key(), as_bytes(object));
    Bytes plain;
    while (!sealed.empty()) {
        const std::size_t size = std::min(piece, sealed.size());
        if (auto opened = opener.update(sealed.first(size), plain); !opened) {
            return opened.error();
        }
        sealed = sealed.subspan(size);
    }
    if (auto finished = opener.finish(plain); !finished) {
        return finished.error();
    }
    return plain;
}

TEST(StreamSealer, SealsWhatAnotherImplementationSeals) {
    std::istringstream vectors(test::read_vector("seal/streams.txt"));
    std::size_t size = 0;
    std::string digest;
    int count = 0;
    while (vectors >> size >> digest) {
        const Bytes plain = plaintext(size);
        for (const std::size_t piece : {std::size_t{1000}, kStreamChunkBytes, std::size_t{1} << 20}) {
            const Bytes sealed = seal(plain, piece);
            EXPECT_EQ(to_hex(sha256(sealed)), digest) << size << " bytes in pieces of " << piece;
            EXPECT_EQ(sealed.size(), sealed_stream_size(size));
            const auto opened = open(sealed, piece);
            ASSERT_TRUE(opened) << size << " bytes in pieces of " << piece;
            EXPECT_EQ(*opened, plain);
        }
        ++count;
    }
    EXPECT_EQ(count, 8);
}

TEST(StreamOpener, NoticesEveryTruncation) {
    const Bytes sealed = seal(plaintext(2 * kStreamChunkBytes + 5), 4096);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{15}, std::size_t{16}, kStreamChunkBytes + 15, kStreamChunkBytes + 16,
          kStreamChunkBytes + 17, 2 * (kStreamChunkBytes + 16), sealed.size() - 1}) {
        EXPECT_EQ(open(ByteView(sealed).first(size), 4096).error(), Errc::seal_not_opened) << "cut after byte " << size;
    }
}

TEST(StreamOpener, NoticesMovedRepeatedMissingAndAppendedChunks) {
    const std::size_t chunk = kStreamChunkBytes + kStreamTagBytes;
    const Bytes sealed = seal(plaintext(3 * kStreamChunkBytes), 4096);
    const auto part = [&](std::size_t n) { return ByteView(sealed).subspan(n * chunk, chunk); };
    const auto join = [&](std::initializer_list<std::size_t> order) {
        Bytes bytes;
        for (const std::size_t n : order) {
            bytes.insert(bytes.end(), part(n).begin(), part(n).end());
        }
        return bytes;
    };
    EXPECT_TRUE(open(join({0, 1, 2}), 4096));
    for (const auto& order : {join({1, 0, 2}), join({0, 0, 1, 2}), join({0, 2}), join({0, 1, 2, 2}), join({2})}) {
        EXPECT_EQ(open(order, 4096).error(), Errc::seal_not_opened);
    }
}

TEST(StreamOpener, NoticesChangedBytesAndAnotherObject) {
    const Bytes sealed = seal(plaintext(100), 4096);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes changed = sealed;
        changed[i] ^= 0x80;
        EXPECT_EQ(open(changed, 4096).error(), Errc::seal_not_opened) << "byte " << i;
    }
    EXPECT_EQ(open(sealed, 4096, "object-2").error(), Errc::seal_not_opened);
}

TEST(StreamOpener, StaysClosedAfterAnError) {
    Bytes sealed = seal(plaintext(kStreamChunkBytes + 1), 4096);
    sealed[0] ^= 1;
    StreamOpener opener(key(), as_bytes(kObject));
    Bytes plain;
    EXPECT_FALSE(opener.update(sealed, plain));
    EXPECT_FALSE(opener.finish(plain));
    EXPECT_TRUE(plain.empty());
}

}  // namespace
}  // namespace xinfu::crypto
