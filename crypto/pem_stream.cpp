#include "crypto/pem_stream.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::string_view kDashes = "-----";
constexpr std::uint8_t kNoValue = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) {
        value = kNoValue;
    }
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr auto kValues = make_values();

}  // namespace

Result<void> PemStream::feed(ByteView piece, Bytes& out) {
    if (failure_) {
        return *failure_;
    }
    for (std::size_t at = 0; at < piece.size();) {
        // Whole groups in the middle of a line, which nearly everything is.
        if (state_ == State::line && group_size_ == 0 && !carriage_return_) {
            while (piece.size() - at >= 4) {
                const std::uint32_t a = kValues[piece[at]];
                const std::uint32_t b = kValues[piece[at + 1]];
                const std::uint32_t c = kValues[piece[at + 2]];
                const std::uint32_t d = kValues[piece[at + 3]];
                if (((a | b | c | d) & 0xc0) != 0) {
                    break;
                }
                const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
                const std::uint8_t octets[] = {static_cast<std::uint8_t>(bits >> 16),
                                               static_cast<std::uint8_t>(bits >> 8), static_cast<std::uint8_t>(bits)};
                out.insert(out.end(), octets, octets + 3);
                at += 4;
                position_ += 4;
            }
            if (at == piece.size()) {
                break;
            }
        }
        if (const auto error = take(piece[at], out)) {
            failure_ = error;
            return *failure_;
        }
        ++at;
        ++position_;
    }
    return {};
}

Result<void> PemStream::finish() {
    if (!failure_ && state_ != State::after) {
        failure_ = Errc::pem_truncated;
    }
    return failure_ ? Result<void>(*failure_) : Result<void>();
}

std::optional<Errc> PemStream::take(std::uint8_t octet, Bytes& out) {
    const char c = static_cast<char>(octet);
    // CR is the first half of a line's end, and stands nowhere else.
    if (carriage_return_ && c != '\n') {
        return Errc::pem_malformed;
    }
    switch (state_) {
        case State::begin:
            if (c != kBegin[matched_]) {
                return Errc::pem_malformed;
            }
            if (++matched_ == kBegin.size()) {
                state_ = State::label;
            }
            return std::nullopt;
        case State::label:
            if (c == '-') {
                if (label_ != "CMS" && label_ != "PKCS7") {
                    return Errc::pem_label;
                }
                state_ = State::begin_dashes;
                matched_ = 1;
                return std::nullopt;
            }
            if (c < ' ' || c > '~' || label_.size() == kLabelSizeBytesMax) {
                return Errc::pem_malformed;
            }
            label_.push_back(c);
            return std::nullopt;
        case State::begin_dashes:
            if (c != '-') {
                return Errc::pem_malformed;
            }
            if (++matched_ == kDashes.size()) {
                state_ = State::begin_line_end;
                end_line_ = std::string(kDashes) + "END " + label_ + std::string(kDashes);
            }
            return std::nullopt;
        case State::begin_line_end:
        case State::line:
        case State::padding:
            if (c == '\r') {
                carriage_return_ = true;
                return std::nullopt;
            }
            if (c == '\n') {
                carriage_return_ = false;
                state_ = State::line_start;
                return std::nullopt;
            }
            break;
        case State::line_start:
            if (c == '-') {
                if (const auto error = end_of_base64(out)) {
                    return error;
                }
                state_ = State::end_line;
                matched_ = 1;
                return std::nullopt;
            }
            break;
        case State::end_line:
            if (c != end_line_[matched_]) {
                return Errc::pem_malformed;
            }
            if (++matched_ == end_line_.size()) {
                state_ = State::after;
            }
            return std::nullopt;
        case State::after:
            carriage_return_ = false;  // white space is free here
            if ((c != '\n' && c != '\r' && c != ' ' && c != '\t') || ++trailing_ > kTrailingSizeBytesMax) {
                return Errc::pem_trailing;
            }
            return std::nullopt;
    }
    if (state_ == State::begin_line_end) {
        return Errc::pem_malformed;
    }
    if (c == '=') {
        return pad();
    }
    return take_base64(kValues[octet], out);
}

std::optional<Errc> PemStream::take_base64(std::uint8_t value, Bytes& out) {
    if (value == kNoValue || groups_ended_) {
        return Errc::pem_malformed;
    }
    state_ = State::line;
    any_ = true;
    group_[group_size_++] = value;
    if (group_size_ == 4) {
        group_size_ = 0;
        out.push_back(static_cast<std::uint8_t>(group_[0] << 2 | group_[1] >> 4));
        out.push_back(static_cast<std::uint8_t>(group_[1] << 4 | group_[2] >> 2));
        out.push_back(static_cast<std::uint8_t>(group_[2] << 6 | group_[3]));
    }
    return std::nullopt;
}

// The first '=' ends the groups; of the bits before it those that no octet needs are zero.
std::optional<Errc> PemStream::pad() {
    ++padding_;
    if (group_size_ < 2 || group_size_ + padding_ > 4) {
        return Errc::pem_malformed;
    }
    if ((group_[group_size_ - 1] & (group_size_ == 2 ? 0x0f : 0x03)) != 0) {
        return Errc::pem_malformed;
    }
    groups_ended_ = true;
    state_ = State::padding;
    return std::nullopt;
}

std::optional<Errc> PemStream::end_of_base64(Bytes& out) {
    if (!any_ || (group_size_ != 0 && group_size_ + padding_ != 4)) {
        return Errc::pem_malformed;
    }
    if (group_size_ >= 2) {
        out.push_back(static_cast<std::uint8_t>(group_[0] << 2 | group_[1] >> 4));
    }
    if (group_size_ == 3) {
        out.push_back(static_cast<std::uint8_t>(group_[1] << 4 | group_[2] >> 2));
    }
    return std::nullopt;
}

}  // namespace xinfu::crypto
