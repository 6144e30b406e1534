#include "crypto/certificate_parts.hpp"

#include <algorithm>
#include <array>

#include "crypto/der.hpp"

namespace xinfu::crypto {
namespace {

// Extensions: SEQUENCE OF SEQUENCE { OID, BOOLEAN DEFAULT FALSE, OCTET STRING }.
ByteView find_subject_key_identifier(ByteView extensions) {
    static constexpr std::array<std::uint8_t, 3> kSubjectKeyIdentifier{0x55, 0x1d, 0x0e};  // 2.5.29.14
    DerReader reader(extensions);
    while (const auto extension = reader.next(kDerSequence)) {
        DerReader parts(extension->contents);
        const auto oid = parts.next(kDerOid);
        parts.next(kDerBoolean);
        const auto value = parts.next(kDerOctetString);
        if (oid && value && std::ranges::equal(oid->contents, kSubjectKeyIdentifier)) {
            const auto identifier = der_single(value->contents, kDerOctetString);
            return identifier ? identifier->contents : ByteView{};
        }
    }
    return {};
}

}  // namespace

std::optional<CertificateParts> read_certificate_parts(ByteView der) {
    const auto certificate = der_single(der, kDerSequence);
    if (!certificate || !is_der(der)) {
        return std::nullopt;
    }
    DerReader outer(certificate->contents);
    const auto body = outer.next(kDerSequence);
    if (!body || !outer.next(kDerSequence) || !outer.next(kDerBitString) || !outer.empty()) {
        return std::nullopt;
    }
    DerReader reader(body->contents);
    reader.next(der_context(0));  // version; absent in version 1
    const auto serial = reader.next(kDerInteger);
    const auto algorithm = reader.next(kDerSequence);
    const auto issuer = reader.next(kDerSequence);
    const auto validity = reader.next(kDerSequence);
    const auto subject = reader.next(kDerSequence);
    const auto public_key = reader.next(kDerSequence);
    if (!serial || serial->contents.empty() || !algorithm || !issuer || !validity || !subject || !public_key) {
        return std::nullopt;
    }
    CertificateParts parts{serial->contents, issuer->whole, subject->whole, public_key->whole, {}};
    reader.next(der_context(1, false));  // unique identifiers, long out of use
    reader.next(der_context(2, false));
    if (const auto extensions = reader.next(der_context(3))) {
        const auto list = der_single(extensions->contents, kDerSequence);
        if (!list) {
            return std::nullopt;
        }
        parts.subject_key_identifier = find_subject_key_identifier(list->contents);
    }
    if (!reader.empty()) {
        return std::nullopt;
    }
    return parts;
}

}  // namespace xinfu::crypto
