#include "crypto/seal.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <map>
#include <mutex>
#include <vector>

#include <botan/aead.h>
#include <botan/block_cipher.h>
#include <botan/exceptn.h>
#include <boost/endian/conversion.hpp>

#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kTagBytes = 16;         // NIST SP 800-38D section 5.2.1.2: full length
constexpr std::size_t kNonceBytes = 24;       // C2SP XAES-256-GCM
constexpr std::size_t kDerivationBytes = 12;  // of the nonce: select the derived key
constexpr std::size_t kRandomNonceBytes =
    16;  // drawn once per Sealer: 2^64 Sealers before a collision is likely
constexpr std::size_t kDerivedKeysKept = 64;  // one per Sealer that ever sealed, so in practice one per start
static_assert(kNonceBytes + kTagBytes == kSealOverheadBytes);
static_assert(kTagBytes == kStreamTagBytes);

using Mode = std::unique_ptr<Botan::AEAD_Mode>;
using DerivationNonce = std::array<std::uint8_t, kDerivationBytes>;
using Block = std::array<std::uint8_t, 16>;

Mode make_mode(Botan::Cipher_Dir direction, ByteView key) {
    Mode mode = Botan::AEAD_Mode::create_or_throw("AES-256/GCM", direction);
    mode->set_key(key.data(), key.size());
    return mode;
}

// NIST SP 800-108 counter mode with CMAC-AES-256 over "X" and the nonce's first half, as XAES-256-GCM fixes
// it.
class KeyDerivation {
public:
    explicit KeyDerivation(ByteView key) : cipher_(Botan::BlockCipher::create_or_throw("AES-256")) {
        assert(key.size() == kSealKeySizeBytes);
        cipher_->set_key(key.data(), key.size());
        cipher_->encrypt(subkey_.data());
        const bool carry = (subkey_[0] & 0x80) != 0;
        for (std::size_t i = 0; i < subkey_.size(); ++i) {
            const unsigned next = i + 1 < subkey_.size() ? subkey_[i + 1] : 0u;
            subkey_[i] = static_cast<std::uint8_t>(subkey_[i] << 1 | next >> 7);
        }
        if (carry) {
            subkey_.back() ^= 0x87;  // the field's polynomial, NIST SP 800-38B section 5.3
        }
    }
    ~KeyDerivation() { wipe(subkey_); }
    KeyDerivation(const KeyDerivation&) = delete;
    KeyDerivation& operator=(const KeyDerivation&) = delete;

    Secret derive(const DerivationNonce& nonce) const {
        Secret key(kSealKeySizeBytes);
        for (std::uint8_t half = 0; half < 2; ++half) {
            Block block{0x00, static_cast<std::uint8_t>(half + 1), 'X', 0x00};
            std::ranges::copy(nonce, block.begin() + 4);
            for (std::size_t i = 0; i < block.size(); ++i) {
                block[i] ^= subkey_[i];
            }
            cipher_->encrypt(block.data(), key.writable().data() + half * block.size());
        }
        return key;
    }

private:
    std::unique_ptr<Botan::BlockCipher> cipher_;
    Block subkey_{};
};

}  // namespace

// Botan's modes hold state while they work, so each call borrows one; they are made once and reused, since
// making one costs more than sealing a small value.
struct Sealer::State {
    State(ByteView key, RandomSource& random)
        : derivation(key),
          nonce_start(random.array<kRandomNonceBytes>()),
          sealing_key(derivation.derive(first_half())) {}

    DerivationNonce first_half() const {
        DerivationNonce nonce;
        std::copy_n(nonce_start.begin(), nonce.size(), nonce.begin());
        return nonce;
    }

    Mode borrow_sealing() {
        {
            const std::lock_guard lock(mutex);
            if (!sealing.empty()) {
                Mode mode = std::move(sealing.back());
                sealing.pop_back();
                return mode;
            }
        }
        return make_mode(Botan::Cipher_Dir::Encryption, sealing_key.view());
    }
    void return_sealing(Mode mode) {
        const std::lock_guard lock(mutex);
        sealing.push_back(std::move(mode));
    }
    Mode borrow_opening(const DerivationNonce& nonce) {
        {
            const std::lock_guard lock(mutex);
            if (const auto found = opening.find(nonce); found != opening.end() && !found->second.empty()) {
                Mode mode = std::move(found->second.back());
                found->second.pop_back();
                return mode;
            }
        }
        return make_mode(Botan::Cipher_Dir::Decryption, derivation.derive(nonce).view());
    }
    void return_opening(const DerivationNonce& nonce, Mode mode) {
        const std::lock_guard lock(mutex);
        if (opening.size() >= kDerivedKeysKept && !opening.contains(nonce)) {
            opening.clear();
        }
        opening[nonce].push_back(std::move(mode));
    }

    const KeyDerivation derivation;
    const std::array<std::uint8_t, kRandomNonceBytes> nonce_start;
    const Secret sealing_key;
    std::atomic<std::uint64_t> sealed_count = 0;

    std::mutex mutex;  // of what follows
    std::vector<Mode> sealing;
    std::map<DerivationNonce, std::vector<Mode>> opening;
};

Sealer::Sealer(ByteView key, RandomSource& random) : state_(std::make_unique<State>(key, random)) {}
Sealer::~Sealer() = default;

Bytes Sealer::seal(ByteView plaintext, ByteView associated_data) const {
    Bytes sealed(kNonceBytes + plaintext.size() + kTagBytes);
    std::ranges::copy(state_->nonce_start, sealed.begin());
    boost::endian::store_big_u64(sealed.data() + kRandomNonceBytes,
                                 state_->sealed_count.fetch_add(1, std::memory_order_relaxed));

    thread_local Botan::secure_vector<std::uint8_t> buffer;
    buffer.assign(plaintext.begin(), plaintext.end());
    Mode mode = state_->borrow_sealing();
    mode->set_associated_data(associated_data);
    mode->start(sealed.data() + kDerivationBytes, kNonceBytes - kDerivationBytes);
    mode->finish(buffer);
    state_->return_sealing(std::move(mode));

    assert(buffer.size() == plaintext.size() + kTagBytes);
    std::ranges::copy(buffer, sealed.begin() + kNonceBytes);
    return sealed;
}

Result<Bytes> Sealer::open(ByteView sealed, ByteView associated_data) const try {
    if (sealed.size() < kSealOverheadBytes) {
        return Errc::seal_not_opened;
    }
    DerivationNonce nonce;
    std::copy_n(sealed.begin(), nonce.size(), nonce.begin());

    Botan::secure_vector<std::uint8_t> buffer(sealed.begin() + kNonceBytes, sealed.end());
    Mode mode = state_->borrow_opening(nonce);
    mode->set_associated_data(associated_data);
    mode->start(sealed.data() + kDerivationBytes, kNonceBytes - kDerivationBytes);
    mode->finish(buffer);  // throws before anything is released; the mode is then dropped with its state
    state_->return_opening(nonce, std::move(mode));
    return Bytes(buffer.begin(), buffer.end());
} catch (const Botan::Invalid_Authentication_Tag&) {
    return Errc::seal_not_opened;
}

}  // namespace xinfu::crypto
