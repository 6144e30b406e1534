#include "daemon/inspector/text_decoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>

#include <unicode/ucnv.h>
#include <unicode/udata.h>

#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";
constexpr std::size_t kPivotUnits = 8 * 1024;

struct ConverterCloser {
    void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using ConverterPointer = std::unique_ptr<UConverter, ConverterCloser>;

ConverterPointer open_converter(const char* name) {
    UErrorCode status = U_ZERO_ERROR;
    ConverterPointer converter(ucnv_open(name, &status));
    if (U_SUCCESS(status)) {
        // What does not belong to the encoding ends the reading; nothing is replaced silently.
        ucnv_setToUCallBack(converter.get(), UCNV_TO_U_CALLBACK_STOP, nullptr, nullptr, nullptr, &status);
    }
    return U_SUCCESS(status) ? std::move(converter) : nullptr;
}

// GB 18030-2022 gave 18 codes the standard characters for which older editions had only private-use ones, and six
// more ideographs have had standard characters since Unicode 3.1. ICU before 73 answers the private-use characters;
// ICU from 73 answers them for the four-byte codes that the standard characters had before. Nobody means a
// private-use character by any of these codes, so whatever ICU says becomes the standard character, on every level.
struct Override {
    char16_t private_use;
    char32_t standard;
};
constexpr std::array<Override, 24> kOverrides{{
    {0xE78D, 0xFE10},  {0xE78E, 0xFE12},  {0xE78F, 0xFE11}, {0xE790, 0xFE13}, {0xE791, 0xFE14},  {0xE792, 0xFE15},
    {0xE793, 0xFE16},  {0xE794, 0xFE17},  {0xE795, 0xFE18}, {0xE796, 0xFE19}, {0xE816, 0x20087}, {0xE817, 0x20089},
    {0xE818, 0x200CC}, {0xE81E, 0x9FB4},  {0xE826, 0x9FB5}, {0xE82B, 0x9FB6}, {0xE82C, 0x9FB7},  {0xE831, 0x215D7},
    {0xE832, 0x9FB8},  {0xE83B, 0x2298F}, {0xE843, 0x9FB9}, {0xE854, 0x9FBA}, {0xE855, 0x241FE}, {0xE864, 0x9FBB},
}};

bool may_be_overridden(char16_t unit) {
    return unit >= kOverrides.front().private_use && unit <= kOverrides.back().private_use;
}

void put_standard_characters(std::u16string& units) {
    std::u16string changed;
    for (const auto unit : units) {
        const auto found = std::ranges::find(kOverrides, unit, &Override::private_use);
        if (found == kOverrides.end()) {
            changed += unit;
        } else if (found->standard < 0x10000) {
            changed += static_cast<char16_t>(found->standard);
        } else {
            const auto offset = static_cast<std::uint32_t>(found->standard) - 0x10000;
            changed += static_cast<char16_t>(0xD800 + (offset >> 10));
            changed += static_cast<char16_t>(0xDC00 + (offset & 0x3FF));
        }
    }
    units = std::move(changed);
}

std::size_t find_non_ascii(std::string_view text) {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t eight;
        std::memcpy(&eight, text.data() + at, 8);
        if ((eight & 0x8080808080808080u) != 0) {
            break;
        }
    }
    while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) {
        ++at;
    }
    return at;
}

// What a text would be as UTF-8: characters by length, and octets that belong to none.
struct Utf8Count {
    std::size_t two = 0;
    std::size_t longer = 0;
    std::size_t malformed = 0;
};

Utf8Count count_utf8(std::string_view text, bool whole) {
    Utf8Count count;
    while (!text.empty()) {
        const auto bad = policies::find_malformed_utf8(text);
        const auto good = text.substr(0, bad);
        for (const char c : good) {
            const auto octet = static_cast<unsigned char>(c);
            count.two += octet >= 0xC2 && octet < 0xE0 ? 1 : 0;
            count.longer += octet >= 0xE0 ? 1 : 0;
        }
        if (bad == std::string_view::npos) {
            break;
        }
        text.remove_prefix(bad);
        // A character that the end of the window cuts through is not held against the text.
        const auto lead = static_cast<unsigned char>(text.front());
        const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
        const bool continues =
            std::ranges::all_of(text.substr(1), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; });
        if (!whole && text.size() < size && continues) {
            break;
        }
        ++count.malformed;
        text.remove_prefix(1);
    }
    return count;
}

