// Reading CMS in tests: what a reader told, gathered.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/cms_reader.hpp"
#include "crypto/cms_verify.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::test {

struct ReadCms {
    boost::system::error_code error;
    std::string content;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;  // offset and length, neighbours joined
    std::uint64_t size = 0;
    crypto::CmsSigner signer;
};

// Feeds `body` in chunks of `chunk_size` and finishes.
inline ReadCms read_cms(ByteView body, std::size_t chunk_size, crypto::CmsReaderOptions options = {}) {
    ReadCms result;
    crypto::CmsReader reader(options);
    const auto sink = [&](std::uint64_t offset, ByteView piece) -> Result<void> {
        result.content += as_text(piece);
        if (!result.spans.empty() && result.spans.back().first + result.spans.back().second == offset) {
            result.spans.back().second += piece.size();
        } else {
            result.spans.emplace_back(offset, piece.size());
        }
        return {};
    };
    for (std::size_t at = 0; at < body.size() && !reader.complete();) {
        const auto chunk = body.subspan(at, std::min(chunk_size, body.size() - at));
        const auto taken = reader.feed(at, chunk, sink);
        if (!taken) {
            result.error = taken.error();
            result.size = reader.size();
            return result;
        }
        at += *taken;
        if (*taken < chunk.size()) {
            break;
        }
        if (reader.complete() && at < body.size() && options.trailing == crypto::CmsReaderOptions::Trailing::refuse) {
            const auto more = reader.feed(at, body.subspan(at), sink);
            result.error = more ? boost::system::error_code{} : more.error();
            return result;
        }
    }
    const auto finished = reader.finish();
    if (!finished) {
        result.error = finished.error();
        return result;
    }
    result.size = reader.size();
    result.signer = reader.signer();
    return result;
}

inline ReadCms read_cms_vector(const std::string& name) {
    const auto body = read_vector("cms/" + name);
    return read_cms(as_bytes(body), body.size());
}

inline crypto::Certificate certificate_vector(const std::string& name) {
    return crypto::Certificate::read(as_bytes(read_vector("cms/" + name + ".pem"))).value();
}

inline Bytes content_digest(const std::string& oid, std::string_view content) {
    auto hasher = crypto::ContentHasher::for_algorithm(oid);
    hasher->update(as_bytes(content));
    return hasher->finish();
}

inline boost::system::error_code verify(const ReadCms& message, const crypto::Certificate& enrolled) {
    const auto digest = content_digest(message.signer.digest_algorithm, message.content);
    const auto result = crypto::verify_cms(message.signer, digest, enrolled);
    return result ? boost::system::error_code{} : result.error();
}

}  // namespace xinfu::test
