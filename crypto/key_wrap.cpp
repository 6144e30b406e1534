#include "crypto/key_wrap.hpp"

#include <string>

#include "crypto/error.hpp"

namespace xinfu::crypto {
namespace {

std::string associated_data(std::string_view name) {
    static constexpr std::string_view kDomain{"xinfu-key-v1\0", 13};
    return std::string(kDomain).append(name);
}

}  // namespace

KeyWrapper::KeyWrapper(ByteView key_wrapping_key, RandomSource& random) : sealer_(key_wrapping_key, random) {}

Bytes KeyWrapper::wrap(std::string_view name, ByteView key) const {
    return sealer_.seal(key, as_bytes(associated_data(name)));
}

Result<Secret> KeyWrapper::unwrap(std::string_view name, ByteView wrapped) const {
    auto opened = sealer_.open(wrapped, as_bytes(associated_data(name)));
    if (!opened) {
        return Errc::key_not_unwrapped;
    }
    Secret key{ByteView(*opened)};
    wipe(*opened);
    return key;
}

}  // namespace xinfu::crypto