// Every non-ASCII character is a two-byte one of the rows with punctuation and ideographs.
bool is_plain_gbk(std::string_view text, bool whole) {
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        if (at + 1 >= text.size()) {
            return !whole;
        }
        const auto trail = static_cast<unsigned char>(text[at + 1]);
        const bool row = (lead >= 0xA1 && lead <= 0xA3) || (lead >= 0xB0 && lead <= 0xF7);
        if (!row || trail < 0xA1 || trail == 0xFF) {
            return false;
        }
        at += 2;
    }
    return true;
}

}  // namespace

Encoding tell_encoding(std::string_view window, bool whole) {
    const auto count = count_utf8(window, whole);
    if (count.malformed > 0) {
        // A damaged UTF-8 text is still one: to read it as GB 18030 would turn all of it into other characters.
        // Of GB 18030 text, about one character in fifty looks like UTF-8 by accident.
        return 4 * count.longer > count.malformed ? Encoding::utf8 : Encoding::gb18030;
    }
    // Ideographs have three octets in UTF-8 and two in GB 18030, where short words may look like UTF-8's two-octet
    // characters: accented Latin, Greek, Cyrillic, which no Chinese table consists of.
    return count.longer == 0 && is_plain_gbk(window, whole) ? Encoding::gb18030 : Encoding::utf8;
}

std::string_view malformed_code(std::string_view at) {
    const auto octet = [&](std::size_t i) { return i < at.size() ? static_cast<unsigned char>(at[i]) : 0u; };
    const bool overlong = octet(0) == 0xC0 || octet(0) == 0xC1 || (octet(0) == 0xE0 && (octet(1) & 0xE0) == 0x80) ||
                          (octet(0) == 0xF0 && (octet(1) & 0xF0) == 0x80);
    const bool surrogate = octet(0) == 0xED && (octet(1) & 0xE0) == 0xA0;
    return overlong ? "XF-3072" : surrogate ? "XF-3073" : "XF-3020";
}

bool prepare_converters() {
    UErrorCode status = U_ZERO_ERROR;
    udata_setFileAccess(UDATA_NO_FILES, &status);
    // Kept open, so that the tables stay in ICU's cache.
    static const auto gb18030 = open_converter("gb18030");
    static const auto little = open_converter("UTF-16LE");
    static const auto big = open_converter("UTF-16BE");
    static const auto utf8 = open_converter("UTF-8");
    return U_SUCCESS(status) && gb18030 && little && big && utf8;
}

class TextDecoder::Converter {
public:
    explicit Converter(Encoding encoding)
        : from_(open_converter(encoding == Encoding::gb18030    ? "gb18030"
                               : encoding == Encoding::utf16_le ? "UTF-16LE"
                                                                : "UTF-16BE")),
          to_(open_converter("UTF-8")),
          overrides_(encoding == Encoding::gb18030) {
        if (!from_ || !to_) {
            throw std::bad_alloc{};
        }
    }

    // Calls `sink` with UTF-8 until the piece is used up. False: what comes next is not of this encoding.
    template <class Take>
    bool convert(std::string_view piece, bool last, Take take) {
        const char* source = piece.data();
        const char* const end = source + piece.size();
        for (;;) {
            UErrorCode status = U_ZERO_ERROR;
            units_.resize(kPivotUnits);
            UChar* target = units_.data();
            ucnv_toUnicode(from_.get(), &target, target + kPivotUnits, &source, end, nullptr, last ? 1 : 0, &status);
            units_.resize(static_cast<std::size_t>(target - units_.data()));
            if (overrides_ && std::ranges::any_of(units_, may_be_overridden)) {
                put_standard_characters(units_);
            }
            const bool more = status == U_BUFFER_OVERFLOW_ERROR;
            const bool good = more || U_SUCCESS(status);
            if (!take(to_utf8(last && !more && good)) || !good) {
                return good;
            }
            if (!more) {
                return true;
            }
        }
    }

private:
    std::string_view to_utf8(bool last) {
        text_.resize(3 * units_.size() + 8);
        const UChar* source = units_.data();
        char* target = text_.data();
        UErrorCode status = U_ZERO_ERROR;
        ucnv_fromUnicode(to_.get(), &target, text_.data() + text_.size(), &source, source + units_.size(), nullptr,
                         last ? 1 : 0, &status);
        assert(U_SUCCESS(status));  // every UTF-16 that ICU made has a UTF-8, and the room is enough
        return {text_.data(), static_cast<std::size_t>(target - text_.data())};
    }

