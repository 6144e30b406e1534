#include "crypto/gcm_stream.hpp"

#include <algorithm>
#include <cassert>

#include <botan/aead.h>
#include <botan/exceptn.h>

#include "crypto/gcm.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kBlockSizeBytes = 16;

void process(Botan::AEAD_Mode& mode, Bytes& pending, ByteView in, Bytes& out) {
    assert(mode.update_granularity() != 0 && kBlockSizeBytes % mode.update_granularity() == 0);
    const std::size_t total = pending.size() + in.size();
    const std::size_t whole = total - total % kBlockSizeBytes;
    if (whole == 0) {
        pending.insert(pending.end(), in.begin(), in.end());
        return;
    }
    const std::size_t start = out.size();
    const auto taken = static_cast<std::ptrdiff_t>(whole - pending.size());
    out.reserve(start + whole);
    out.insert(out.end(), pending.begin(), pending.end());
    out.insert(out.end(), in.begin(), in.begin() + taken);
    pending.assign(in.begin() + taken, in.end());
    const std::size_t done = mode.process(out.data() + start, whole);
    assert(done == whole);
}

}  // namespace

GcmOpener::GcmOpener(ByteView key, ByteView nonce) : mode_(gcm::make_opening_mode(key)) {
    assert(nonce.size() == std::tuple_size_v<gcm::Nonce>);
    mode_->start(nonce.data(), nonce.size());
}
GcmOpener::GcmOpener(GcmOpener&&) noexcept = default;
GcmOpener& GcmOpener::operator=(GcmOpener&&) noexcept = default;
GcmOpener::~GcmOpener() = default;

void GcmOpener::update(ByteView cipher_text, Bytes& plain_text) {
    assert(mode_);
    process(*mode_, pending_, cipher_text, plain_text);
}

Result<void> GcmOpener::finish(ByteView tag, Bytes& plain_text) try {
    if (!mode_ || tag.size() != gcm::kTagBytes) {
        return Errc::envelope_not_opened;
    }
    const auto mode = std::move(mode_);
    Botan::secure_vector<std::uint8_t> last(pending_.begin(), pending_.end());
    last.insert(last.end(), tag.begin(), tag.end());
    mode->finish(last);
    plain_text.insert(plain_text.end(), last.begin(), last.end());
    return {};
} catch (const Botan::Exception&) {
    return Errc::envelope_not_opened;
}

GcmSealer::GcmSealer(ByteView key, ByteView nonce) : mode_(gcm::make_sealing_mode(key)) {
    assert(nonce.size() == std::tuple_size_v<gcm::Nonce>);
    mode_->start(nonce.data(), nonce.size());
}
GcmSealer::GcmSealer(GcmSealer&&) noexcept = default;
GcmSealer& GcmSealer::operator=(GcmSealer&&) noexcept = default;
GcmSealer::~GcmSealer() = default;

void GcmSealer::update(ByteView plain_text, Bytes& cipher_text) {
    assert(mode_);
    process(*mode_, pending_, plain_text, cipher_text);
}

Bytes GcmSealer::finish(Bytes& cipher_text) {
    assert(mode_);
    const auto mode = std::move(mode_);
    Botan::secure_vector<std::uint8_t> last(pending_.begin(), pending_.end());
    mode->finish(last);
    const auto rest = last.end() - static_cast<std::ptrdiff_t>(gcm::kTagBytes);
    cipher_text.insert(cipher_text.end(), last.begin(), rest);
    return {rest, last.end()};
}

}  // namespace xinfu::crypto
