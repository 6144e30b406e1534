// Certificates, requests and lists by OpenSSL (tests/vectors/cms) mean what it says they mean.
#include "crypto/certificate.hpp"

#include <gtest/gtest.h>

#include "crypto/certificate_authority.hpp"
#include "crypto/pem.hpp"
#include "crypto/revocation_list.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::certificate_vector;
using test::read_vector;

const UtcSeconds kNow = std::chrono::sys_days(std::chrono::year(2027) / 1 / 1);
const UtcSeconds kLongAgo = std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);

TEST(Certificate, NamesTheUnit) {
    const auto certificate = certificate_vector("p256");
    EXPECT_EQ(certificate.subject().country, "CN");
    EXPECT_EQ(certificate.subject().organization, "信符测试市市场监管局");
    EXPECT_EQ(certificate.subject().organization_identifier, "11219900MB1A000015");
    EXPECT_EQ(certificate.subject().common_name, "Department sender");
    EXPECT_EQ(certificate.unit_code(), "11219900MB1A000015");
    EXPECT_EQ(certificate_vector("person").unit_code(), "219900200001010012");
    EXPECT_EQ(certificate.der(), to_bytes(read_vector("cms/p256.crt")));
    EXPECT_EQ(certificate.digest(), sha256(as_bytes(read_vector("cms/p256.crt"))));
    EXPECT_EQ(certificate.issuer(), certificate_vector("authority").subject_name());
    EXPECT_EQ(certificate.to_pem(), read_vector("cms/p256.pem"));
    EXPECT_TRUE(certificate.may_sign());
    EXPECT_FALSE(certificate.is_authority());
    EXPECT_TRUE(certificate_vector("authority").is_authority());
    EXPECT_FALSE(certificate_vector("authority").may_sign());
    EXPECT_TRUE(certificate.valid_at(kNow));
    EXPECT_FALSE(certificate.valid_at(kLongAgo));
    EXPECT_EQ(certificate.subject_key_identifier().size(), 20u);
}

TEST(Certificate, IsOneWholeDocument) {
    const auto der = to_bytes(read_vector("cms/p256.crt"));
    for (std::size_t length = 0; length < der.size(); ++length) {
        EXPECT_EQ(Certificate::parse(ByteView(der).first(length)).error(), Errc::certificate_malformed)
            << "cut after byte " << length;
    }
    auto longer = der;
    longer.push_back(0);
    EXPECT_EQ(Certificate::parse(longer).error(), Errc::certificate_malformed);
    EXPECT_EQ(Certificate::read(as_bytes("no certificate")).error(), Errc::certificate_malformed);
}

TEST(Certificate, ParsedAgainIsWhatItWasAndNothingMalformedBecomesKnown) {
    for (int round = 0; round < 2; ++round) {
        for (const auto* name : {"p256", "p384", "rsa"}) {
            const auto der = Certificate::read(as_bytes(read_vector("cms/" + std::string(name) + ".pem")))->der();
            const auto known = Certificate::parse_known(der);
            ASSERT_TRUE(known) << name;
            EXPECT_EQ(known->der(), der);
            EXPECT_EQ(known->digest(), Certificate::parse(der)->digest());
            auto longer = der;
            longer.push_back(0);
            EXPECT_EQ(Certificate::parse_known(longer).error(), Errc::certificate_malformed);
        }
    }
}

TEST(Certificate, BundlesAreReadInOrder) {
    const auto bundle = "text before\n" + read_vector("cms/p256.pem") + read_vector("cms/authority.pem");
    const auto certificates = read_certificates(as_bytes(bundle));
    ASSERT_TRUE(certificates);
    ASSERT_EQ(certificates->size(), 2u);
    EXPECT_EQ((*certificates)[1].der(), certificate_vector("authority").der());
    EXPECT_FALSE(read_certificates(as_bytes(bundle.substr(0, bundle.size() - 10))));
}

