// BodyTracker: the vault's own view of a body while an inspector reads it. It keeps the bytes that the inspector has
// not passed yet, digests exactly those that the inspector says are signed content, and refuses every statement that
// cannot be true: pieces that go back, overlap, lie beyond what was sent or before what was given up.
//
// Layer 0 is the outer CMS, layer 1 a parcel's original. A parcel's outer content is `original || manifest`: it is
// digested with a delay of one manifest, so that the digest of the original can be continued with another manifest.
//
// Threads: one strand.
// Trust:   every Progress is a claim of an inspector.
// Errors:  boundary::Errc::unexpected: the inspector said what cannot be; nothing more may be believed of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/cms_verify.hpp"
#include "crypto/digest.hpp"
#include "crypto/result.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/vault/sent_window.hpp"

namespace xinfu::vault {

inline constexpr std::size_t kManifestSizeBytesMax = 16 * 1024;

class BodyTracker {
public:
    explicit BodyTracker(bool parcel) : parcel_(parcel) {}

    // How many further bytes may be sent now.
    std::size_t room() const { return window_.room(); }
    // Bytes on their way to the inspector. Precondition: at most room().
    void sent(ByteView bytes) { window_.send(bytes); }
    Result<void> progress(const boundary::Progress& progress);

    std::uint64_t sent_size() const { return window_.sent(); }
    std::uint64_t consumed_size() const { return window_.consumed(); }
    bool all_consumed() const { return window_.consumed() == window_.sent(); }

    // After the last Progress. A department's file, or a parcel's original: the signed content.
    crypto::Digest content_digest();
    std::uint64_t content_size() const { return layers_[parcel_ ? 1 : 0].length; }
    // The digest under the algorithm a signer used; empty: it was neither announced nor computed.
    std::optional<Bytes> digest_of(unsigned layer, std::string_view algorithm);

    // Parcels only. Whether the outer content is an original of this place and length and then this manifest; it also
    // finishes the outer content's digest. Errors: unexpected.
    Result<void> split(std::uint64_t original_offset, std::uint64_t original_length, ByteView manifest);
    // SHA-256 over the original so far, to be continued. Precondition: split() succeeded.
    const crypto::Sha256& original_state() const { return outer_; }

private:
    struct Layer {
        bool begun = false;
        bool announced = false;
        std::uint64_t begin = 0;  // of the first piece
        std::uint64_t end = 0;    // of the last piece
        std::uint64_t length = 0;
        crypto::Sha256 sha256;
        std::optional<crypto::ContentHasher> sha384;
        std::optional<crypto::ContentHasher> sha512;
        std::optional<crypto::Digest> finished;
    };
    void begin(Layer& layer, std::uint64_t offset);
    void digest_outer(ByteView piece);
    const crypto::Digest& finished(Layer& layer);

    bool parcel_;
    SentWindow window_;
    std::array<Layer, 2> layers_;
    crypto::Sha256 outer_;  // parcels: layer 0 without the last kManifestSizeBytesMax bytes
    Bytes tail_;            // those bytes
};

}  // namespace xinfu::vault
