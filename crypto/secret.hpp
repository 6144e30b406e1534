// Secret: key bytes that are wiped when they are no longer needed.
#pragma once

#include <span>

#include "crypto/bytes.hpp"

namespace xinfu::crypto {

void wipe(std::span<std::uint8_t> bytes);  // not removed by the optimiser

class Secret {
public:
    Secret() = default;
    explicit Secret(std::size_t size) : bytes_(size) {}
    explicit Secret(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
    Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
    Secret& operator=(Secret&& other) noexcept {
        wipe(bytes_);
        bytes_ = std::move(other.bytes_);
        other.bytes_.clear();
        return *this;
    }
    ~Secret() { wipe(bytes_); }

    Secret copy() const { return Secret(view()); }
    ByteView view() const { return bytes_; }
    std::span<std::uint8_t> writable() { return bytes_; }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }

private:
    Bytes bytes_;
};

}  // namespace xinfu::crypto
