#include "crypto/gcm.hpp"

#include <cassert>

#include <botan/aead.h>
#include <botan/exceptn.h>

#include "crypto/secret.hpp"

namespace xinfu::crypto::gcm {
namespace {

Mode make_mode(Botan::Cipher_Dir direction, ByteView key) {
    assert(key.size() == 32);
    Mode mode = Botan::AEAD_Mode::create_or_throw("AES-256/GCM", direction);
    assert(mode->tag_size() == kTagBytes);
    mode->set_key(key.data(), key.size());
    return mode;
}

// Encrypts or decrypts what `out` holds from `start` on, in place; the last piece, which carries the tag,
// through Botan's own buffer.
void finish_in_place(Botan::AEAD_Mode& mode, std::size_t start, std::size_t last_bytes_min, Bytes& out) {
    const std::size_t size = out.size() - start;
    const std::size_t body = size < last_bytes_min ? 0 : size - last_bytes_min;
    const std::size_t whole = body - body % mode.update_granularity();
    if (whole != 0) {
        const std::size_t done = mode.process(out.data() + start, whole);
        assert(done == whole);
    }
    Botan::secure_vector<std::uint8_t> last(out.begin() + static_cast<std::ptrdiff_t>(start + whole), out.end());
    mode.finish(last);
    out.resize(start + whole);
    out.insert(out.end(), last.begin(), last.end());
}

}  // namespace

Mode make_sealing_mode(ByteView key) {
    return make_mode(Botan::Cipher_Dir::Encryption, key);
}
Mode make_opening_mode(ByteView key) {
    return make_mode(Botan::Cipher_Dir::Decryption, key);
}

void set_associated_data(Botan::AEAD_Mode& mode, ByteView associated_data) {
    mode.set_associated_data(associated_data);
}

void append_sealed(Botan::AEAD_Mode& mode, const Nonce& nonce, ByteView plaintext, Bytes& out) {
    const std::size_t start = out.size();
    out.reserve(start + plaintext.size() + kTagBytes);
    out.insert(out.end(), plaintext.begin(), plaintext.end());
    mode.start(nonce.data(), nonce.size());
    finish_in_place(mode, start, 0, out);
    assert(out.size() == start + plaintext.size() + kTagBytes);
}

bool append_opened(Botan::AEAD_Mode& mode, const Nonce& nonce, ByteView sealed, Bytes& out) {
    if (sealed.size() < kTagBytes) {
        return false;
    }
    const std::size_t start = out.size();
    try {
        out.insert(out.end(), sealed.begin(), sealed.end());
        mode.start(nonce.data(), nonce.size());
        finish_in_place(mode, start, kTagBytes, out);
        return true;
    } catch (const Botan::Invalid_Authentication_Tag&) {
        // Decrypted but not authentic: nothing of it may be seen.
        wipe(std::span(out).subspan(start));
        out.resize(start);
        return false;
    }
}

}  // namespace xinfu::crypto::gcm
