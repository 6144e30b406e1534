#include "daemon/vault/signer_check.hpp"

#include <algorithm>
#include <variant>

#include "crypto/cms_verify.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/identity.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

Bytes bytes_of(const std::string& text) {
    return to_bytes(text);
}

crypto::CmsSigner to_signer(const boundary::SignerFound& found) {
    crypto::CmsSigner signer;
    signer.signed_attributes = bytes_of(found.signed_attributes());
    signer.signature = bytes_of(found.signature());
    signer.digest_algorithm = found.digest_algorithm();
    signer.signature_algorithm = found.signature_algorithm();
    signer.signature_parameters = bytes_of(found.signature_parameters());
    signer.certificate = bytes_of(found.certificate());
    for (const auto& other : found.other_certificates()) {
        signer.other_certificates.push_back(bytes_of(other));
    }
    signer.issuer = bytes_of(found.issuer());
    signer.serial = bytes_of(found.serial());
    signer.subject_key_identifier = bytes_of(found.subject_key_identifier());
    signer.content_type = found.content_type();
    return signer;
}

// Algorithm names go into sentences: only what an object identifier consists of.
std::string oid_text(const std::string& oid) {
    const bool dotted = !oid.empty() && oid.size() <= 64 &&
                        std::ranges::all_of(oid, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
    return dotted ? oid : std::string("?");
}

boundary::Problem problem_of_cms(const boost::system::error_code& error, const boundary::SignerFound& found) {
    using crypto::Errc;
    if (error == Errc::cms_digest_mismatch) {
        return problem(found.signed_converted() ? "XF-3015" : "XF-3009");
    }
    if (error == Errc::cms_signature_invalid) {
        return problem("XF-3010");
    }
    if (error == Errc::cms_signer_unknown) {
        return problem("XF-3012");
    }
    if (error == Errc::cms_content_type) {
        return problem("XF-3016", {oid_text(found.content_type())});
    }
    if (error == Errc::cms_digest_algorithm) {
        return problem("XF-3008", {oid_text(found.digest_algorithm())});
    }
    if (error == Errc::cms_algorithm_pair) {
        return problem("XF-3008", {oid_text(found.signature_algorithm())});
    }
    if (error == Errc::cms_attributes_missing) {
        return problem("XF-3007");
    }
    return problem("XF-3019");
}

SignerVerdict refused(boundary::Problem what) {
    SignerVerdict verdict;
    verdict.problem = std::move(what);
    return verdict;
}

SignerVerdict verify(const crypto::CmsSigner& signer, const boundary::SignerFound& found,
                     const std::optional<Bytes>& digest, const crypto::Certificate& certificate) {
    if (!certificate.may_sign()) {
        return refused(problem("XF-3031"));
    }
    if (!digest) {
        return refused(problem("XF-3008", {oid_text(found.digest_algorithm())}));
    }
    const auto verified = crypto::verify_cms(signer, *digest, certificate);
    if (!verified) {
        return refused(problem_of_cms(verified.error(), found));
    }
    SignerVerdict verdict;
    verdict.certificate = certificate.digest();
    if (signer.certificate.empty()) {
        verdict.certificate_left_out = certificate.der();
    }
    verdict.signing_time = verified->signing_time;
    return verdict;
}

// What standing_of says of a connection's certificate, said of a signer's.
boundary::Problem problem_of_standing(const boundary::Problem& standing) {
    if (standing.code() == "XF-1002" || standing.code() == "XF-1011") {
        return problem("XF-3013");
    }
    if (standing.code() == "XF-1003") {
        return problem("XF-3014");
    }
    if (standing.code() == "XF-1026") {
        return standing;
    }
    return problem("XF-3012");
}

std::optional<crypto::Certificate> carried_certificate(const crypto::CmsSigner& signer,
                                                       const boundary::SignerFound& carrier) {
    if (!signer.certificate.empty()) {
        const auto embedded = crypto::Certificate::parse(signer.certificate);
        return embedded ? std::optional(*embedded) : std::nullopt;
    }
    for (const auto& der : carrier.other_certificates()) {
        const auto other = crypto::Certificate::parse(as_bytes(der));
        if (other && crypto::identifies(signer, *other)) {
            return *other;
        }
    }
    return std::nullopt;
}

}  // namespace

Result<SignerVerdict> check_enrolled_signer(const storage::ReadTransaction& transaction, const Principal& principal,
                                            const boundary::SignerFound& found, const std::optional<Bytes>& digest,
                                            const Revocations& revocations, storage::Milliseconds now) {
    const crypto::CmsSigner signer = to_signer(found);
    const auto account = storage::find_account(transaction, principal.account);
    if (!account) {
        return account.error();
    }
    if (!*account) {
        return refused(problem("XF-3012"));
    }
    for (const auto& enrolled : (*account)->certificates) {
        const auto row = storage::find_certificate(transaction, enrolled);
        if (!row) {
            return row.error();
        }
        if (!*row) {
            continue;
        }
        const auto certificate = crypto::Certificate::parse_known((*row)->der);
        if (!certificate) {
            return storage::Errc::corrupt;
        }
        if (!crypto::identifies(signer, *certificate)) {
            continue;
        }
        const auto standing = standing_of(transaction, *certificate, principal.account, revocations, now);
        if (!standing) {
            return standing.error();
        }
        if (const auto* what = std::get_if<boundary::Problem>(&*standing)) {
            return refused(problem_of_standing(*what));
        }
        return verify(signer, found, digest, *certificate);
    }
    if (!signer.certificate.empty()) {
        const auto other = storage::find_certificate(transaction, crypto::sha256(signer.certificate));
        if (!other) {
            return other.error();
        }
        if (*other && (*other)->account != principal.account) {
            return refused(problem("XF-3011"));
        }
    }
    return refused(problem("XF-3012"));
}

SignerVerdict check_carried_signer(const std::string& unit, const boundary::SignerFound& found,
                                   const boundary::SignerFound& carrier, const std::optional<Bytes>& digest,
                                   const std::vector<crypto::Certificate>& anchors, const Revocations& revocations,
                                   crypto::UtcSeconds time) {
    const crypto::CmsSigner signer = to_signer(found);
    const auto certificate = carried_certificate(signer, carrier);
    if (!certificate) {
        return refused(problem("XF-3012"));
    }
    std::vector<crypto::Certificate> intermediates;
    for (const auto& der : signer.other_certificates) {
        if (auto other = crypto::Certificate::parse(der)) {
            intermediates.push_back(std::move(*other));
        }
    }
    const auto path =
        crypto::validate_path(*certificate, intermediates, anchors, time, crypto::CertificateUse::signing);
    if (!path) {
        if (path.error() == crypto::Errc::certificate_expired) {
            return refused(problem("XF-3013"));
        }
        if (path.error() == crypto::Errc::certificate_wrong_usage) {
            return refused(problem("XF-3031"));
        }
        return refused(problem("XF-3012"));
    }
    if (revocations.is_revoked(*certificate)) {
        return refused(problem("XF-3014"));
    }
    if (certificate->unit_code() != unit) {
        return refused(problem("XF-3011"));
    }
    return verify(signer, found, digest, *certificate);
}

}  // namespace xinfu::vault