TEST(Certificate, PathsLeadToAnAnchorAtATime) {
    const auto leaf = certificate_vector("p256");
    const auto anchor = certificate_vector("authority");
    EXPECT_TRUE(validate_path(leaf, {}, {anchor}, kNow, CertificateUse::tls_client));
    EXPECT_TRUE(validate_path(leaf, {}, {anchor}, kNow, CertificateUse::signing));
    EXPECT_EQ(validate_path(leaf, {}, {anchor}, kNow, CertificateUse::tls_server).error(),
              Errc::certificate_wrong_usage);
    EXPECT_EQ(validate_path(leaf, {}, {anchor}, kLongAgo, CertificateUse::tls_client).error(),
              Errc::certificate_expired);
    EXPECT_EQ(validate_path(leaf, {anchor}, {}, kNow, CertificateUse::tls_client).error(), Errc::certificate_untrusted);
    const auto other = CertificateAuthority::create({"CN", "信符测试", "Test authority", "", ""}, kLongAgo,
                                                    kNow + std::chrono::days(10));
    EXPECT_EQ(validate_path(leaf, {}, {other->certificate()}, kNow, CertificateUse::tls_client).error(),
              Errc::certificate_untrusted);
    // One changed bit of the signature.
    auto forged = leaf.der();
    forged.back() ^= 1;
    const auto parsed = Certificate::parse(forged);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(validate_path(*parsed, {}, {anchor}, kNow, CertificateUse::tls_client).error(),
              Errc::certificate_untrusted);
}

TEST(RevocationList, TellsWhatOpenSslRevoked) {
    const auto list = parse_revocation_list(as_bytes(read_vector("cms/revoked.crl")));
    ASSERT_TRUE(list);
    ASSERT_EQ(list->revoked_serials.size(), 1u);
    auto serial = read_vector("cms/revoked.serial");
    serial.pop_back();  // newline
    EXPECT_EQ(list->revoked_serials[0], certificate_vector("p384").serial());
    EXPECT_TRUE(to_hex(list->revoked_serials[0]).ends_with(serial));
    EXPECT_EQ(list->issuer, certificate_vector("authority").subject_name());
    ASSERT_TRUE(list->next_update);
    EXPECT_GT(*list->next_update, list->this_update);
    const auto pem = parse_revocation_list(as_bytes(read_vector("cms/revoked.crl.pem")));
    ASSERT_TRUE(pem);
    EXPECT_EQ(pem->to_be_signed, list->to_be_signed);
    const auto empty = parse_revocation_list(as_bytes(read_vector("cms/empty.crl.pem")));
    ASSERT_TRUE(empty);
    EXPECT_TRUE(empty->revoked_serials.empty());
}

TEST(RevocationList, VerifiesWithItsAuthorityAlone) {
    const auto authority = certificate_vector("authority");
    for (const auto* name : {"cms/revoked.crl.pem", "cms/empty.crl.pem"}) {  // SHA-384 and SHA-256
        const auto list = parse_revocation_list(as_bytes(read_vector(name)));
        EXPECT_TRUE(verify_revocation_list(*list, authority)) << name;
        EXPECT_EQ(verify_revocation_list(*list, certificate_vector("p256")).error(), Errc::revocation_list_unverified);
        for (std::size_t at = 0; at < list->to_be_signed.size(); ++at) {
            auto changed = *list;
            changed.to_be_signed[at] ^= 1;
            EXPECT_FALSE(verify_revocation_list(changed, authority)) << name << " byte " << at;
        }
        auto changed = *list;
        changed.signature.back() ^= 1;
        EXPECT_FALSE(verify_revocation_list(changed, authority));
    }
    const auto list = parse_revocation_list(as_bytes(read_vector("cms/empty.crl.pem")));
    const auto digest = sha256(list->to_be_signed);
    RevocationListClaim claim{list->issuer, {}, digest, {}, list->signature_algorithm, list->signature};
    EXPECT_TRUE(verify_revocation_list(claim, authority));
    claim.sha256 = {};
    EXPECT_FALSE(verify_revocation_list(claim, authority));
}

TEST(RevocationList, NoticesEveryTruncation) {
    const auto der = to_bytes(read_vector("cms/revoked.crl"));
    for (std::size_t length = 0; length < der.size(); ++length) {
        EXPECT_FALSE(parse_revocation_list(ByteView(der).first(length))) << "cut after byte " << length;
    }
}

TEST(Pem, IsBase64BetweenItsLines) {
    EXPECT_EQ(from_pem("CERTIFICATE", read_vector("cms/p256.pem")).value(), to_bytes(read_vector("cms/p256.crt")));
    EXPECT_FALSE(from_pem("PRIVATE KEY", read_vector("cms/p256.pem")));
    EXPECT_FALSE(from_pem("X", "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END X-----\n"));
    EXPECT_FALSE(from_pem("X", "-----BEGIN X-----\nAAAA\n-----END Y-----\n"));
}

}  // namespace
}  // namespace xinfu::crypto
