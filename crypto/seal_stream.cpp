#include <algorithm>
#include <array>
#include <cassert>

#include <botan/aead.h>
#include <boost/endian/conversion.hpp>

#include "crypto/error.hpp"
#include "crypto/gcm.hpp"
#include "crypto/seal.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kSealedChunkBytes = kStreamChunkBytes + kStreamTagBytes;

gcm::Mode with_data(gcm::Mode mode, ByteView associated_data) {
    gcm::set_associated_data(*mode, associated_data);  // stays for every chunk
    return mode;
}

gcm::Nonce chunk_nonce(std::uint64_t chunk, bool last) {
    gcm::Nonce nonce{};
    boost::endian::store_big_u64(nonce.data() + 3, chunk);
    nonce[11] = last ? 1 : 0;
    return nonce;
}

}  // namespace

std::uint64_t sealed_stream_size(std::uint64_t plaintext_size) {
    const std::uint64_t chunks = plaintext_size == 0 ? 1 : (plaintext_size + kStreamChunkBytes - 1) / kStreamChunkBytes;
    return plaintext_size + chunks * kStreamTagBytes;
}

StreamSealer::StreamSealer(ByteView key, ByteView associated_data)
    : mode_(with_data(gcm::make_sealing_mode(key), associated_data)) {
    pending_.reserve(kSealedChunkBytes);
}
StreamSealer::~StreamSealer() = default;
StreamSealer::StreamSealer(StreamSealer&&) noexcept = default;

void StreamSealer::flush(bool last, Bytes& sealed) {
    gcm::append_sealed(*mode_, chunk_nonce(chunk_++, last), pending_, sealed);
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
        pending_.insert(pending_.end(), plaintext.begin(), plaintext.begin() + static_cast<std::ptrdiff_t>(size));
        plaintext = plaintext.subspan(size);
    }
}

void StreamSealer::finish(Bytes& sealed) {
    assert(mode_);
    flush(true, sealed);
    mode_.reset();  // a second finish would reuse no nonce, it stops here
}

StreamOpener::StreamOpener(ByteView key, ByteView associated_data)
    : mode_(with_data(gcm::make_opening_mode(key), associated_data)) {
    pending_.reserve(kSealedChunkBytes);
}
StreamOpener::~StreamOpener() = default;
StreamOpener::StreamOpener(StreamOpener&&) noexcept = default;

Result<void> StreamOpener::open_chunk(ByteView chunk, bool last, Bytes& plaintext) {
    // An empty last chunk is only for an empty stream, or one content would have two sealed forms.
    if (!mode_ || chunk.size() < kStreamTagBytes || (last && chunk_ > 0 && chunk.size() == kStreamTagBytes)) {
        return Errc::seal_not_opened;
    }
    if (!gcm::append_opened(*mode_, chunk_nonce(chunk_++, last), chunk, plaintext)) {
        mode_.reset();
        return Errc::seal_not_opened;
    }
    return {};
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
