// Sealing: authenticated encryption of stored values and of large originals.
//
// Format:  values: XAES-256-GCM (C2SP), nonce (24) || ciphertext || tag (16). A Sealer draws the first 16
// bytes of
//          its nonces once and counts in the last 8, so that no two values ever share key and nonce, however
//          many there are, and sealing costs one AES-256-GCM operation. streams: chunks of 64 KiB under
//          AES-256-GCM with a key of their own; nonce = chunk number (u88 BE) || 1 for the last chunk, else 0
//          (the STREAM construction): a missing, moved or repeated chunk does not open.
// Sources: C2SP XAES-256-GCM; NIST SP 800-38D; Hoang, Reyhanitabar, Rogaway, Vizar 2015 (STREAM).
// Threads: a Sealer is internally locked; a StreamSealer or StreamOpener belongs to one thread at a time.
// Errors:  crypto::Errc::seal_not_opened, without saying why.
#pragma once

#include <cstdint>
#include <memory>

#include "crypto/bytes.hpp"
#include "crypto/random.hpp"
#include "crypto/result.hpp"

namespace Botan {
class AEAD_Mode;
}

namespace xinfu::crypto {

inline constexpr std::size_t kSealKeySizeBytes = 32;
inline constexpr std::size_t kSealOverheadBytes = 24 + 16;

class Sealer {
public:
    // `key` is 32 bytes.
    explicit Sealer(ByteView key, RandomSource& random = system_random());
    ~Sealer();
    Sealer(const Sealer&) = delete;
    Sealer& operator=(const Sealer&) = delete;

    Bytes seal(ByteView plaintext, ByteView associated_data) const;
    Result<Bytes> open(ByteView sealed, ByteView associated_data) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

inline constexpr std::size_t kStreamChunkBytes = 64 * 1024;  // of plaintext; only the last may be shorter
inline constexpr std::size_t kStreamTagBytes = 16;
// Bytes that a stream of `plaintext_size` bytes takes once sealed.
std::uint64_t sealed_stream_size(std::uint64_t plaintext_size);

class StreamSealer {
public:
    // `key` is 32 bytes and seals this one stream only. `associated_data` (an object's id) goes into each
    // chunk.
    StreamSealer(ByteView key, ByteView associated_data);
    ~StreamSealer();
    StreamSealer(StreamSealer&&) noexcept;

    // Appends what became complete to `sealed`.
    void update(ByteView plaintext, Bytes& sealed);
    void finish(Bytes& sealed);  // once, last

private:
    void flush(bool last, Bytes& sealed);
    std::unique_ptr<Botan::AEAD_Mode> mode_;
    Bytes associated_data_;
    Bytes pending_;
    std::uint64_t chunk_ = 0;
};

class StreamOpener {
public:
    StreamOpener(ByteView key, ByteView associated_data);
    ~StreamOpener();
    StreamOpener(StreamOpener&&) noexcept;

    // Appends opened bytes; only whole, authenticated chunks. After an error nothing further may be used.
    Result<void> update(ByteView sealed, Bytes& plaintext);
    // Fails unless the stream ended with its last chunk. What update gave before is a true prefix either way.
    Result<void> finish(Bytes& plaintext);

private:
    Result<void> open_chunk(ByteView chunk, bool last, Bytes& plaintext);
    std::unique_ptr<Botan::AEAD_Mode> mode_;
    Bytes associated_data_;
    Bytes pending_;
    std::uint64_t chunk_ = 0;
};

}  // namespace xinfu::crypto
