#include "daemon/gateway/target.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace xinfu::gateway {
namespace {

constexpr std::size_t kSubmissionNameBytesMax = 200;
constexpr std::size_t kIdentifierBytesMax = 64;
constexpr std::uint32_t kTileLevelMax = 63;
constexpr std::size_t kTileGroupsMax = 6;  // 10^18 tiles of 256 entries are more than 2^64 entries
constexpr std::uint32_t kTileWidthMax = 256;
constexpr std::uint64_t kFeedPositionMax = (std::uint64_t{1} << 53) - 1;
constexpr std::uint32_t kFeedVersionsMax = 1000;
constexpr std::uint32_t kFeedWaitSecondsMax = 30;

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            decoded += text[at];
            continue;
        }
        if (at + 2 >= text.size()) {
            return std::nullopt;
        }
        const int high = hex_value(text[at + 1]);
        const int low = hex_value(text[at + 2]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        decoded += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return decoded;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Decimal without leading zero.
template <class Number = std::uint32_t>
std::optional<Number> parse_decimal(std::string_view text) {
    Number value = 0;
    if (text.empty() || !std::ranges::all_of(text, is_digit) || (text.size() > 1 && text[0] == '0')) {
        return std::nullopt;
    }
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
    if (target.empty() || target[0] != '/') {
        return std::nullopt;
    }
    Target parsed;
    if (const auto mark = target.find('?'); mark != std::string_view::npos) {
        parsed.query = target.substr(mark + 1);
        target = target.substr(0, mark);
    }
    for (std::size_t at = 1;;) {
        const std::size_t end = std::min(target.find('/', at), target.size());
        auto segment = percent_decode(target.substr(at, end - at));
        if (!segment) {
            return std::nullopt;
        }
        parsed.segments.push_back(std::move(*segment));
        if (end == target.size()) {
            return parsed;
        }
        at = end + 1;
    }
}

bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                                   : lead >= 0xe0 && lead <= 0xef ? 3
                                   : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                                  : 0;
        if (length == 0 || at + length > text.size()) {
            return false;
        }
        // The second byte's range excludes longer forms, surrogates and what lies above U+10FFFF.
        const auto second = static_cast<unsigned char>(text[at + 1]);
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high) {
            return false;
        }
        for (std::size_t n = 2; n < length; ++n) {
            if ((static_cast<unsigned char>(text[at + n]) & 0xc0) != 0x80) {
                return false;
            }
        }
        at += length;
    }
    return true;
}

bool is_submission_name(std::string_view text) {
    if (text.empty() || text.size() > kSubmissionNameBytesMax || !is_utf8(text)) {
        return false;
    }
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        // U+0080 to U+009F are control characters too; in UTF-8 they begin with C2.
        const bool c1 = byte == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
        if (byte < 0x20 || byte == 0x7f || byte == '/' || c1) {
            return false;
        }
    }
    return true;
}

bool is_identifier(std::string_view text) {
    return !text.empty() && text.size() <= kIdentifierBytesMax && std::ranges::all_of(text, [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
    });
}

std::optional<std::uint32_t> parse_month(std::string_view text) {
    if (text.size() != 7 || text[4] != '-') {
        return std::nullopt;
    }
    std::uint32_t number = 0;
    for (const char c : {text[0], text[1], text[2], text[3], text[5], text[6]}) {
        if (!is_digit(c)) {
            return std::nullopt;
        }
        number = number * 10 + static_cast<std::uint32_t>(c - '0');
    }
    const bool exists = number >= 200000 && number % 100 >= 1 && number % 100 <= 12;
    return exists ? std::optional(number) : std::nullopt;
}

std::optional<std::uint32_t> parse_tile_level(std::string_view text) {
    const auto level = parse_decimal(text);
    return level && *level <= kTileLevelMax ? level : std::nullopt;
}

std::optional<TileAddress> parse_tile(std::span<const std::string> segments) {
    TileAddress address;
    constexpr std::string_view kPartial = ".p";
    std::string last_group;
    if (segments.size() >= 2 && std::string_view(segments[segments.size() - 2]).ends_with(kPartial)) {
        const auto width = parse_decimal(segments.back());
        if (!width || *width == 0 || *width >= kTileWidthMax) {
            return std::nullopt;
        }
        address.width = *width;
        last_group = segments[segments.size() - 2].substr(0, segments[segments.size() - 2].size() - kPartial.size());
        segments = segments.first(segments.size() - 1);
    } else if (!segments.empty()) {
        last_group = segments.back();
    }
    if (segments.empty() || segments.size() > kTileGroupsMax) {
        return std::nullopt;
    }
    for (std::size_t n = 0; n < segments.size(); ++n) {
        const bool last = n + 1 == segments.size();
        std::string_view group = last ? std::string_view(last_group) : std::string_view(segments[n]);
        if (!last) {
            if (!group.starts_with('x')) {
                return std::nullopt;
            }
            group.remove_prefix(1);
        }
        // A first group of zeros before others would be a second spelling of the same number.
        if (group.size() != 3 || !std::ranges::all_of(group, is_digit) || (n == 0 && !last && group == "000")) {
            return std::nullopt;
        }
        for (const char digit : group) {
            address.index = address.index * 10 + static_cast<std::uint64_t>(digit - '0');
        }
    }
    return address;
}

std::optional<FeedQuery> parse_feed_query(std::string_view query, std::string& fault) {
    FeedQuery parsed;
    bool after = false;
    bool limit = false;
    bool wait = false;
    while (!query.empty()) {
        const auto piece = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(piece.size() + 1, query.size()));
        const auto equals = std::min(piece.find('='), piece.size());
        const auto name = piece.substr(0, equals);
        const auto value =
            equals == piece.size() ? std::nullopt : parse_decimal<std::uint64_t>(piece.substr(equals + 1));
        const auto take = [&](bool& seen, std::uint64_t min, std::uint64_t max) {
            return !std::exchange(seen, true) && value && *value >= min && *value <= max;
        };
        if (name == "after" && take(after, 0, kFeedPositionMax)) {
            parsed.after = *value;
        } else if (name == "limit" && take(limit, 1, kFeedVersionsMax)) {
            parsed.limit = static_cast<std::uint32_t>(*value);
        } else if (name == "wait" && take(wait, 0, kFeedWaitSecondsMax)) {
            parsed.wait_seconds = static_cast<std::uint32_t>(*value);
        } else {
            fault = is_identifier(name) ? name : "?";
            return std::nullopt;
        }
    }
    return parsed;
}

}  // namespace xinfu::gateway
