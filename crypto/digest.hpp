// Digests: SHA-256 and HMAC-SHA-256, whole and incremental.
//
// Sources: FIPS 180-4, RFC 2104.
// Threads: a Sha256 belongs to one thread at a time; copies are independent.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "crypto/bytes.hpp"

namespace Botan {
class HashFunction;
class MessageAuthenticationCode;
}  // namespace Botan

namespace xinfu::crypto {

using Digest = std::array<std::uint8_t, 32>;

class Sha256 {
public:
    Sha256();
    Sha256(const Sha256& other);  // the state so far: a fork of the stream
    Sha256& operator=(const Sha256& other);
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void update(ByteView bytes);
    Digest finish();  // and starts over

private:
    std::unique_ptr<Botan::HashFunction> state_;
};

Digest sha256(ByteView bytes);

// A digest of a part in transit, of the algorithm its sender names. It finds damage and proves nothing: SHA-1 is among
// them because tus 1.0 demands it.
class Checksum {
public:
    static std::optional<Checksum> create(std::string_view algorithm);  // "sha1", "sha256"
    Checksum(Checksum&&) noexcept;
    Checksum& operator=(Checksum&&) noexcept;
    ~Checksum();

    void update(ByteView bytes);
    Bytes finish();  // and starts over

private:
    explicit Checksum(std::unique_ptr<Botan::HashFunction> state);
    std::unique_ptr<Botan::HashFunction> state_;
};
Digest hmac_sha256(ByteView key, ByteView message);

// The same under one key, of many messages: the key is taken up once. Wiped when it dies.
class HmacSha256 {
public:
    explicit HmacSha256(ByteView key);
    HmacSha256(HmacSha256&&) noexcept;
    HmacSha256& operator=(HmacSha256&&) noexcept;
    ~HmacSha256();

    Digest of(ByteView message);

private:
    std::unique_ptr<Botan::MessageAuthenticationCode> state_;
};

// In time that depends on the sizes alone.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace xinfu::crypto
