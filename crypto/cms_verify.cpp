#include "crypto/cms_verify.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include <botan/ec_group.h>
#include <botan/ecc_key.h>
#include <botan/hash.h>
#include <botan/pk_keys.h>
#include <botan/pubkey.h>
#include <botan/x509cert.h>

#include "crypto/certificate_parts.hpp"
#include "crypto/cms_algorithms.hpp"
#include "crypto/digest.hpp"
#include "crypto/signed_attributes.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kRsaBitsMin = 2048;
constexpr std::size_t kRsaBitsMax = 8192;

bool same(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}

bool same_algorithm(const AlgorithmIdentifier& a, std::string_view oid, ByteView parameters) {
    const AlgorithmIdentifier b{std::string(oid), parameters};
    return a.oid == b.oid &&
           (same(a.parameters, b.parameters) || (a.parameters_absent_or_null() && b.parameters_absent_or_null()));
}

bool binds(const CertificateBinding& binding, const Certificate& certificate) {
    const auto hash = Botan::HashFunction::create_or_throw(binding.digest);
    const auto digest = hash->process(certificate.der());
    if (!same(digest, binding.certificate_digest)) {
        return false;
    }
    return binding.issuer.empty() ||
           (same(binding.issuer, certificate.issuer()) && same(binding.serial, certificate.serial()));
}

// Whether the key is of the family and size that the scheme is accepted with.
bool suits(const Botan::Public_Key& key, const SignatureScheme& scheme) {
    switch (scheme.family) {
        case SignatureFamily::rsa_pkcs1:
        case SignatureFamily::rsa_pss:
            return key.algo_name() == "RSA" && key.key_length() >= kRsaBitsMin && key.key_length() <= kRsaBitsMax;
        case SignatureFamily::ecdsa: {
            const auto* ec = dynamic_cast<const Botan::EC_PublicKey*>(&key);
            return ec != nullptr && key.algo_name() == "ECDSA" &&
                   (ec->domain().get_curve_oid() == Botan::OID("1.2.840.10045.3.1.7") ||
                    ec->domain().get_curve_oid() == Botan::OID("1.3.132.0.34"));
        }
        case SignatureFamily::ed25519: return key.algo_name() == "Ed25519";
    }
    return false;
}

std::string padding(const SignatureScheme& scheme) {
    switch (scheme.family) {
        case SignatureFamily::rsa_pkcs1: return "PKCS1v15(" + scheme.digest + ")";
        case SignatureFamily::rsa_pss:
            return "PSS(" + scheme.digest + ",MGF1," + std::to_string(scheme.salt_size) + ")";
        case SignatureFamily::ecdsa: return scheme.digest;
        case SignatureFamily::ed25519: return "Pure";
    }
    return {};
}

// Verifiers of the certificates that were seen last: to make one costs more than to verify with it, since the key's
// point is checked and a table of its multiples computed. One that did not say yes is not kept, whatever state it is
// in.
class VerifierCache {
public:
    struct Verifier {
        std::unique_ptr<Botan::Public_Key> key;  // outlives what verifies with it
        std::unique_ptr<Botan::PK_Verifier> native;
    };

    std::optional<Verifier> take(const Certificate& certificate, const SignatureScheme& scheme) {
        const auto found = std::ranges::find_if(kept_, [&](const Kept& kept) {
            return kept.certificate == certificate.digest() && kept.family == scheme.family &&
                   kept.padding == padding(scheme);
        });
        if (found == kept_.end()) {
            return std::nullopt;
        }
        Verifier verifier = std::move(found->verifier);
        kept_.erase(found);
        return verifier;
    }
    void give_back(const Certificate& certificate, const SignatureScheme& scheme, Verifier verifier) {
        if (kept_.size() == kKeptMax) {
            kept_.pop_front();
        }
        kept_.push_back({certificate.digest(), scheme.family, padding(scheme), std::move(verifier)});
    }

private:
    static constexpr std::size_t kKeptMax = 32;
    struct Kept {
        Digest certificate;
        SignatureFamily family;
        std::string padding;
        Verifier verifier;
    };
    std::deque<Kept> kept_;  // longest unused first
};

}  // namespace

