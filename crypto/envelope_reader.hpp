// EnvelopeReader: reads a CMS AuthEnvelopedData as it arrives: for whom it is, and where the cipher text lies. It holds
// a few KiB whatever the size of the file, and has no key.
//
// Format:  docs/formats/cms.md, "Envelope". DER, or BER with indefinite lengths and the cipher text in pieces.
// Sources: RFC 5083, RFC 5084 (GCM), RFC 5652 section 6.2, RFC 5753 (ECDH), RFC 8017 appendix A.2.1 (OAEP).
// Threads: one strand.
// Trust:   every octet is hostile. Tag and nonce lengths stand in a part that nothing authenticates: they are fixed
// here. Errors:  returned, Errc::cms_* and Errc::envelope_*, and final.
#pragma once

#include "crypto/ber_walker.hpp"

namespace xinfu::crypto {

inline constexpr std::size_t kEnvelopeNonceSizeBytes = 12;  // 96 bits, NIST SP 800-38D section 5.2.1.1
inline constexpr std::size_t kEnvelopeTagSizeBytes = 16;    // full length, section 5.2.1.2
inline constexpr std::size_t kContentKeySizeBytes = 32;     // AES-256

// For whom an envelope is, and the content key as it travels.
struct EnvelopeRecipient {
    Bytes issuer;  // raw DER Name and INTEGER contents, or
    Bytes serial;
    Bytes subject_key_identifier;
    bool agreement = false;      // ECDH with the SHA-256 KDF, wrapped by AES-256; else RSA-OAEP with SHA-256
    Bytes originator_point;      // ECDH: an uncompressed P-256 point, 65 octets
    Bytes user_keying_material;  // ECDH; empty: absent
    Bytes key_wrap_algorithm;    // ECDH: AlgorithmIdentifier, DER, as it goes into the KDF
    Bytes encrypted_key;
    bool operator==(const EnvelopeRecipient&) const = default;
};

// What a body is, as its first octets say.
enum class BodyKind { undecided, envelope, other };
// `undecided` only for what is shorter than kBodyKindSizeBytes.
BodyKind body_kind(ByteView first_octets);
inline constexpr std::size_t kBodyKindSizeBytes = 24;

class EnvelopeReader : private BerWalker {
public:
    static constexpr std::size_t kRecipientSizeBytesMax = 8 * 1024;
    using BerWalker::complete;
    using BerWalker::ContentSink;
    using BerWalker::size;

    EnvelopeReader();

    // As CmsReader::feed(); nothing may follow. The sink gets the cipher text; recipient() and nonce() are known by
    // then.
    Result<std::size_t> feed(std::uint64_t chunk_offset, ByteView chunk, const ContentSink& sink);
    Result<void> finish();

    const EnvelopeRecipient& recipient() const { return recipient_; }
    const Bytes& nonce() const { return nonce_; }  // 12 octets
    const Bytes& tag() const { return tag_; }      // 16 octets, once complete
    std::uint64_t cipher_size() const { return streamed_; }

private:
    struct Step {
        enum : Phase {
            content_info = 1,
            content_info_oid,
            content_info_explicit,
            enveloped,
            version,
            recipients,
            recipient_info,
            content,
            content_type,
            cipher_algorithm,
            cipher_text,
            cipher_piece,
            mac,
            closing,
        };
    };
    std::optional<Errc> on_header(const Header& header) override;
    std::optional<Errc> on_collected() override;
    std::optional<Errc> on_close() override;
    std::optional<Errc> on_complete() override;
    std::optional<Errc> on_cipher(const Header& header);
    std::optional<Errc> read_recipient();
    std::optional<Errc> read_transport(ByteView contents);
    std::optional<Errc> read_agreement(ByteView contents);
    std::optional<Errc> read_cipher();

    EnvelopeRecipient recipient_;
    bool recipient_seen_ = false;
    Bytes nonce_;
    Bytes tag_;
};

}  // namespace xinfu::crypto
