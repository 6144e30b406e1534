#include "crypto/error.hpp"

#include <string>

namespace xinfu::crypto {
namespace {

class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "xinfu.crypto"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::encoding_malformed: return "not in the one canonical encoding";
            case Errc::key_malformed: return "the key cannot be read";
            case Errc::key_wrong_algorithm: return "a key of this kind is not accepted here";
            case Errc::signing_failed: return "the key refused to sign";
            case Errc::random_failed: return "the system gave no randomness";
            case Errc::note_malformed: return "not a signed note";
            case Errc::note_unverified: return "no known key signed the note";
            case Errc::checkpoint_malformed: return "the note is not a checkpoint";
            case Errc::proof_malformed: return "not a tlog-proof";
            case Errc::proof_mismatch: return "the proof does not lead to the signed root";
            case Errc::origin_mismatch: return "the checkpoint is another log's";
            case Errc::seal_not_opened: return "the sealed value does not open";
            case Errc::key_not_unwrapped: return "the wrapped key does not open";
            case Errc::password_malformed: return "not a stored password within the accepted cost";
            case Errc::cms_not_cms: return "not a CMS message";
            case Errc::cms_is_pem: return "PEM text where DER octets are expected";
            case Errc::cms_is_smime: return "an S/MIME mail where DER octets are expected";
            case Errc::cms_wrong_type: return "a CMS message, but not SignedData";
            case Errc::cms_malformed: return "the CMS structure is broken";
            case Errc::cms_truncated: return "the CMS message ends before it is complete";
            case Errc::cms_trailing_bytes: return "octets follow the CMS message";
            case Errc::cms_too_deep: return "the CMS message is nested too deep";
            case Errc::cms_too_many_elements: return "the CMS message is cut into too small pieces";
            case Errc::cms_part_too_large: return "a part of the CMS message is too large";
            case Errc::cms_content_too_large: return "the signed content is too large";
            case Errc::cms_version: return "the CMS version does not fit its parts";
            case Errc::cms_detached: return "the signature is detached: the content is not inside";
            case Errc::cms_no_signer: return "nobody signed the message";
            case Errc::cms_several_signers: return "more than one signature";
            case Errc::cms_certificate_form:
                return "an embedded certificate is not X.509 in DER, or there are too many";
            case Errc::cms_digest_algorithm: return "the digest algorithm is not accepted";
            case Errc::cms_algorithm_pair: return "digest algorithm, signature algorithm and key do not go together";
            case Errc::cms_attributes_missing: return "there are no signed attributes";
            case Errc::cms_attributes_malformed: return "the signed attributes are malformed";
            case Errc::cms_attributes_unsorted: return "the signed attributes are not in DER order";
            case Errc::cms_attribute_missing: return "contentType or messageDigest is missing";
            case Errc::cms_content_type: return "the content has another type than expected";
            case Errc::cms_digest_mismatch: return "the content is not the one that was signed";
            case Errc::cms_algorithm_protection: return "cmsAlgorithmProtect names other algorithms";
            case Errc::cms_certificate_binding: return "signingCertificate names another certificate";
            case Errc::cms_signer_unknown: return "the signer identifier does not fit the certificate";
            case Errc::cms_signature_invalid: return "the signature does not verify";
            case Errc::cms_indefinite: return "indefinite lengths where DER is required";
            case Errc::key_encrypted: return "the private key is protected by a passphrase";
            case Errc::certificate_malformed: return "not an X.509 certificate";
            case Errc::certificate_untrusted: return "no path leads from the certificate to a trust anchor";
            case Errc::certificate_expired: return "a certificate on the path is not valid at that time";
            case Errc::certificate_wrong_usage: return "the certificate is not made for this use";
            case Errc::request_malformed: return "not a certificate request signed by its own key";
            case Errc::revocation_list_malformed: return "not a revocation list that can be understood";
            case Errc::revocation_list_unverified: return "the authority did not sign the revocation list";
            case Errc::index_malformed: return "the authority's index cannot be read";
            case Errc::handshake_malformed: return "not the parts of a handshake signature";
            case Errc::handshake_unproven: return "the client does not hold its certificate's key";
            case Errc::pem_malformed: return "the PEM armour is damaged";
            case Errc::pem_label: return "a PEM label other than CMS or PKCS7";
            case Errc::pem_truncated: return "the PEM text ends before its END line";
            case Errc::pem_trailing: return "something follows the PEM armour";
            case Errc::envelope_unauthenticated: return "encrypted without authentication";
            case Errc::envelope_recipients: return "an envelope has exactly one recipient";
            case Errc::envelope_key_transport: return "the content key travels in a way that is not accepted";
            case Errc::envelope_cipher: return "not AES-256-GCM with a nonce of 12 and a tag of 16 octets";
            case Errc::envelope_attributes: return "the envelope carries attributes or an originator's certificates";
            case Errc::envelope_other_recipient: return "the envelope was made for another certificate";
            case Errc::envelope_not_opened: return "the envelope does not open";
            case Errc::envelope_key_replaced: return "the envelope was made for a certificate that was replaced";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& category() noexcept {
    static const Category instance;
    return instance;
}

}  // namespace xinfu::crypto
