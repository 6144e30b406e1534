#include "crypto/revocation_list.hpp"

#include <algorithm>

#include <botan/ec_group.h>
#include <botan/ec_scalar.h>
#include <botan/ecc_key.h>
#include <botan/hash.h>
#include <botan/pk_keys.h>
#include <botan/pubkey.h>
#include <botan/x509cert.h>

#include "crypto/der.hpp"
#include "crypto/pem.hpp"

namespace xinfu::crypto {
namespace {

constexpr std::size_t kSerialSizeBytesMax = 64;  // RFC 5280 allows 20; some authorities have more
constexpr std::size_t kRsaBitsMin = 2048;

struct Scheme {
    std::string_view oid;
    const char* digest;
    bool ecdsa;
};
constexpr Scheme kSchemes[] = {
    {"1.2.840.10045.4.3.2", "SHA-256", true},
    {"1.2.840.10045.4.3.3", "SHA-384", true},
    {"1.2.840.113549.1.1.11", "SHA-256", false},
    {"1.2.840.113549.1.1.12", "SHA-384", false},
};

// Whether an Extensions value has a critical one. None is understood here, so any would change the list's meaning.
std::optional<bool> has_critical(ByteView contents) {
    DerReader reader(contents);
    while (!reader.empty()) {
        const auto extension = reader.next(kDerSequence);
        if (!extension) {
            return std::nullopt;
        }
        DerReader parts(extension->contents);
        const auto oid = parts.next(kDerOid);
        const auto critical = parts.next(kDerBoolean);
        if (!oid || !parts.next(kDerOctetString) || !parts.empty()) {
            return std::nullopt;
        }
        if (critical && !(critical->contents.size() == 1 && critical->contents[0] == 0)) {
            return true;
        }
    }
    return false;
}

bool read_entries(ByteView contents, std::vector<Bytes>& serials) {
    DerReader reader(contents);
    while (!reader.empty()) {
        const auto entry = reader.next(kDerSequence);
        if (!entry) {
            return false;
        }
        DerReader parts(entry->contents);
        const auto serial = parts.next(kDerInteger);
        const auto time = parts.next();
        if (!serial || serial->contents.empty() || serial->contents.size() > kSerialSizeBytesMax || !time ||
            !der_time(*time)) {
            return false;
        }
        if (const auto extensions = parts.next(kDerSequence)) {
            const auto critical = has_critical(extensions->contents);
            if (!critical || *critical) {
                return false;  // certificateIssuer: an indirect list
            }
        }
        if (!parts.empty()) {
            return false;
        }
        serials.emplace_back(serial->contents.begin(), serial->contents.end());
    }
    return true;
}

bool at_time(const DerReader& reader) {
    return reader.at(kDerUtcTime) || reader.at(kDerGeneralizedTime);
}

// TBSCertList, RFC 5280 section 5.1.
bool read_body(ByteView contents, std::string_view algorithm_oid, RevocationList& list) {
    DerReader reader(contents);
    bool version2 = false;
    if (const auto version = reader.next(kDerInteger)) {
        if (der_number(*version) != std::uint64_t{1}) {
            return false;
        }
        version2 = true;
    }
    const auto algorithm_element = reader.next(kDerSequence);
    const auto algorithm = algorithm_element ? parse_algorithm(algorithm_element->contents) : std::nullopt;
    const auto issuer = reader.next(kDerSequence);
    if (!algorithm || algorithm->oid != algorithm_oid || !issuer || !at_time(reader)) {
        return false;
    }
    const auto this_update = der_time(*reader.next());
    if (!this_update) {
        return false;
    }
    list.this_update = *this_update;
    list.issuer.assign(issuer->whole.begin(), issuer->whole.end());
    if (at_time(reader)) {
        list.next_update = der_time(*reader.next());
        if (!list.next_update) {
            return false;
        }
    }
    if (const auto entries = reader.next(kDerSequence);
        entries && !read_entries(entries->contents, list.revoked_serials)) {
        return false;
    }
    if (const auto extensions = reader.next(der_context(0))) {
        const auto sequence = der_single(extensions->contents, kDerSequence);
        const auto critical = sequence ? has_critical(sequence->contents) : std::nullopt;
        if (!version2 || !critical || *critical) {
            return false;
        }
    }
    return reader.empty();
}

// ECDSA over a digest, FIPS 186-5 section 6.4.2. Everything here is public. (PK_Verifier only takes messages.)
bool verify_ecdsa_digest(const Botan::EC_PublicKey& key, ByteView digest, ByteView signature) {
    const auto sequence = der_single(signature, kDerSequence);
    if (!sequence) {
        return false;
    }
    DerReader reader(sequence->contents);
    const auto r_element = reader.next(kDerInteger);
    const auto s_element = reader.next(kDerInteger);
    if (!r_element || !s_element || !reader.empty()) {
        return false;
    }
    const auto& group = key.domain();
    const auto scalar = [&](ByteView octets) -> std::optional<Botan::EC_Scalar> {
        if (octets.empty() || (octets[0] & 0x80) != 0) {
            return std::nullopt;
        }
        if (octets[0] == 0) {
            octets = octets.subspan(1);
        }
        const auto size = group.get_order_bytes();
        if (octets.size() > size) {
            return std::nullopt;
        }
        Bytes fixed(size - octets.size());
        fixed.insert(fixed.end(), octets.begin(), octets.end());
        return Botan::EC_Scalar::deserialize(group, fixed);  // empty unless below the order and not zero
    };
    const auto r = scalar(r_element->contents);
    const auto s = scalar(s_element->contents);
    if (!r || !s || r->is_zero() || s->is_zero()) {
        return false;
    }
    const auto e = Botan::EC_Scalar::from_bytes_with_trunc(group, digest);
    const auto w = s->invert_vartime();
    return Botan::EC_Group::Mul2Table(key._public_ec_point()).mul2_vartime_x_mod_order_eq(*r, w, e, *r);
}

}  // namespace

Result<RevocationList> parse_revocation_list(ByteView document) {
    if (document.empty() || document.size() > kRevocationListSizeBytesMax) {
        return Errc::revocation_list_malformed;
    }
    Bytes decoded;
    if (document.front() != kDerSequence) {
        auto der = from_pem("X509 CRL", as_text(document));
        if (!der) {
            return Errc::revocation_list_malformed;
        }
        decoded = std::move(*der);
        document = decoded;
    }
    const auto outer = der_single(document, kDerSequence);
    if (!outer || !is_der(document)) {
        return Errc::revocation_list_malformed;
    }
    DerReader reader(outer->contents);
    const auto body = reader.next(kDerSequence);
    const auto algorithm_element = reader.next(kDerSequence);
    const auto signature = reader.next(kDerBitString);
    const auto algorithm = algorithm_element ? parse_algorithm(algorithm_element->contents) : std::nullopt;
    if (!body || !algorithm || !signature || !reader.empty() || signature->contents.size() < 2 ||
        signature->contents[0] != 0) {
        return Errc::revocation_list_malformed;
    }
    RevocationList list;
    list.signature_algorithm = algorithm->oid;
    list.to_be_signed.assign(body->whole.begin(), body->whole.end());
    list.signature.assign(signature->contents.begin() + 1, signature->contents.end());
    if (!read_body(body->contents, algorithm->oid, list)) {
        return Errc::revocation_list_malformed;
    }
    return list;
}

Result<void> verify_revocation_list(const RevocationListClaim& claim, const Certificate& authority) try {
    const auto* scheme = std::ranges::find(kSchemes, claim.signature_algorithm, &Scheme::oid);
    if (scheme == std::end(kSchemes) || !std::ranges::equal(claim.issuer, authority.subject_name()) ||
        !authority.is_authority() || !authority.native().allowed_usage(Botan::Key_Constraints::CrlSign)) {
        return Errc::revocation_list_unverified;
    }
    const bool sha256 = std::string_view(scheme->digest) == "SHA-256";
    Bytes digest;
    if (!claim.to_be_signed.empty()) {
        digest = Botan::HashFunction::create_or_throw(scheme->digest)->process<Bytes>(claim.to_be_signed);
    } else {
        const auto given = sha256 ? claim.sha256 : claim.sha384;
        digest.assign(given.begin(), given.end());
    }
    if (digest.size() != (sha256 ? 32 : 48)) {
        return Errc::revocation_list_unverified;
    }
    const auto key = authority.native().subject_public_key();
    bool verified = false;
    if (scheme->ecdsa && key->algo_name() == "ECDSA") {
        verified = verify_ecdsa_digest(dynamic_cast<const Botan::EC_PublicKey&>(*key), digest, claim.signature);
    } else if (!scheme->ecdsa && key->algo_name() == "RSA" && key->key_length() >= kRsaBitsMin) {
        Botan::PK_Verifier verifier(*key, std::string("PKCS1v15(Raw,") + scheme->digest + ")");
        verified = verifier.verify_message(digest, claim.signature);
    }
    if (!verified) {
        return Errc::revocation_list_unverified;
    }
    return {};
} catch (const std::exception&) {
    return Errc::revocation_list_unverified;
}

Result<void> verify_revocation_list(const RevocationList& list, const Certificate& authority) {
    return verify_revocation_list(
        RevocationListClaim{list.issuer, list.to_be_signed, {}, {}, list.signature_algorithm, list.signature},
        authority);
}

}  // namespace xinfu::crypto
