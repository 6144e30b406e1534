// Randomness as an argument, so that tests can say what it was.
//
// Threads: the system's source may be shared.
// Errors:  when the system gives none, the process aborts: nothing sealed or signed without it would be safe.
#pragma once

#include <array>
#include <span>

#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"

namespace xinfu::crypto {

class RandomSource {
public:
    virtual ~RandomSource() = default;
    virtual void fill(std::span<std::uint8_t> bytes) = 0;

    template <std::size_t N>
    std::array<std::uint8_t, N> array() {
        std::array<std::uint8_t, N> bytes{};
        fill(bytes);
        return bytes;
    }
    Secret secret(std::size_t size) {
        Secret bytes(size);
        fill(bytes.writable());
        return bytes;
    }
};

RandomSource& system_random();  // getrandom(2)

}  // namespace xinfu::crypto
