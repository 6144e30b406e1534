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
#include <boost/endian/conversion.hpp>

#include "crypto/error.hpp"
#include "crypto/gcm.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kNonceBytes = 24;        // C2SP XAES-256-GCM
constexpr std::size_t kDerivationBytes = 12;   // of the nonce: select the derived key
constexpr std::size_t kRandomNonceBytes = 16;  // drawn once per Sealer: 2^64 Sealers before a collision is likely
constexpr std::size_t kDerivedKeysKept = 64;   // one per Sealer that ever sealed, so in practice one per start
static_assert(kNonceBytes + gcm::kTagBytes == kSealOverheadBytes);
static_assert(gcm::kTagBytes == kStreamTagBytes);

using gcm::Mode;
using DerivationNonce = std::array<std::uint8_t, kDerivationBytes>;
using Block = std::array<std::uint8_t, 16>;

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
            subkey_[i] = static_cast<std::uint8_t>(unsigned{subkey_[i]} << 1 | next >> 7);
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

gcm::Nonce second_half(ByteView nonce) {
    gcm::Nonce half;
    std::ranges::copy(nonce.subspan(kDerivationBytes), half.begin());
    return half;
}

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
        return gcm::make_sealing_mode(sealing_key.view());
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
        return gcm::make_opening_mode(derivation.derive(nonce).view());
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
    std::array<std::uint8_t, kNonceBytes> nonce;
    std::ranges::copy(state_->nonce_start, nonce.begin());
    boost::endian::store_big_u64(nonce.data() + kRandomNonceBytes,
                                 state_->sealed_count.fetch_add(1, std::memory_order_relaxed));
    Bytes sealed;
    sealed.reserve(plaintext.size() + kSealOverheadBytes);
    sealed.assign(nonce.begin(), nonce.end());

    Mode mode = state_->borrow_sealing();
    gcm::set_associated_data(*mode, associated_data);
    gcm::append_sealed(*mode, second_half(nonce), plaintext, sealed);
    state_->return_sealing(std::move(mode));
    return sealed;
}

Result<Bytes> Sealer::open(ByteView sealed, ByteView associated_data) const {
    if (sealed.size() < kSealOverheadBytes) {
        return Errc::seal_not_opened;
    }
    DerivationNonce nonce;
    std::copy_n(sealed.begin(), nonce.size(), nonce.begin());

    Bytes plaintext;
    Mode mode = state_->borrow_opening(nonce);
    gcm::set_associated_data(*mode, associated_data);
    if (!gcm::append_opened(*mode, second_half(sealed.first(kNonceBytes)), sealed.subspan(kNonceBytes), plaintext)) {
        return Errc::seal_not_opened;  // the mode is dropped with what it was in the middle of
    }
    state_->return_opening(nonce, std::move(mode));
    return plaintext;
}

}  // namespace xinfu::crypto
