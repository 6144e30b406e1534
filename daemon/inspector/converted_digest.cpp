#include "daemon/inspector/converted_digest.hpp"

#include <algorithm>

namespace xinfu::inspector {

void ConvertedDigest::update(ByteView content, const std::vector<std::string>& digest_algorithms) {
    if (!begun_) {
        begun_ = true;
        if (digest_algorithms.size() == 1) {
            if (auto hasher = crypto::ContentHasher::for_algorithm(digest_algorithms.front())) {
                hasher_ = std::move(*hasher);
            }
        }
    }
    size_ += content.size();
    if (size_ > kContentSizeBytesMax) {
        give_up();
    }
    while (hasher_ && !content.empty()) {
        const auto line_feed = std::ranges::find(content, std::uint8_t{'\n'});
        const auto line = content.first(static_cast<std::size_t>(line_feed - content.begin()));
        hasher_->update(line);
        carriage_return_ = line.empty() ? carriage_return_ : line.back() == '\r';
        if (line_feed == content.end()) {
            return;
        }
        if (carriage_return_) {  // the line ends are CR LF already: nothing was converted
            give_up();
            return;
        }
        line_feeds_ = true;
        hasher_->update(as_bytes("\r\n"));
        content = content.subspan(line.size() + 1);
    }
}

bool ConvertedDigest::equals(ByteView digest) {
    if (!hasher_ || !line_feeds_) {
        return false;
    }
    const auto converted = hasher_->finish();
    give_up();
    return std::ranges::equal(converted, digest);
}

}  // namespace xinfu::inspector
