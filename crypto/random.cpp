#include "crypto/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace xinfu::crypto {
namespace {

class SystemRandom final : public RandomSource {
public:
    void fill(std::span<std::uint8_t> bytes) override {
        while (!bytes.empty()) {
            const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
            if (got < 0) {
                if (errno == EINTR) {
                    continue;
                }
                std::abort();  // predictable keys and nonces are worse than no service
            }
            bytes = bytes.subspan(static_cast<std::size_t>(got));
        }
    }
};

}  // namespace

RandomSource& system_random() {
    static SystemRandom instance;
    return instance;
}

}  // namespace xinfu::crypto
