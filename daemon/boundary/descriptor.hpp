// Descriptor: an owned file descriptor, closed with its owner.
#pragma once

#include <unistd.h>

#include <utility>

#include "crypto/result.hpp"

namespace xinfu::boundary {

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~Descriptor() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset() {
        if (fd_ >= 0) {
            ::close(fd_);  // Linux frees the number whatever close answers
            fd_ = -1;
        }
    }

private:
    int fd_ = -1;
};

struct DescriptorPair {
    Descriptor first;
    Descriptor second;
};

// Two connected sequenced-packet sockets, close-on-exec, with SO_PASSCRED set on both, so that not even the
// first packet lacks its sender's credentials. Errors: system errors of socketpair(2).
Result<DescriptorPair> make_packet_pair();

// Two connected stream sockets, close-on-exec: one end stays, the other travels. Each direction ends with
// shutdown(SHUT_WR) or close. Errors: system errors of socketpair(2).
Result<DescriptorPair> make_stream_pair();

}  // namespace xinfu::boundary
