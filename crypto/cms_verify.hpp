// Verification of a CMS signature: that the holder of an enrolled certificate's key signed a content with this
// digest. The vault runs it on fields that an inspector reported, and trusts none of them.
//
// Format:  docs/formats/cms.md. Signed attributes are required: without them a signature over attributes could be
//          passed off as one over a content.
// Sources: RFC 5652 sections 5.4 and 11, RFC 5035 (signingCertificate), RFC 6211 (cmsAlgorithmProtect), RFC 8419.
// Threads: pure functions; a ContentHasher belongs to one thread at a time.
// Trust:   signer hostile, size bounded by the caller's packet; certificate and digest the caller's own.
// Errors:  Errc::cms_*; Botan's exceptions stop inside.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/certificate.hpp"
#include "crypto/cms_signer.hpp"
#include "crypto/error.hpp"
#include "crypto/result.hpp"
#include "crypto/utc.hpp"

namespace Botan {
class HashFunction;
}

namespace xinfu::crypto {

inline constexpr std::string_view kOidData = "1.2.840.113549.1.7.1";
inline constexpr std::string_view kOidSha256 = "2.16.840.1.101.3.4.2.1";
inline constexpr std::string_view kOidSha384 = "2.16.840.1.101.3.4.2.2";
inline constexpr std::string_view kOidSha512 = "2.16.840.1.101.3.4.2.3";

// The content's digest under an algorithm named by its OID.
class ContentHasher {
public:
    // Errors: cms_digest_algorithm for all but SHA-256, SHA-384 and SHA-512.
    static Result<ContentHasher> for_algorithm(std::string_view oid);
    ContentHasher(ContentHasher&&) noexcept;
    ContentHasher& operator=(ContentHasher&&) noexcept;
    ~ContentHasher();
    void update(ByteView bytes);
    Bytes finish();  // and starts over

private:
    explicit ContentHasher(std::unique_ptr<Botan::HashFunction> state);
    std::unique_ptr<Botan::HashFunction> state_;
};

struct CmsVerified {
    std::optional<UtcSeconds> signing_time;  // the signer's claim, no more
};

// Checks, in this order: the signer identifier fits `enrolled`; the content's type is `content_type`; the attributes
// are sorted DER, each once, and name that type; the digest equals `content_digest` (computed under
// signer.digest_algorithm); optional attributes that bind algorithms and certificate fit; the pair of algorithms is
// accepted and suits the key; the signature verifies.
// Errors: cms_signer_unknown, cms_content_type, cms_attributes_malformed, cms_attributes_unsorted,
// cms_attribute_missing, cms_digest_mismatch, cms_algorithm_protection, cms_certificate_binding, cms_algorithm_pair,
// cms_signature_invalid.
Result<CmsVerified> verify_cms(const CmsSigner& signer, ByteView content_digest, const Certificate& enrolled,
                               std::string_view content_type = kOidData);

// Whether the signer identifier (and nothing more) fits the certificate.
bool identifies(const CmsSigner& signer, const Certificate& certificate);

}  // namespace xinfu::crypto