    ConverterPointer from_;
    ConverterPointer to_;
    bool overrides_;
    std::u16string units_;
    std::string text_;
};

TextDecoder::TextDecoder(Sink sink) : sink_(std::move(sink)) {}
TextDecoder::~TextDecoder() = default;

std::optional<Refusal> TextDecoder::feed(std::string_view piece) {
    if (!failure_ && !piece.empty()) {
        failure_ = beginning_seen_ ? take(piece) : take_beginning(piece);
    }
    return failure_;
}

// Byte order marks have two or three octets.
std::optional<Refusal> TextDecoder::take_beginning(std::string_view piece) {
    held_ += piece;
    if (held_.size() < kUtf8Mark.size()) {
        return std::nullopt;
    }
    beginning_seen_ = true;
    const auto beginning = std::move(held_);
    held_.clear();
    std::string_view text = beginning;
    if (text.starts_with(kUtf8Mark)) {
        encoding_ = Encoding::utf8;
        text.remove_prefix(kUtf8Mark.size());
    } else if (text.starts_with("\xFF\xFE")) {
        encoding_ = Encoding::utf16_le;
        text.remove_prefix(2);
    } else if (text.starts_with("\xFE\xFF")) {
        encoding_ = Encoding::utf16_be;
        text.remove_prefix(2);
    }
    return take(text);
}

std::optional<Refusal> TextDecoder::take(std::string_view piece) {
    switch (encoding_) {
        case Encoding::utf8: return hand_on(piece);
        case Encoding::undecided: return take_undecided(piece);
        default: return convert(piece, false);
    }
}

std::optional<Refusal> TextDecoder::take_undecided(std::string_view piece) {
    if (held_.empty()) {
        const auto ascii = piece.substr(0, find_non_ascii(piece));
        piece.remove_prefix(ascii.size());
        lines_ += static_cast<std::uint64_t>(std::ranges::count(ascii, '\n'));
        if (auto refusal = hand_on(ascii)) {
            return refusal;
        }
        if (piece.size() >= kWindowSizeBytes) {
            encoding_ = tell_encoding(piece.substr(0, kWindowSizeBytes), false);
            return take(piece);
        }
    }
    held_ += piece;
    return held_.size() >= kWindowSizeBytes ? decide(false) : std::nullopt;
}

std::optional<Refusal> TextDecoder::decide(bool whole) {
    encoding_ = tell_encoding(std::string_view{held_}.substr(0, kWindowSizeBytes), whole);
    const auto window = std::move(held_);
    held_ = {};
    return take(window);
}

std::optional<Refusal> TextDecoder::convert(std::string_view piece, bool last) {
    if (!converter_) {
        converter_ = std::make_unique<Converter>(encoding_);
    }
    std::optional<Refusal> refusal;
    const bool good = converter_->convert(piece, last, [&](std::string_view text) {
        lines_ += static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
        refusal = hand_on(text);
        return !refusal;
    });
    if (!refusal && !good) {
        refusal = Refusal{encoding_ == Encoding::gb18030 ? "XF-3070" : "XF-3071", {std::to_string(lines_ + 1)}};
    }
    return refusal;
}

std::optional<Refusal> TextDecoder::hand_on(std::string_view text) {
    return text.empty() ? std::nullopt : sink_(text);
}

std::optional<Refusal> TextDecoder::finish() {
    if (!failure_ && !beginning_seen_ && !held_.empty()) {
        beginning_seen_ = true;
        // Shorter than a mark of UTF-8, but UTF-16's may be there.
        const auto text = std::move(held_);
        held_.clear();
        if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
            encoding_ = text.front() == '\xFF' ? Encoding::utf16_le : Encoding::utf16_be;
        } else {
            failure_ = take_undecided(text);
        }
    }
    if (!failure_ && encoding_ == Encoding::undecided && !held_.empty()) {
        failure_ = decide(true);
    }
    if (!failure_ && converter_) {
        failure_ = convert({}, true);
    }
    return failure_;
}

}  // namespace xinfu::inspector
