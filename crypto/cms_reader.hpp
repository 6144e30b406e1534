// CmsReader: reads a CMS SignedData as it arrives, in pieces of any size, and says where the signed content lies.
// It holds a few KiB whatever the size of the file, copies no content, and neither hashes nor verifies.
//
// Format:  docs/formats/cms.md. DER, or BER with indefinite lengths and constructed OCTET STRINGs.
// Sources: RFC 5652 sections 3 to 5; X.690 sections 8 and 10.
// Threads: one strand.
// Trust:   every octet is hostile. Depth, lengths, numbers of elements and sizes of collected parts are bounded.
// Errors:  returned, Errc::cms_*, one reason each, and final: after an error the reader only repeats it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/ber_walker.hpp"
#include "crypto/bytes.hpp"
#include "crypto/cms_signer.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"

namespace xinfu::crypto {

struct CmsReaderOptions {
    // What follows the ContentInfo: refused, or left to the caller (a parcel's manifest follows the original).
    enum class Trailing { refuse, leave };
    Trailing trailing = Trailing::refuse;
    // Only definite lengths and a content in one piece: what a parcel's outer layer must be.
    bool definite_only = false;
    std::uint64_t content_size_bytes_max = std::uint64_t{1} << 40;
};

class CmsReader : private BerWalker {
public:
    using BerWalker::complete;
    using BerWalker::ContentSink;
    using BerWalker::kDepthMax;
    using BerWalker::size;
    static constexpr std::size_t kSignerSizeBytesMax = 16 * 1024;        // the one SignerInfo
    static constexpr std::size_t kCertificatesSizeBytesMax = 64 * 1024;  // all of them together
    static constexpr std::size_t kCertificatesMax = 10;
    static constexpr std::uint64_t kRevocationSizeBytesMax = 1024 * 1024;  // skipped, never kept

    explicit CmsReader(CmsReaderOptions options = {});

    // Takes the next chunk, whose first octet has the offset `chunk_offset` in whatever the caller counts: for
    // the outer layer the body, for a nested reader the offset that the outer reader reported, so that offsets
    // always mean the body. Returns how many octets were taken: all, except when the ContentInfo ends inside the
    // chunk and trailing octets are left to the caller.
    Result<std::size_t> feed(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink);

    // Once complete() signer() may be called, and nothing more is taken. size() counts the octets taken so far; once
    // complete it is the size of the ContentInfo.

    // To be called at the end of the input. Errors: cms_truncated, cms_not_cms (an empty input), or the earlier error.
    Result<void> finish();

    std::uint64_t content_size() const { return streamed_; }

    // The OIDs of SignedData.digestAlgorithms, dotted, known before the first piece of content. They serve to
    // choose digests early; the signer's own algorithm, checked to be among them, is what counts.
    const std::vector<std::string>& digest_algorithms() const { return digest_algorithms_; }

    // Precondition: complete(). Checked as far as that needs no key: exactly one signer; signed attributes present,
    // sorted, each once, naming the content's type; an accepted pair of algorithms.
    const CmsSigner& signer() const { return signer_; }

private:
    struct Step {
        enum : Phase {  // which element is expected next
            content_info = 1,
            content_info_oid,
            content_info_explicit,
            signed_data,
            version,
            digest_set,
            digest_algorithm,
            encapsulated,
            content_type,
            content_explicit,
            content_string,
            content_segment,
            after_content,  // certificates, revocation lists, or the set of signers
            certificate,
            revocation,
            signer_info,
            closing,  // none: the enclosing element must end
        };
    };
    std::optional<Errc> on_header(const Header& header) override;
    std::optional<Errc> on_collected() override;
    std::optional<Errc> on_close() override;
    std::optional<Errc> on_complete() override;
    std::optional<Errc> on_content(const Header& header);
    std::optional<Errc> on_part(const Header& header);
    void select_certificate();

    CmsReaderOptions options_;
    std::uint64_t version_ = 0;
    std::uint64_t revocation_size_ = 0;
    std::vector<std::string> digest_algorithms_;
    std::vector<Bytes> certificates_;
    std::size_t certificates_size_ = 0;
    bool certificates_seen_ = false;
    bool revocation_seen_ = false;
    Bytes signer_info_;
    CmsSigner signer_;
};

}  // namespace xinfu::crypto
