#include <algorithm>
#include <array>
#include <cassert>

#include <botan/aead.h>
#include <botan/exceptn.h>
#include <boost/endian/conversion.hpp>

#include "crypto/error.hpp"
#include "crypto/seal.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kSealedChunkBytes = kStreamChunkBytes + kStreamTagBytes;

std::unique_ptr<Botan::AEAD_Mode> make_mode(Botan::Cipher_Dir direction, ByteView key,
                                            ByteView associated_data) {
    assert(key.size() == kSealKeySizeBytes);
    auto mode = Botan::AEAD_Mode::create_or_throw("AES-256/GCM", direction);
    mode->set_key(key.data(), key.size());
    mode->set_associated_data(associated_data);  // stays for every chunk
    return mode;
}

std::array<std::uint8_t, 12> chunk_nonce(std::uint64_t chunk, bool last) {
    std::array<std::uint8_t, 12> nonce{};
    boost::endian::store_big_u64(nonce.data() + 3, chunk);
    nonce[11] = last ? 1 : 0;
    return nonce;
}

}  // namespace

std::uint64_t sealed_stream_size(std::uint64_t plaintext_size) {
    const std::uint64_t chunks =
        plaintext_size == 0 ? 1 : (plaintext_size + kStreamChunkBytes - 1) / kStreamChunkBytes;
    return plaintext_size + chunks * kStreamTagBytes;
}

StreamSealer::StreamSealer(ByteView key, ByteView associated_data)
    : mode_(make_mode(Botan::Cipher_Dir::Encryption, key, associated_data)) {
    pending_.reserve(kSealedChunkBytes);
}
StreamSealer::~StreamSealer() = default;
StreamSealer::StreamSealer(StreamSealer&&) noexcept = default;

void StreamSealer::flush(bool last, Bytes& sealed) {
    const auto nonce = chunk_nonce(chunk_++, last);
    Botan::secure_vector<std::uint8_t> buffer(pending_.begin(), pending_.end());
    mode_->start(nonce.data(), nonce.size());
    mode_->finish(buffer);
    sealed.insert(sealed.end(), buffer.begin(), buffer.end());
    pending_.clear();
}

void StreamSealer::update(ByteView plaintext, Bytes& sealed) {
    assert(mode_);
    while (!plaintext.empty()) {
        // A full chunk waits until more arrives: only then is it known not to be the last.
        if (pending_.size() == kStreamChunkBytes) {
            flush(false, sealed);
        }
        const std::size_t size = std::min(plaintext.size(), kStreamChunkBytes - pending_.size());
        pending_.insert(pending_.end(), plaintext.begin(),
                        plaintext.begin() + static_cast<std::ptrdiff_t>(size));
        plaintext = plaintext.subspan(size);
    }
}

void StreamSealer::finish(Bytes& sealed) {
    assert(mode_);
    flush(true, sealed);
    mode_.reset();  // a second finish would reuse no nonce, it stops here
}

StreamOpener::StreamOpener(ByteView key, ByteView associated_data)
    : mode_(make_mode(Botan::Cipher_Dir::Decryption, key, associated_data)) {
    pending_.reserve(kSealedChunkBytes);
}
StreamOpener::~StreamOpener() = default;
StreamOpener::StreamOpener(StreamOpener&&) noexcept = default;

Result<void> StreamOpener::open_chunk(ByteView chunk, bool last, Bytes& plaintext) try {
    // An empty last chunk is only for an empty stream, or one content would have two sealed forms.
    if (!mode_ || chunk.size() < kStreamTagBytes || (last && chunk_ > 0 && chunk.size() == kStreamTagBytes)) {
        return Errc::seal_not_opened;
    }
    const auto nonce = chunk_nonce(chunk_++, last);
    Botan::secure_vector<std::uint8_t> buffer(chunk.begin(), chunk.end());
    mode_->start(nonce.data(), nonce.size());
    mode_->finish(buffer);
    plaintext.insert(plaintext.end(), buffer.begin(), buffer.end());
    return {};
} catch (const Botan::Invalid_Authentication_Tag&) {
    mode_.reset();
    return Errc::seal_not_opened;
}

Result<void> StreamOpener::update(ByteView sealed, Bytes& plaintext) {
    while (!sealed.empty()) {
        if (pending_.size() == kSealedChunkBytes) {
            if (auto opened = open_chunk(pending_, false, plaintext); !opened) {
                return opened;
            }
            pending_.clear();
        }
        const std::size_t size = std::min(sealed.size(), kSealedChunkBytes - pending_.size());
        pending_.insert(pending_.end(), sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(size));
        sealed = sealed.subspan(size);
    }
    return {};
}

Result<void> StreamOpener::finish(Bytes& plaintext) {
    auto opened = open_chunk(pending_, true, plaintext);
    mode_.reset();
    return opened;
}

}  // namespace xinfu::crypto
