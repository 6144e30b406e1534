// FeedPage: a piece of a catalog's feed as a recipient gets it: a line of JSON for each record version, with those
// fields that its role may extract, masked by their rules.
//
// Format:  docs/formats/feeds.md.
// Threads: any; reads the store for some milliseconds.
// Errors:  storage::Errc; crypto errors for a key that does not unwrap. What is damaged is not passed over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/result.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/principal.hpp"
#include "storage/feeds.hpp"

namespace xinfu::vault {

class Keys;

inline constexpr std::uint32_t kFeedVersionsMax = 1000;                     // in a page
inline constexpr std::size_t kFeedPageSizeBytesMax = std::size_t{1} << 20;  // the version that goes beyond is the last

struct FeedPageRequest {
    const PolicySet& policies;
    const Principal& principal;
    std::string_view catalog;
    std::uint64_t after = 0;  // position
    std::uint32_t limit = 0;  // versions
};
struct FeedPage {
    std::string text;
    std::uint64_t count = 0;            // versions
    std::uint64_t next = 0;             // the last position looked at: what the next page comes after
    std::vector<std::string> fields{};  // classes shown of at least one version
};
Result<FeedPage> make_feed_page(const storage::Engine& engine, const Keys& keys, storage::FeedPlaces& places,
                                const FeedPageRequest& request);

}  // namespace xinfu::vault
