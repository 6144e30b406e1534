// PemStream: takes the PEM armour off a signed file of any size, piece by piece, and holds one line end at most.
//
// What is accepted is what signing tools write and no more, so that one text has one meaning: the body begins with
// the BEGIN line; then lines of base64, none empty, the last of them padded as RFC 4648 wants it; the END line with the
// same label; nothing behind it but a little white space. Lines end in LF or CR LF. Their length is free, since some
// tools write one line.
//
// Sources: RFC 7468 sections 2, 3 and 9; the label PKCS7 is what older tools write for the same structure.
// Threads: one strand.
// Trust:   every octet is hostile. No nesting, no lengths, no allocation besides the caller's output.
// Errors:  returned, Errc::pem_*, and final.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

class PemStream {
public:
    // Octets that tell whether a body is armoured: all bodies that begin so are, and no CMS in DER or BER does.
    static constexpr std::string_view kBegin = "-----BEGIN ";
    static constexpr std::size_t kLabelSizeBytesMax = 64;
    static constexpr std::uint64_t kTrailingSizeBytesMax = 64;  // white space behind the END line

    // Takes the next octets of the body, from its first on, and appends what they say to `out`: at most 3 octets for
    // 4 taken, and 2. Errors: pem_malformed, pem_label (another label than CMS or PKCS7), pem_trailing.
    Result<void> feed(ByteView piece, Bytes& out);

    // At the end of the body. Errors: pem_truncated, or the earlier error.
    Result<void> finish();

    // Octets taken without fault so far: where the armour is damaged, after an error.
    std::uint64_t position() const { return position_; }
    const std::string& label() const { return label_; }

private:
    enum class State { begin, label, begin_dashes, begin_line_end, line_start, line, padding, end_line, after };
    std::optional<Errc> take(std::uint8_t octet, Bytes& out);
    std::optional<Errc> take_base64(std::uint8_t value, Bytes& out);
    std::optional<Errc> pad();
    std::optional<Errc> end_of_base64(Bytes& out);

    State state_ = State::begin;
    std::optional<Errc> failure_;
    std::uint64_t position_ = 0;
    std::size_t matched_ = 0;  // of a fixed text
    bool carriage_return_ = false;
    std::string label_;
    std::string end_line_;
    std::array<std::uint8_t, 4> group_{};
    unsigned group_size_ = 0;  // characters of the group, without padding
    unsigned padding_ = 0;
    bool groups_ended_ = false;  // a padded group was the last
    bool any_ = false;
    std::uint64_t trailing_ = 0;
};

}  // namespace xinfu::crypto
