// AES-256-GCM over Botan, for the files of crypto/ that seal: appends to a buffer and encrypts there, without
// the zeroed and wiped copies that Botan's secure vectors would cost for every chunk.
//
// Threads: a mode belongs to one thread at a time.
// Errors:  append_opened answers false when the tag is wrong; `out` is then as it was.
#pragma once

#include <array>
#include <memory>

#include "crypto/bytes.hpp"

namespace Botan {
class AEAD_Mode;
}

namespace xinfu::crypto::gcm {

inline constexpr std::size_t kTagBytes = 16;  // NIST SP 800-38D section 5.2.1.2: full length
using Nonce = std::array<std::uint8_t, 12>;   // 96 bits, section 5.2.1.1
using Mode = std::unique_ptr<Botan::AEAD_Mode>;

Mode make_sealing_mode(ByteView key);  // 32 bytes
Mode make_opening_mode(ByteView key);
void set_associated_data(Botan::AEAD_Mode& mode, ByteView associated_data);

void append_sealed(Botan::AEAD_Mode& mode, const Nonce& nonce, ByteView plaintext, Bytes& out);
bool append_opened(Botan::AEAD_Mode& mode, const Nonce& nonce, ByteView sealed, Bytes& out);

}  // namespace xinfu::crypto::gcm
