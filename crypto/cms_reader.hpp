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
#include <functional>
#include <optional>
#include <string>
#include <vector>

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

class CmsReader {
public:
    static constexpr std::size_t kDepthMax = 16;
    static constexpr std::size_t kSignerSizeBytesMax = 16 * 1024;        // the one SignerInfo
    static constexpr std::size_t kCertificatesSizeBytesMax = 64 * 1024;  // all of them together
    static constexpr std::size_t kCertificatesMax = 10;
    static constexpr std::uint64_t kRevocationSizeBytesMax = 1024 * 1024;  // skipped, never kept

    // A piece of the content: never empty, a part of the chunk just fed, valid for the call. `offset` counts as
    // the chunk's does. Pieces ascend and do not overlap. An error ends the reading and is returned by feed().
    using ContentSink = std::function<Result<void>(std::uint64_t offset, ByteView piece)>;

    explicit CmsReader(CmsReaderOptions options = {});

    // Takes the next chunk, whose first octet has the offset `chunk_offset` in whatever the caller counts: for
    // the outer layer the body, for a nested reader the offset that the outer reader reported, so that offsets
    // always mean the body. Returns how many octets were taken: all, except when the ContentInfo ends inside the
    // chunk and trailing octets are left to the caller.
    Result<std::size_t> feed(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink);

    // The ContentInfo is complete: signer() may be called, and nothing more is taken.
    bool complete() const { return phase_ == Phase::complete; }

    // To be called at the end of the input. Errors: cms_truncated, cms_not_cms (an empty input), or the earlier error.
    Result<void> finish();

    // Octets taken so far; once complete, the size of the ContentInfo.
    std::uint64_t size() const { return size_; }
    std::uint64_t content_size() const { return content_size_; }

    // The OIDs of SignedData.digestAlgorithms, dotted, known before the first piece of content. They serve to
    // choose digests early; the signer's own algorithm, checked to be among them, is what counts.
    const std::vector<std::string>& digest_algorithms() const { return digest_algorithms_; }

    // Precondition: complete(). Checked as far as that needs no key: exactly one signer; signed attributes present,
    // sorted, each once, naming the content's type; an accepted pair of algorithms.
    const CmsSigner& signer() const { return signer_; }

private:
    enum class Phase {  // which element is expected next
        content_info,
        content_info_oid,
        content_info_explicit,
        signed_data,
        version,
        digest_algorithms,
        digest_algorithm,
        encapsulated,
        content_type,
        content_explicit,
        content_string,
        content_segment,
        after_content,  // certificates, revocation lists, or the set of signers
        certificate,
        revocation,
        signer,
        closing,  // none: the enclosing element must end
        complete,
    };
    enum class Action { header, collect, stream, skip };
    struct Frame {
        std::uint64_t end;  // as size_ counts; all ones: until its end-of-contents
        Phase then;         // the phase once it is closed
    };
    struct Header {
        std::uint8_t tag = 0;
        bool indefinite = false;
        bool minimal = true;
        std::uint64_t length = 0;
    };

    std::optional<Errc> on_octet(std::uint8_t octet);
    std::optional<Errc> on_header(const Header& header);
    std::optional<Errc> on_content(const Header& header);
    std::optional<Errc> on_part(const Header& header);
    std::optional<Errc> open(const Header& header, Phase inside, Phase then);
    std::optional<Errc> collect(const Header& header, std::size_t limit, bool whole);
    std::optional<Errc> skip(const Header& header);
    std::optional<Errc> on_element_end();
    std::optional<Errc> on_collected();
    std::optional<Errc> close_full_frames();
    std::optional<Errc> close_frame();
    std::optional<Errc> finish_signer();
    void select_certificate();
    Errc explain_first_octets() const;

    CmsReaderOptions options_;
    Phase phase_ = Phase::content_info;
    Action action_ = Action::header;
    std::optional<boost::system::error_code> failure_;
    std::vector<Frame> frames_;
    std::uint64_t size_ = 0;
    std::uint64_t content_size_ = 0;
    std::uint64_t elements_ = 0;
    std::uint64_t remaining_ = 0;                // octets of the element being collected, streamed or skipped
    Phase after_element_ = Phase::content_info;  // of the element being streamed or skipped

    Bytes first_octets_;    // for a telling refusal of what is not CMS at all
    Bytes header_octets_;   // of the header being read, at most 10
    Bytes element_header_;  // of the element whose header was read last
    Bytes collected_;
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
