// TextDecoder: signed content as UTF-8, whichever of the encodings offices use it came in, piece by piece.
//
// Sources: RFC 3629; GB 18030-2022; ISO/IEC 10646 (UTF-16). docs/formats/tables.md says how they are told apart.
// Threads: one strand; prepare_converters() before the walls are raised.
// Trust:   every octet is hostile. At most kWindowSizeBytes are held, whatever the size of the content.
// Errors:  a Refusal, final. Well-formedness of what is taken for UTF-8 is left to whoever reads it, so that
//          the octets of nearly every big file are looked at once and copied never.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/inspector/refusal.hpp"

namespace xinfu::inspector {

enum class Encoding { undecided, utf8, gb18030, utf16_le, utf16_be };

// Which of UTF-8 and GB 18030 `window` is, the first octets of a text from its first non-ASCII octet on. `whole`:
// nothing follows. A text in neither is said to be GB 18030, whose decoder then refuses it.
Encoding tell_encoding(std::string_view window, bool whole);

// The code for the octets at the front of `at`, which RFC 3629 section 3 rules out, by the mistake they come from.
std::string_view malformed_code(std::string_view at);

// Makes ICU load its tables. Behind the walls no file can be opened; ICU is told not to try.
// Precondition: called once, before any decoder. False: the tables are not there.
bool prepare_converters();

class TextDecoder {
public:
    // What is looked at before UTF-8 and GB 18030 are told apart, from the first non-ASCII octet on.
    static constexpr std::size_t kWindowSizeBytes = 64 * 1024;

    // Takes UTF-8 without byte order mark; a view lives for the call.
    using Sink = std::function<std::optional<Refusal>(std::string_view text)>;

    explicit TextDecoder(Sink sink);
    ~TextDecoder();
    TextDecoder(const TextDecoder&) = delete;
    TextDecoder& operator=(const TextDecoder&) = delete;

    std::optional<Refusal> feed(std::string_view piece);
    std::optional<Refusal> finish();

    Encoding encoding() const { return encoding_; }

private:
    class Converter;

    std::optional<Refusal> take_beginning(std::string_view piece);
    std::optional<Refusal> take(std::string_view piece);
    std::optional<Refusal> take_undecided(std::string_view piece);
    std::optional<Refusal> decide(bool whole);
    std::optional<Refusal> convert(std::string_view piece, bool last);
    std::optional<Refusal> hand_on(std::string_view text);

    Sink sink_;
    Encoding encoding_ = Encoding::undecided;
    bool beginning_seen_ = false;
    std::string held_;         // the first octets, or the window
    std::uint64_t lines_ = 0;  // line ends handed on; counted where this class is the one to name a line
    std::unique_ptr<Converter> converter_;
    std::optional<Refusal> failure_;
};

}  // namespace xinfu::inspector
