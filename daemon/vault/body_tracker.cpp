#include "daemon/vault/body_tracker.hpp"

#include <algorithm>
#include <cassert>

#include "daemon/boundary/error.hpp"

namespace xinfu::vault {

using boundary::Errc;

void BodyTracker::begin(Layer& layer, std::uint64_t offset) {
    layer.begun = true;
    layer.begin = offset;
    layer.end = offset;
    const bool outer_of_parcel = parcel_ && &layer == &layers_[0];  // a node signs with SHA-256
    if (!layer.announced && !outer_of_parcel) {  // nobody said which digests will be asked for: all of them
        layer.sha384 = crypto::ContentHasher::for_algorithm(crypto::kOidSha384).value();
        layer.sha512 = crypto::ContentHasher::for_algorithm(crypto::kOidSha512).value();
    }
}

void BodyTracker::digest_outer(ByteView piece) {
    // The last bytes may be the manifest; what lies before them is the original for certain.
    tail_.insert(tail_.end(), piece.begin(), piece.end());
    if (tail_.size() > 2 * kManifestSizeBytesMax) {
        const std::size_t settled = tail_.size() - kManifestSizeBytesMax;
        outer_.update(ByteView(tail_).first(settled));
        tail_.erase(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(settled));
    }
}

Result<void> BodyTracker::progress(const boundary::Progress& progress) {
    const unsigned layers = parcel_ ? 2 : 1;
    for (const auto& announced : progress.announced()) {
        if (announced.layer() >= layers) {
            return Errc::unexpected;
        }
        Layer& layer = layers_[announced.layer()];
        if (layer.begun || layer.announced) {
            return Errc::unexpected;
        }
        layer.announced = true;
        if (parcel_ && announced.layer() == 0) {
            continue;
        }
        for (const auto& algorithm : announced.digest_algorithms()) {
            if (algorithm == crypto::kOidSha384) {
                layer.sha384 = crypto::ContentHasher::for_algorithm(algorithm).value();
            } else if (algorithm == crypto::kOidSha512) {
                layer.sha512 = crypto::ContentHasher::for_algorithm(algorithm).value();
            }
        }
    }
    for (const auto& span : progress.spans()) {
        const auto piece = window_.find(span.offset(), span.length());
        if (span.layer() >= layers || !piece || piece->empty()) {
            return Errc::unexpected;
        }
        Layer& layer = layers_[span.layer()];
        if (!layer.begun) {
            begin(layer, span.offset());
        } else if (span.offset() < layer.end) {
            return Errc::unexpected;
        }
        if (parcel_ && span.layer() == 0) {
            if (span.offset() != layer.end) {  // a parcel's content lies in one piece, or it could not be sent on
                return Errc::unexpected;
            }
            digest_outer(*piece);
        } else {
            layer.sha256.update(*piece);
            if (layer.sha384) {
                layer.sha384->update(*piece);
            }
            if (layer.sha512) {
                layer.sha512->update(*piece);
            }
        }
        layer.end = span.offset() + span.length();
        layer.length += span.length();
    }
    return window_.consume(progress.consumed());
}

const crypto::Digest& BodyTracker::finished(Layer& layer) {
    if (!layer.finished) {
        layer.finished = layer.sha256.finish();
    }
    return *layer.finished;
}

crypto::Digest BodyTracker::content_digest() {
    return finished(layers_[parcel_ ? 1 : 0]);
}

std::optional<Bytes> BodyTracker::digest_of(unsigned layer, std::string_view algorithm) {
    Layer& which = layers_[layer];
    if (algorithm == crypto::kOidSha256) {
        const auto& digest = finished(which);
        return Bytes(digest.begin(), digest.end());
    }
    // A content of no bytes has no piece: its digests begin here.
    if (!which.begun && !which.announced) {
        begin(which, 0);
    }
    if (algorithm == crypto::kOidSha384 && which.sha384) {
        return which.sha384->finish();
    }
    if (algorithm == crypto::kOidSha512 && which.sha512) {
        return which.sha512->finish();
    }
    return std::nullopt;
}

Result<void> BodyTracker::split(std::uint64_t original_offset, std::uint64_t original_length, ByteView manifest) {
    assert(parcel_);
    Layer& outer = layers_[0];
    const Layer& inner = layers_[1];
    if (!outer.begun || original_length == 0 || original_length > outer.length || original_offset != outer.begin ||
        manifest.empty() || manifest.size() > kManifestSizeBytesMax ||
        manifest.size() != outer.length - original_length || manifest.size() > tail_.size()) {
        return Errc::unexpected;
    }
    if (inner.begun && (inner.begin < original_offset || inner.end > original_offset + original_length)) {
        return Errc::unexpected;
    }
    const ByteView tail(tail_);
    if (!std::ranges::equal(tail.last(manifest.size()), manifest)) {
        return Errc::unexpected;
    }
    outer_.update(tail.first(tail.size() - manifest.size()));
    tail_.clear();
    crypto::Sha256 whole = outer_;
    whole.update(manifest);
    outer.finished = whole.finish();
    return {};
}

}  // namespace xinfu::vault
