// RecordCounter: how many TLS records a stream of bytes has begun, read from their headers alone (RFC 8446
// section 5.1). Botan takes records without content silently; counting them is what bounds the work a peer can ask for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "crypto/bytes.hpp"

namespace xinfu::tls {

class RecordCounter {
public:
    // False when a header announces more than TLS allows. The bytes may be cut anywhere.
    bool take(ByteView bytes) {
        while (!bytes.empty()) {
            if (body_left_ != 0) {
                const std::size_t some = body_left_ < bytes.size() ? body_left_ : bytes.size();
                body_left_ -= some;
                bytes = bytes.subspan(some);
                continue;
            }
            length_ = (length_ << 8 | bytes.front()) & 0xffff;  // the last two of five bytes remain
            bytes = bytes.subspan(1);
            if (++header_at_ == kHeaderBytes) {
                header_at_ = 0;
                ++count_;
                body_left_ = length_;
                if (length_ > kRecordBytesMax) {
                    return false;
                }
            }
        }
        return true;
    }
    unsigned count() const { return count_; }

private:
    static constexpr unsigned kHeaderBytes = 5;
    static constexpr std::size_t kRecordBytesMax = (1 << 14) + 2048;  // RFC 5246 section 6.2.3

    unsigned header_at_ = 0;
    std::size_t length_ = 0;
    std::size_t body_left_ = 0;
    unsigned count_ = 0;  // wraps; only differences of one feed are looked at after the handshake
};

}  // namespace xinfu::tls
