// Key wrapping: data keys at rest under the node's key-wrapping key, each bound to its name.
//
// Format:  as crypto/seal.hpp; associated data "xinfu-key-v1\0" || name.
// Threads: immutable after construction.
#pragma once

#include <string_view>

#include "crypto/seal.hpp"
#include "crypto/secret.hpp"

namespace xinfu::crypto {

class KeyWrapper {
public:
    // `key_wrapping_key` is 32 bytes.
    explicit KeyWrapper(ByteView key_wrapping_key, RandomSource& random = system_random());

    Bytes wrap(std::string_view name, ByteView key) const;
    // Errc::key_not_unwrapped when altered, wrapped under another name, or under another key-wrapping key.
    Result<Secret> unwrap(std::string_view name, ByteView wrapped) const;

private:
    Sealer sealer_;
};

}  // namespace xinfu::crypto
