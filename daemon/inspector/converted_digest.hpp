// ConvertedDigest: whether a signature is over the content with every LF turned into CR LF, which is what openssl signs
// without -binary. It serves to name the mistake; nothing is accepted for it.
//
// Threads: one strand.
// Trust:   hostile content; nothing is held.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/cms_verify.hpp"

namespace xinfu::inspector {

class ConvertedDigest {
public:
    // Larger contents come from programs, whose authors find the option by themselves: no time is spent on them.
    static constexpr std::uint64_t kContentSizeBytesMax = std::uint64_t{64} << 20;

    void update(ByteView content, const std::vector<std::string>& digest_algorithms);
    // Whether it is `digest`, under the one announced algorithm.
    bool equals(ByteView digest);

private:
    void give_up() { hasher_.reset(); }

    bool begun_ = false;
    bool line_feeds_ = false;
    bool carriage_return_ = false;  // the last octet so far
    std::uint64_t size_ = 0;
    std::optional<crypto::ContentHasher> hasher_;
};

}  // namespace xinfu::inspector
