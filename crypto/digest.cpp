#include "crypto/digest.hpp"

#include <algorithm>
#include <cassert>

#include <botan/hash.h>
#include <botan/mac.h>
#include <botan/mem_ops.h>

namespace xinfu::crypto {

Sha256::Sha256() : state_(Botan::HashFunction::create_or_throw("SHA-256")) {}
Sha256::Sha256(const Sha256& other) : state_(other.state_->copy_state()) {}
Sha256& Sha256::operator=(const Sha256& other) {
    if (this != &other) {
        state_ = other.state_->copy_state();
    }
    return *this;
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
    state_->update(bytes.data(), bytes.size());
}

Digest Sha256::finish() {
    Digest digest;
    state_->final(digest.data());
    return digest;
}

Checksum::Checksum(std::unique_ptr<Botan::HashFunction> state) : state_(std::move(state)) {}
Checksum::Checksum(Checksum&&) noexcept = default;
Checksum& Checksum::operator=(Checksum&&) noexcept = default;
Checksum::~Checksum() = default;

std::optional<Checksum> Checksum::create(std::string_view algorithm) {
    if (algorithm == "sha1") {
        return Checksum(Botan::HashFunction::create_or_throw("SHA-1"));
    }
    if (algorithm == "sha256") {
        return Checksum(Botan::HashFunction::create_or_throw("SHA-256"));
    }
    return std::nullopt;
}

void Checksum::update(ByteView bytes) {
    state_->update(bytes);
}

Bytes Checksum::finish() {
    Bytes digest(state_->output_length());
    state_->final(digest);
    return digest;
}

Digest sha256(ByteView bytes) {
    // One per thread: making one costs several times as much as a short digest.
    thread_local Sha256 state;
    state.update(bytes);
    return state.finish();
}

Digest hmac_sha256(ByteView key, ByteView message) {
    thread_local const std::unique_ptr<Botan::MessageAuthenticationCode> mac =
        Botan::MessageAuthenticationCode::create_or_throw("HMAC(SHA-256)");
    mac->set_key(key.data(), key.size());
    mac->update(message.data(), message.size());
    Digest digest;
    mac->final(digest.data());
    mac->clear();  // the key does not outlive the call
    return digest;
}

HmacSha256::HmacSha256(ByteView key) : state_(Botan::MessageAuthenticationCode::create_or_throw("HMAC(SHA-256)")) {
    state_->set_key(key.data(), key.size());
}
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;
HmacSha256::~HmacSha256() = default;

Digest HmacSha256::of(ByteView message) {
    state_->update(message.data(), message.size());
    Digest digest;
    state_->final(digest.data());  // and starts over
    return digest;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && Botan::constant_time_compare(a.data(), b.data(), a.size());
}

}  // namespace xinfu::crypto
