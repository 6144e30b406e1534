// SentWindow: the octets of a body that were sent to an inspector and that it has not passed yet. An inspector's claims
// name them by their place in the body, counted from 0; claims about any other octets are refused here.
//
// Threads: one strand.
// Errors:  boundary::Errc::unexpected: the inspector said what cannot be.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "daemon/boundary/error.hpp"

namespace xinfu::vault {

inline constexpr std::size_t kWindowSizeBytes = std::size_t{1} << 20;  // sent ahead of what was consumed

class SentWindow {
public:
    // How many further octets may be sent now.
    std::size_t room() const { return kWindowSizeBytes - (octets_.size() - begin_); }
    // Precondition: at most room().
    void send(ByteView octets) {
        assert(octets.size() <= room());
        if (begin_ == octets_.size() || begin_ >= kWindowSizeBytes) {
            octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(begin_));
            begin_ = 0;
        }
        octets_.insert(octets_.end(), octets.begin(), octets.end());
        sent_ += octets.size();
    }
    std::uint64_t sent() const { return sent_; }
    std::uint64_t consumed() const { return consumed_; }

    // Until the next call of send(). None: they are not all here.
    std::optional<ByteView> find(std::uint64_t offset, std::uint64_t length) const {
        if (offset < consumed_ || offset > sent_ || length > sent_ - offset) {
            return std::nullopt;
        }
        const std::size_t at = begin_ + static_cast<std::size_t>(offset - consumed_);
        return ByteView(octets_).subspan(at, static_cast<std::size_t>(length));
    }
    // Everything before `offset` was passed.
    Result<void> consume(std::uint64_t offset) {
        if (offset < consumed_ || offset > sent_) {
            return boundary::Errc::unexpected;
        }
        begin_ += static_cast<std::size_t>(offset - consumed_);
        consumed_ = offset;
        return {};
    }

private:
    Bytes octets_;  // from consumed_ on, behind begin_ spent ones
    std::size_t begin_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t consumed_ = 0;
};

}  // namespace xinfu::vault
