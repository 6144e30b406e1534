// CmsWriter: a CMS SignedData around a content that is too large to hold. The octets before the content are known
// at once, those after it when the content's digest is; the whole is DER.
//
// Format:  docs/formats/cms.md: one signer, ECDSA P-256 with SHA-256, attributes contentType, signingTime and
//          messageDigest, the signer's certificate embedded.
// Sources: RFC 5652 section 5, RFC 5754 section 3.2.
// Threads: immutable after construction.
// Errors:  key_wrong_algorithm, signing_failed.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/signing_key.hpp"
#include "crypto/utc.hpp"

namespace xinfu::crypto {

class CmsWriter {
public:
    // `key` is the P-256 key of `certificate`. `content_size` is exact, in bytes. `other_certificate`: DER, embedded
    // beside the signer's; empty: none.
    static Result<CmsWriter> create(const SigningKey& key, const Certificate& certificate, std::uint64_t content_size,
                                    UtcSeconds signing_time, ByteView other_certificate = {});

    const Bytes& prefix() const { return prefix_; }  // goes before the content
    std::size_t suffix_size() const { return suffix_size_; }
    std::uint64_t size() const { return prefix_.size() + content_size_ + suffix_size_; }

    // The octets after the content. Each call may give other octets: a signature with a fresh nonce. So that the
    // lengths in the prefix hold, the signature always has 71 octets; to get one the time of signing may move by some
    // seconds.
    Result<Bytes> finish(const Digest& content_digest) const;

private:
    CmsWriter(const SigningKey& key, const Certificate& certificate, std::uint64_t content_size,
              UtcSeconds signing_time, ByteView other_certificate);

    SigningKey key_;
    Certificate certificate_;
    Bytes certificates_;  // the field, whole
    std::uint64_t content_size_;
    UtcSeconds signing_time_;
    Bytes prefix_;
    std::size_t suffix_size_ = 0;
};

}  // namespace xinfu::crypto