Result<ContentHasher> ContentHasher::for_algorithm(std::string_view oid) {
    const auto name = digest_name(oid);
    if (name.empty()) {
        return Errc::cms_digest_algorithm;
    }
    return ContentHasher(Botan::HashFunction::create_or_throw(name));
}

ContentHasher::ContentHasher(std::unique_ptr<Botan::HashFunction> state) : state_(std::move(state)) {}
ContentHasher::ContentHasher(ContentHasher&&) noexcept = default;
ContentHasher& ContentHasher::operator=(ContentHasher&&) noexcept = default;
ContentHasher::~ContentHasher() = default;

void ContentHasher::update(ByteView bytes) {
    state_->update(bytes);
}

Bytes ContentHasher::finish() {
    return state_->final_stdvec();
}

bool identifies(const CmsSigner& signer, const Certificate& certificate) {
    if (!signer.subject_key_identifier.empty()) {
        return signer.issuer.empty() && signer.serial.empty() &&
               same(signer.subject_key_identifier, certificate.subject_key_identifier());
    }
    return !signer.issuer.empty() && !signer.serial.empty() && same(signer.issuer, certificate.issuer()) &&
           same(signer.serial, certificate.serial());
}

Result<CmsVerified> verify_cms(const CmsSigner& signer, ByteView content_digest, const Certificate& enrolled,
                               std::string_view content_type) try {
    // An embedded certificate of the same name and number that is another one is a substitution.
    if (!identifies(signer, enrolled) || (!signer.certificate.empty() && !same(signer.certificate, enrolled.der()))) {
        return Errc::cms_signer_unknown;
    }
    if (signer.content_type != content_type) {
        return Errc::cms_content_type;
    }
    const auto attributes = parse_signed_attributes(signer.signed_attributes);
    if (!attributes) {
        return attributes.error();
    }
    if (attributes->content_type != content_type) {
        return Errc::cms_content_type;
    }
    const auto scheme =
        signature_scheme(signer.digest_algorithm, signer.signature_algorithm, signer.signature_parameters);
    if (!scheme) {
        return digest_name(signer.digest_algorithm).empty() ? Errc::cms_digest_algorithm : Errc::cms_algorithm_pair;
    }
    if (content_digest.size() != digest_size(signer.digest_algorithm) ||
        !equal_constant_time(attributes->message_digest, content_digest)) {
        return Errc::cms_digest_mismatch;
    }
    if (const auto& protection = attributes->protection) {
        if (!same_algorithm(protection->digest, signer.digest_algorithm, {}) ||
            !same_algorithm(protection->signature, signer.signature_algorithm, signer.signature_parameters)) {
            return Errc::cms_algorithm_protection;
        }
    }
    for (const auto* binding : {&attributes->binding_v1, &attributes->binding_v2}) {
        if (*binding && !binds(**binding, enrolled)) {
            return Errc::cms_certificate_binding;
        }
    }
    thread_local VerifierCache verifiers;
    auto verifier = verifiers.take(enrolled, *scheme);
    if (!verifier) {
        auto key = enrolled.native().subject_public_key();
        if (!suits(*key, *scheme)) {
            return Errc::cms_algorithm_pair;
        }
        const auto format = scheme->family == SignatureFamily::ecdsa ? Botan::Signature_Format::DerSequence
                                                                     : Botan::Signature_Format::Standard;
        auto native = std::make_unique<Botan::PK_Verifier>(*key, padding(*scheme), format);
        verifier.emplace(VerifierCache::Verifier{std::move(key), std::move(native)});
    }
    if (!verifier->native->verify_message(signer.signed_attributes, signer.signature)) {
        return Errc::cms_signature_invalid;
    }
    verifiers.give_back(enrolled, *scheme, std::move(*verifier));
    return CmsVerified{attributes->signing_time};
} catch (const std::exception&) {
    return Errc::cms_signature_invalid;
}

}  // namespace xinfu::crypto
