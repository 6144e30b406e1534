// Target: the path of a request, taken apart. Segments are split at "/" first and percent-decoded then, so that an
// encoded slash never makes a new segment.
//
// Sources: RFC 9112 section 3.2.1 (origin form), RFC 3986 section 2.1, RFC 3629, C2SP tlog-tiles.
// Threads: functions without state.
// Trust:   every byte is hostile.
// Errors:  an empty optional.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xinfu::gateway {

struct Target {
    std::vector<std::string> segments;  // decoded; "/v1/x" has two
    std::string query;                  // as it came, without "?"
};

// Only the origin form. A segment may hold any bytes after decoding; each use checks its own.
std::optional<Target> parse_target(std::string_view target);

// A name as departments give them: 1 to 200 bytes of UTF-8 without "/" and without control characters.
bool is_submission_name(std::string_view text);

// What catalogs, routes and submissions are called: 1 to 64 of a-z, A-Z, 0-9, ".", "_" and "-".
bool is_identifier(std::string_view text);

// "2026-11" as 202611. Only months of the years 2000 to 9999.
std::optional<std::uint32_t> parse_month(std::string_view text);

// Well-formed UTF-8: no surrogates, no longer forms than needed, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// "after=SEQ&limit=N&wait=SECONDS", each at most once and none needed, in decimal without leading zeros.
struct FeedQuery {
    std::uint64_t after = 0;         // a position; at most 2^53 - 1
    std::uint32_t limit = 1000;      // versions: 1 to 1000
    std::uint32_t wait_seconds = 0;  // at most 30; 0: not at all
};
// `fault` names the parameter that is missing its value or has a wrong one.
std::optional<FeedQuery> parse_feed_query(std::string_view query, std::string& fault);

// "<N>" or "<N>.p/<W>" in groups of three digits, all but the last prefixed with "x".
struct TileAddress {
    std::uint32_t level = 0;  // 0 to 63; not used by entry bundles
    std::uint64_t index = 0;
    std::uint32_t width = 256;  // 1 to 256
};
// `segments` follow "tile/<L>" or "tile/entries". Only the one canonical spelling of an address is accepted.
std::optional<TileAddress> parse_tile(std::span<const std::string> segments);
std::optional<std::uint32_t> parse_tile_level(std::string_view text);

}  // namespace xinfu::gateway
