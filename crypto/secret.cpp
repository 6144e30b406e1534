#include "crypto/secret.hpp"

#include <botan/mem_ops.h>

namespace xinfu::crypto {

void wipe(std::span<std::uint8_t> bytes) {
    Botan::secure_scrub_memory(bytes.data(), bytes.size());
}

}  // namespace xinfu::crypto
