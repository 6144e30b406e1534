// BodyReader: one body, from its first octet to the verdict. A department's file is a CMS SignedData over a
// table; a parcel is a CMS SignedData by a node over such a file, followed by a manifest.
//
// The vault verifies everything that needs a key. What is said here is where the signed content lies, who
// says to have signed it, and what the table contains. Either may come in an envelope, whose content key the vault
// unwraps; offsets then mean what is inside, and nothing that is found there is told before the envelope's tag is
// verified, except in Progress and records, which the vault holds back. Progress goes out after every piece of the
// body, so that the vault can digest along and forget.
//
// A broken package ends the reading at once. A table that is refused does not: the rest is still walked
// through, so that the refusal can name the digest of what was signed, and by whom.
//
// Threads: one strand.
// Trust:   every octet is hostile; a few hundred KiB are held, whatever the size of the body.
// Errors:  a Refusal in the verdict.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/cms_reader.hpp"
#include "daemon/inspector/content_reader.hpp"
#include "daemon/inspector/converted_digest.hpp"
#include "daemon/inspector/envelope.hpp"
#include "daemon/inspector/outbox.hpp"
#include "daemon/inspector/sheet.hpp"

namespace xinfu::inspector {

class BodyReader {
public:
    static constexpr std::size_t kManifestSizeBytesMax = 16 * 1024;

    // `versions`: of the catalog, at least one; the header decides.
    BodyReader(std::vector<const policies::Catalog*> versions, const policies::WorkingDays& calendar,
               policies::Day today, bool parcel, Unwrap unwrap, Outbox& outbox);

    // Before the first octet: the catalogs that a file may have been meant for instead. They outlive the reader.
    void know(Sheet::Catalogs catalogs) { sheet_.know(std::move(catalogs)); }
    // Answers false when the reading is over early: the verdict has a problem already.
    bool feed(ByteView piece);
    // At the body's end, or as soon as feed() answered false: tells the signers, and gives the verdict, which
    // the caller sends.
    boundary::Verdict finish();

    std::uint64_t size() const { return body_size_; }

private:
    bool feed_package(ByteView piece);
    bool feed_envelope(ByteView piece);
    bool package_is_good();
    void tell_cipher(std::uint64_t offset, std::uint64_t length);
    void send_progress();
    Result<void> take_content(std::uint64_t offset, ByteView piece);
    Result<void> take_parcel(std::uint64_t offset, ByteView piece);
    void take_text(ByteView piece);
    void add_span(unsigned layer, std::uint64_t offset, std::uint64_t length);
    void announce(unsigned layer, const crypto::CmsReader& reader);
    void tell_progress();
    void refuse_package(const boost::system::error_code& why, unsigned layer);
    void refuse(Refusal refusal, unsigned layer);
    bool finish_layer(unsigned layer);
    void tell_signer(unsigned layer);

    bool parcel_;
    Outbox& outbox_;
    Sheet sheet_;
    ContentReader content_;
    std::array<crypto::CmsReader, 2> layers_;  // 0: the body; 1: a parcel's original
    std::array<bool, 2> announced_{};
    boundary::InspectorReply progress_;
    crypto::BodyKind kind_ = crypto::BodyKind::undecided;
    Bytes held_;  // first octets, while they do not tell the kind
    std::optional<Envelope> envelope_;
    Unwrap unwrap_;
    Bytes opened_;  // of the envelope, by the last piece
    bool tag_told_ = false;
    std::uint64_t body_size_ = 0;
    std::uint64_t offset_ = 0;  // in the package
    ConvertedDigest converted_;
    std::string first_octets_;  // for a telling refusal
    std::uint64_t original_offset_ = 0;
    bool original_begun_ = false;
    std::string manifest_;
    std::optional<Refusal> package_refusal_;
    std::optional<Refusal> text_refusal_;
};

}  // namespace xinfu::inspector
