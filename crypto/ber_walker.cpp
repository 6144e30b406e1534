#include "crypto/ber_walker.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "crypto/der.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::uint64_t kIndefinite = ~std::uint64_t{0};
constexpr std::uint64_t kLengthMax = std::uint64_t{1} << 40;
// Content may come in pieces, but not in crumbs: this many elements, and one more for every so many octets. openssl
// -stream makes pieces of 4096 octets, other libraries of 1000.
constexpr std::uint64_t kElementsFree = 4096;
constexpr std::uint64_t kOctetsPerElementMin = 256;
constexpr std::size_t kFirstOctets = 16;  // enough to tell PEM and mail from CMS

bool begins_with(ByteView octets, std::string_view text) {
    return octets.size() >= text.size() &&
           std::equal(text.begin(), text.end(), octets.begin(),
                      [](char a, std::uint8_t b) { return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b); });
}

}  // namespace

Result<std::size_t> BerWalker::walk(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink,
                                    bool leave_trailing) {
    if (failure_) {
        return *failure_;
    }
    std::size_t at = 0;
    std::optional<Errc> error;
    while (at < chunk.size() && phase_ != kComplete && !error) {
        if (action_ == Action::header) {
            error = on_octet(chunk[at++]);
            continue;
        }
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, chunk.size() - at));
        const auto piece = chunk.subspan(at, size);
        at += size;
        size_ += size;
        remaining_ -= size;
        if (action_ == Action::collect) {
            collected_.insert(collected_.end(), piece.begin(), piece.end());
        } else if (action_ == Action::stream) {
            streamed_ += size;
            const auto taken = sink(chunk_offset + (at - size), piece);
            if (!taken) {
                failure_ = taken.error();
                return *failure_;
            }
        }
        if (remaining_ == 0) {
            error = on_element_end();
        }
    }
    if (!error && phase_ == kComplete && at < chunk.size() && !leave_trailing) {
        error = Errc::cms_trailing_bytes;
    }
    if (error) {
        failure_ = *error;
        return *failure_;
    }
    return at;
}

Result<void> BerWalker::finish_walk() {
    if (failure_) {
        return *failure_;
    }
    if (phase_ == kComplete) {
        return {};
    }
    failure_ = size_ == 0 ? explain_first_octets() : Errc::cms_truncated;
    return *failure_;
}

// The first octets are kept until they say what this is, for the most common mistakes deserve their own answer.
Errc BerWalker::explain_first_octets() const {
    if (begins_with(first_octets_, "-----begin")) {
        return Errc::cms_is_pem;
    }
    for (const std::string_view field : {"mime-version:", "content-type:", "to:", "from:", "subject:"}) {
        if (begins_with(first_octets_, field)) {
            return Errc::cms_is_smime;
        }
    }
    return Errc::cms_not_cms;
}

std::optional<Errc> BerWalker::on_octet(std::uint8_t octet) {
    if (size_ == 0 && (octet != kDerSequence || !first_octets_.empty())) {
        first_octets_.push_back(octet);
        return first_octets_.size() < kFirstOctets ? std::nullopt : std::optional(explain_first_octets());
    }
    ++size_;
    header_octets_.push_back(octet);
    if (header_octets_.size() == 1) {
        return (octet & 0x1f) == 0x1f ? std::optional(Errc::cms_malformed) : std::nullopt;
    }
    const std::uint8_t first = header_octets_[1];
    Header header;
    header.tag = header_octets_[0];
    if (first < 0x80) {
        header.length = first;
    } else if (first == 0x80) {
        header.indefinite = true;
    } else {
        const std::size_t octets = first & 0x7f;
        if (octets > 8) {
            return Errc::cms_malformed;
        }
        if (header_octets_.size() < 2 + octets) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < octets; ++i) {
            header.length = header.length << 8 | header_octets_[2 + i];
        }
        header.minimal = header.length >= 0x80 && header_octets_[2] != 0;
        if (header.length > kLengthMax) {
            return Errc::cms_malformed;
        }
    }
    header_octets_.swap(element_header_);
    header_octets_.clear();
    return check_header(header);
}

std::optional<Errc> BerWalker::check_header(const Header& header) {
    if (++elements_ > kElementsFree + size_ / kOctetsPerElementMin) {
        return Errc::cms_too_many_elements;
    }
    if (header.indefinite && (header.tag & 0x20) == 0) {
        return Errc::cms_malformed;
    }
    if (definite_only_ && (header.indefinite || !header.minimal)) {
        return Errc::cms_indefinite;
    }
    // The nearest enclosing definite length bounds this element; those further out were bounded when opened.
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
        if (frame->end != kIndefinite) {
            if (size_ > frame->end || header.length > frame->end - size_) {
                return Errc::cms_malformed;
            }
            break;
        }
    }
    if (header.tag == 0) {
        if (header.length != 0 || !header.minimal || element_header_.size() != 2 || frames_.empty() ||
            frames_.back().end != kIndefinite) {
            return Errc::cms_malformed;
        }
        if (const auto error = close_frame()) {
            return error;
        }
        return close_full_frames();
    }
    return on_header(header);
}

std::optional<Errc> BerWalker::open(const Header& header, Phase inside, Phase then) {
    if (frames_.size() == kDepthMax) {
        return Errc::cms_too_deep;
    }
    frames_.push_back({header.indefinite ? kIndefinite : size_ + header.length, then});
    phase_ = inside;
    return close_full_frames();
}

std::optional<Errc> BerWalker::collect(const Header& header, std::size_t limit, bool whole, Errc form, Errc large) {
    if (header.indefinite || (whole && !header.minimal)) {
        return form;
    }
    collected_.clear();
    if (whole) {
        collected_ = element_header_;
    }
    if (header.length + collected_.size() > limit) {
        return large;
    }
    action_ = Action::collect;
    remaining_ = header.length;
    return remaining_ == 0 ? on_element_end() : std::nullopt;
}

std::optional<Errc> BerWalker::stream(const Header& header, Phase then) {
    after_element_ = then;
    action_ = Action::stream;
    remaining_ = header.length;
    return remaining_ == 0 ? on_element_end() : std::nullopt;
}

std::optional<Errc> BerWalker::skip(const Header& header, Phase then) {
    if (header.indefinite) {
        return Errc::cms_malformed;
    }
    after_element_ = then;
    action_ = Action::skip;
    remaining_ = header.length;
    return remaining_ == 0 ? on_element_end() : std::nullopt;
}

std::optional<Errc> BerWalker::on_element_end() {
    const auto action = std::exchange(action_, Action::header);
    if (action == Action::collect) {
        if (const auto error = on_collected()) {
            return error;
        }
    } else {
        phase_ = after_element_;
    }
    return close_full_frames();
}

std::optional<Errc> BerWalker::close_full_frames() {
    while (!frames_.empty() && frames_.back().end == size_) {
        if (const auto error = close_frame()) {
            return error;
        }
    }
    return std::nullopt;
}

std::optional<Errc> BerWalker::close_frame() {
    if (const auto error = on_close()) {
        return error;
    }
    phase_ = frames_.back().then;
    frames_.pop_back();
    return phase_ == kComplete ? on_complete() : std::nullopt;
}

}  // namespace xinfu::crypto
