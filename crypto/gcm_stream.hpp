// GcmSealer and GcmOpener: AES-256-GCM over a content too large to hold. What comes out early is only as good as the
// tag at the end: nobody may act on it before.
//
// How many octets are out depends on how many went in alone, not on how they were cut: whole blocks of 16, and the rest
// at the end. So two processes that open the same cipher text agree on what is open.
//
// Sources: NIST SP 800-38D. No associated data.
// Threads: one strand.
// Errors:  envelope_not_opened.
#pragma once

#include <memory>

#include "crypto/bytes.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"

namespace Botan {
class AEAD_Mode;
}

namespace xinfu::crypto {

class GcmOpener {
public:
    // 32 octets, 12 octets.
    GcmOpener(ByteView key, ByteView nonce);
    GcmOpener(GcmOpener&&) noexcept;
    GcmOpener& operator=(GcmOpener&&) noexcept;
    ~GcmOpener();

    void update(ByteView cipher_text, Bytes& plain_text);  // appends
    // Appends the rest, if the tag is the right one. Nothing may follow.
    Result<void> finish(ByteView tag, Bytes& plain_text);

private:
    std::unique_ptr<Botan::AEAD_Mode> mode_;
    Bytes pending_;  // less than a block
};

class GcmSealer {
public:
    GcmSealer(ByteView key, ByteView nonce);
    GcmSealer(GcmSealer&&) noexcept;
    GcmSealer& operator=(GcmSealer&&) noexcept;
    ~GcmSealer();

    void update(ByteView plain_text, Bytes& cipher_text);  // appends
    Bytes finish(Bytes& cipher_text);                      // appends the rest, and answers the tag

private:
    std::unique_ptr<Botan::AEAD_Mode> mode_;
    Bytes pending_;
};

}  // namespace xinfu::crypto
