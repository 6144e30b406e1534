// Whatever the input: the reader's spans ascend, do not overlap and lie inside it; what it calls content are the
// octets at those spans; and it tells the same whether fed whole, octet by octet or in uneven chunks.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "crypto/cms_reader.hpp"
#include "crypto/digest.hpp"

namespace {

using xinfu::ByteView;
using xinfu::crypto::CmsReader;
using xinfu::crypto::CmsReaderOptions;

struct Told {
    std::optional<boost::system::error_code> error;
    xinfu::crypto::Digest digest{};
    std::uint64_t size = 0;
    std::uint64_t content_size = 0;
    xinfu::Bytes signature;
    bool operator==(const Told&) const = default;
};

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

Told read(ByteView input, std::uint32_t pattern, CmsReaderOptions options) {
    constexpr std::uint64_t kBase = 1000;  // offsets are the caller's
    CmsReader reader(options);
    xinfu::crypto::Sha256 digest;
    std::uint64_t end = kBase;
    std::uint64_t total = 0;
    const auto sink = [&](std::uint64_t offset, ByteView piece) -> xinfu::Result<void> {
        require(!piece.empty() && offset >= end && offset + piece.size() <= kBase + input.size());
        require(piece.data() == input.data() + (offset - kBase));
        end = offset + piece.size();
        total += piece.size();
        digest.update(piece);
        return {};
    };
    Told told;
    std::size_t at = 0;
    while (at < input.size()) {
        std::size_t size = input.size();  // pattern 0: whole
        if (pattern != 0) {
            pattern = pattern * 1664525u + 1013904223u;
            size = 1 + (pattern >> 24) % 23;
        }
        const auto chunk = input.subspan(at, std::min(size, input.size() - at));
        const auto taken = reader.feed(kBase + at, chunk, sink);
        if (!taken) {
            told.error = taken.error();
            break;
        }
        require(*taken <= chunk.size() && (*taken == chunk.size() || reader.complete()));
        at += *taken;
        if (*taken < chunk.size()) {
            break;
        }
        if (reader.complete() && options.trailing == CmsReaderOptions::Trailing::leave) {
            break;
        }
    }
    const auto finished = reader.finish();
    if (!told.error && !finished) {
        told.error = finished.error();
    }
    if (!told.error) {
        require(reader.complete() && reader.content_size() == total && reader.size() <= input.size());
        told.digest = digest.finish();
        told.size = reader.size();
        told.content_size = total;
        told.signature = reader.signer().signature;
        require(reader.signer().signed_attributes.size() <= CmsReader::kSignerSizeBytesMax);
    }
    return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    for (const auto trailing : {CmsReaderOptions::Trailing::refuse, CmsReaderOptions::Trailing::leave}) {
        for (const bool definite_only : {false, true}) {
            CmsReaderOptions options;
            options.trailing = trailing;
            options.definite_only = definite_only;
            const auto whole = read(input, 0, options);
            require(whole == read(input, 1, options));
            require(whole == read(input, 12345, options));
        }
    }
    return 0;
}
