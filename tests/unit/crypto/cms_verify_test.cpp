// Signatures by OpenSSL verify with the enrolled certificate, and nothing else does.
#include "crypto/cms_verify.hpp"

#include <gtest/gtest.h>

#include "crypto/cms_algorithms.hpp"
#include "crypto/der.hpp"
#include "crypto/signed_attributes.hpp"
#include "crypto/signing_key.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::certificate_vector;
using test::read_cms;
using test::read_cms_vector;
using test::verify;

TEST(CmsVerify, AcceptsWhatOpenSslSigns) {
    const struct {
        const char* name;
        const char* signer;
    } kCases[] = {{"der.der", "p256"},     {"stream.der", "p256"}, {"cades.der", "p256"},  {"keyid.der", "p256"},
                  {"nocerts.der", "p256"}, {"chain.der", "p256"},  {"sha512.der", "p256"}, {"p384.der", "p384"},
                  {"rsa.der", "rsa"},      {"pss.der", "rsa"},     {"pss32.der", "rsa"},   {"ed25519.der", "ed25519"}};
    for (const auto& [name, signer] : kCases) {
        const auto message = read_cms_vector(name);
        ASSERT_FALSE(message.error) << name << ": " << message.error.message();
        const auto error = verify(message, certificate_vector(signer));
        EXPECT_FALSE(error) << name << ": " << error.message();
    }
}

TEST(CmsVerify, AcceptsWhatBouncyCastleSigns) {
    const std::pair<const char*, const char*> kCases[] = {
        {"bc-default.der", "p256"},    {"bc-der.der", "p256"},
        {"bc-stream.der", "p256"},     {"bc-keyid.der", "p256"},
        {"bc-nocerts.der", "p256"},    {"bc-p384.der", "p384"},
        {"bc-rsa.der", "rsa"},         {"bc-pss.der", "rsa"},
        {"bc-ed25519.der", "ed25519"}, {"bc-ed25519-der.der", "ed25519"}};
    for (const auto& [name, signer] : kCases) {
        const auto message = read_cms_vector(name);
        ASSERT_FALSE(message.error) << name << ": " << message.error.message();
        const auto error = verify(message, certificate_vector(signer));
        EXPECT_FALSE(error) << name << ": " << error.message();
        EXPECT_EQ(message.content,
                  test::read_vector(std::string_view(name) == "bc-stream.der" ? "cms/content.csv" : "cms/small.csv"));
        EXPECT_TRUE(parse_signed_attributes(message.signer.signed_attributes)->protection) << "cmsAlgorithmProtect";
    }
    EXPECT_EQ(read_cms_vector("bc-detached.der").error, Errc::cms_detached);
}

// A verifier is kept for its certificate: what it was asked before must not matter.
TEST(CmsVerify, JudgesEachSignatureByItselfHoweverOftenItIsAsked) {
    const auto good = read_cms_vector("der.der");
    const auto other = read_cms_vector("cades.der");
    const auto rsa = read_cms_vector("rsa.der");
    for (int round = 0; round < 3; ++round) {
        EXPECT_FALSE(verify(good, certificate_vector("p256"))) << round;
        auto forged = good;
        forged.signer.signature.back() ^= 1;
        EXPECT_EQ(verify(forged, certificate_vector("p256")), Errc::cms_signature_invalid) << round;
        auto no_signature = good;
        no_signature.signer.signature = {1, 2, 3};
        EXPECT_EQ(verify(no_signature, certificate_vector("p256")), Errc::cms_signature_invalid) << round;
        auto swapped = good;
        swapped.signer.signature = other.signer.signature;
        EXPECT_EQ(verify(swapped, certificate_vector("p256")), Errc::cms_signature_invalid) << round;
        EXPECT_FALSE(verify(other, certificate_vector("p256"))) << round;
        EXPECT_FALSE(verify(rsa, certificate_vector("rsa"))) << round;
        EXPECT_FALSE(verify(read_cms_vector("pss.der"), certificate_vector("rsa"))) << round << ": another scheme";
    }
}

TEST(CmsVerify, SeesThatAConvertedCopyWasSigned) {
    const auto message = read_cms_vector("converted.der");
    ASSERT_FALSE(message.error) << message.error.message();
    EXPECT_EQ(verify(message, certificate_vector("p256")), Errc::cms_digest_mismatch);
}

TEST(CmsVerify, RefusesAnotherCertificate) {
    EXPECT_EQ(verify(read_cms_vector("der.der"), certificate_vector("p384")), Errc::cms_signer_unknown);
    EXPECT_EQ(verify(read_cms_vector("nocerts.der"), certificate_vector("rsa")), Errc::cms_signer_unknown);
    EXPECT_EQ(verify(read_cms_vector("keyid.der"), certificate_vector("rsa")), Errc::cms_signer_unknown);
    // Its name and number, but another certificate: substituted.
    auto message = read_cms_vector("der.der");
    message.signer.certificate[message.signer.certificate.size() - 1] ^= 1;
    EXPECT_EQ(verify(message, certificate_vector("p256")), Errc::cms_signer_unknown);
}

TEST(CmsVerify, RefusesAnotherContentAndType) {
    auto message = read_cms_vector("der.der");
    message.content.back() = 'x';
    EXPECT_EQ(verify(message, certificate_vector("p256")), Errc::cms_digest_mismatch);
    const auto typed = read_cms_vector("type.der");
    ASSERT_FALSE(typed.error) << typed.error.message();
    EXPECT_EQ(verify(typed, certificate_vector("p256")), Errc::cms_content_type);
    auto claimed = read_cms_vector("type.der");
    claimed.signer.content_type = kOidData;
    EXPECT_EQ(verify(claimed, certificate_vector("p256")), Errc::cms_content_type);
}

TEST(CmsVerify, RefusesAlgorithmsThatTheSignatureWasNotMadeWith) {
    auto message = read_cms_vector("der.der");
    message.signer.signature_algorithm = "1.2.840.10045.4.3.3";  // ecdsa-with-SHA384
    EXPECT_EQ(verify(message, certificate_vector("p256")), Errc::cms_algorithm_pair);
    message.signer.signature_algorithm = "1.2.840.113549.1.1.11";  // RSA with an elliptic key
    EXPECT_EQ(verify(message, certificate_vector("p256")), Errc::cms_algorithm_pair);
    auto rsa = read_cms_vector("rsa.der");
    rsa.signer.signature_algorithm = "1.2.840.10045.4.3.2";
    rsa.signer.signature_parameters.clear();
    EXPECT_EQ(verify(rsa, certificate_vector("rsa")), Errc::cms_algorithm_pair);
    auto protected_message = read_cms_vector("ed25519.der");
    protected_message.signer.signature_algorithm = "1.2.840.10045.4.3.4";
    EXPECT_EQ(verify(protected_message, certificate_vector("ed25519")), Errc::cms_algorithm_protection);
}

// Signed by the right key, but the attribute names another certificate, or the same one under another number.
TEST(CmsVerify, RefusesABindingToAnotherCertificate) {
    const auto certificate = certificate_vector("p256");
    const auto key = SigningKey::from_pkcs8(as_bytes(test::read_vector("cms/p256.key"))).value();
    const auto original = read_cms_vector("cades.der");
    const auto binding = parse_signed_attributes(original.signer.signed_attributes)->binding_v2.value();
    ASSERT_FALSE(binding.serial.empty());
    for (const auto part : {binding.certificate_digest, binding.serial, binding.issuer}) {
        auto message = original;
        const auto at = part.data() + part.size() - 1 - original.signer.signed_attributes.data();
        auto& octet = message.signer.signed_attributes[static_cast<std::size_t>(at)];
        octet ^= 1;
        message.signer.signature = key.sign(message.signer.signed_attributes).value();
        EXPECT_EQ(verify(message, certificate), Errc::cms_certificate_binding);
        octet ^= 1;
        message.signer.signature = key.sign(message.signer.signed_attributes).value();
        EXPECT_FALSE(verify(message, certificate));
    }
}

TEST(CmsVerify, RefusesAnyOtherSignature) {
    const auto message = read_cms_vector("der.der");
    for (std::size_t at = 0; at < message.signer.signature.size(); ++at) {
        auto changed = message;
        changed.signer.signature[at] ^= 0x01;
        EXPECT_EQ(verify(changed, certificate_vector("p256")), Errc::cms_signature_invalid) << "byte " << at;
    }
    for (std::size_t length = 0; length < message.signer.signature.size(); ++length) {
        auto changed = message;
        changed.signer.signature.resize(length);
        EXPECT_EQ(verify(changed, certificate_vector("p256")), Errc::cms_signature_invalid) << "cut after " << length;
    }
}

// The forgery that OpenSSL takes for a valid message: its signed attributes as the content, no attributes. The reader
// refuses it; a lying inspector that reports attributes all the same does not get past the digest either.
TEST(CmsVerify, RefusesStrippedAttributes) {
    EXPECT_EQ(read_cms_vector("stripped.der").error, Errc::cms_attributes_missing);
    auto lie = read_cms_vector("der.der");
    lie.content = as_text(lie.signer.signed_attributes);
    EXPECT_EQ(verify(lie, certificate_vector("p256")), Errc::cms_digest_mismatch);
    lie.signer.signed_attributes.clear();
    EXPECT_EQ(verify(lie, certificate_vector("p256")), Errc::cms_attributes_malformed);
}

// Whatever one octet becomes: the message is refused, or it still says that this signer signed this content, and only
// the embedded certificate, which nothing relies on, has become another's.
TEST(CmsVerify, NoChangedOctetMakesAnotherStatement) {
    for (const auto* name : {"der.der", "cades.der", "keyid.der", "nocerts.der"}) {
        const auto body = to_bytes(test::read_vector(std::string("cms/") + name));
        const auto original = read_cms(body, body.size());
        const auto enrolled = certificate_vector("p256");
        int unharmed = 0;
        for (std::size_t at = 0; at < body.size(); ++at) {
            for (const auto flip :
                 {std::uint8_t{0x01}, std::uint8_t{0x02}, std::uint8_t{0x20}, std::uint8_t{0x80}, std::uint8_t{0xff}}) {
                auto changed = body;
                changed[at] ^= flip;
                const auto message = read_cms(changed, changed.size());
                if (message.error || verify(message, enrolled)) {
                    continue;
                }
                ++unharmed;
                EXPECT_EQ(message.content, original.content) << name << " byte " << at;
                EXPECT_TRUE(message.signer.certificate.empty()) << name << " byte " << at << " flip " << int{flip};
            }
        }
        // Only the octets of the certificate's issuer and serial number, or key identifier, can be such.
        EXPECT_LT(unharmed, 5 * 140) << name;
        EXPECT_TRUE(unharmed == 0 || std::string_view(name) != "nocerts.der");
    }
}

TEST(SignedAttributes, MustBeSortedOnceAndComplete) {
    const auto message = read_cms_vector("der.der");
    const auto set = der_single(message.signer.signed_attributes, kDerSet);
    std::vector<Bytes> attributes;
    DerReader reader(set->contents);
    while (const auto attribute = reader.next()) {
        attributes.emplace_back(attribute->whole.begin(), attribute->whole.end());
    }
    ASSERT_GE(attributes.size(), 3u);
    const auto join = [](const std::vector<Bytes>& list) {
        Bytes all;
        for (const auto& item : list) {
            all.insert(all.end(), item.begin(), item.end());
        }
        return der_encode(kDerSet, {all});
    };
    EXPECT_TRUE(parse_signed_attributes(join(attributes)));
    auto swapped = attributes;
    std::swap(swapped[0], swapped[1]);
    EXPECT_EQ(parse_signed_attributes(join(swapped)).error(), Errc::cms_attributes_unsorted);
    auto twice = attributes;
    twice.insert(twice.begin(), twice[0]);
    EXPECT_EQ(parse_signed_attributes(join(twice)).error(), Errc::cms_attributes_malformed);
    for (const std::size_t left_out : {std::size_t{0}, std::size_t{2}}) {  // contentType, messageDigest
        auto fewer = attributes;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(left_out));
        EXPECT_EQ(parse_signed_attributes(join(fewer)).error(), Errc::cms_attribute_missing) << left_out;
    }
    EXPECT_EQ(parse_signed_attributes(der_encode(kDerSet, {})).error(), Errc::cms_attributes_malformed);
    EXPECT_EQ(parse_signed_attributes(der_encode(kDerSet, {Bytes(17 * 1024)})).error(), Errc::cms_attributes_malformed);
    const auto two_values = der_encode(
        kDerSequence, {der_oid("1.2.840.113549.1.9.3"),
                       der_encode(kDerSet, {der_oid("1.2.840.113549.1.7.1"), der_oid("1.2.840.113549.1.7.1")})});
    EXPECT_EQ(parse_signed_attributes(join({two_values})).error(), Errc::cms_attributes_malformed);
    for (std::size_t length = 0; length < message.signer.signed_attributes.size(); ++length) {
        EXPECT_EQ(parse_signed_attributes(ByteView(message.signer.signed_attributes).first(length)).error(),
                  Errc::cms_attributes_malformed)
            << "cut after " << length;
    }
}

// An exponent of 3 and a digest at the wrong end of the padding: whoever skips over what follows takes it.
TEST(CmsVerify, RefusesASignatureThatIsACubeRoot) {
    const auto honest = read_cms_vector("rsa3.der");
    EXPECT_FALSE(verify(honest, certificate_vector("rsa3")));
    const auto forged = read_cms_vector("forged.der");
    ASSERT_FALSE(forged.error) << forged.error.message();
    EXPECT_EQ(forged.signer.signed_attributes, honest.signer.signed_attributes);
    EXPECT_EQ(verify(forged, certificate_vector("rsa3")), Errc::cms_signature_invalid);
}

// CVE-2026-22796: a value of another type where an OCTET STRING or an OID is expected. A time that is none is no
// reason.
TEST(SignedAttributes, MustHaveTheirTypes) {
    const auto attribute = [](std::string_view oid, ByteView value) {
        return der_encode(kDerSequence, {der_oid(oid), der_encode(kDerSet, {value})});
    };
    const auto type = [&](ByteView value) { return attribute("1.2.840.113549.1.9.3", value); };
    const auto time = [&](ByteView value) { return attribute("1.2.840.113549.1.9.5", value); };
    const auto digest = [&](std::uint8_t tag) {
        return attribute("1.2.840.113549.1.9.4", der_encode(tag, {Bytes(32, 1)}));
    };
    const auto data = der_oid(kOidData);
    const auto parse = [](const Bytes& a, const Bytes& b, const Bytes& c) {
        std::vector<Bytes> list{a, b, c};
        std::ranges::sort(list);
        const auto result = parse_signed_attributes(der_encode(kDerSet, {list[0], list[1], list[2]}));
        return result ? boost::system::error_code{} : result.error();
    };
    const auto when = der_encode_time(UtcSeconds{});
    EXPECT_FALSE(parse(type(data), time(when), digest(kDerOctetString)));
    for (const std::uint8_t tag : {kDerBitString, kDerInteger, kDerOid, kDerUtcTime, der_context(0, false)}) {
        EXPECT_EQ(parse(type(data), time(when), digest(tag)), Errc::cms_attributes_malformed) << int{tag};
    }
    EXPECT_EQ(parse(type(der_encode(kDerOctetString, {data})), time(when), digest(kDerOctetString)),
              Errc::cms_attributes_malformed);
    EXPECT_FALSE(parse(type(data), time(der_encode(kDerUtcTime, {as_bytes("yesterday")})), digest(kDerOctetString)));
    EXPECT_FALSE(parse(type(data), time(der_encode(kDerInteger, {Bytes{1}})), digest(kDerOctetString)));
}

TEST(SignedAttributes, TellTheSigningTimeAndTheBinding) {
    const auto message = read_cms_vector("cades.der");
    const auto attributes = parse_signed_attributes(message.signer.signed_attributes);
    ASSERT_TRUE(attributes);
    ASSERT_TRUE(attributes->signing_time);
    EXPECT_GT(*attributes->signing_time, UtcSeconds(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)));
    ASSERT_TRUE(attributes->binding_v2);
    EXPECT_EQ(attributes->binding_v2->digest, "SHA-256");
    const auto certificate = certificate_vector("p256");
    EXPECT_TRUE(std::ranges::equal(attributes->binding_v2->certificate_digest, certificate.digest()));
}

TEST(CmsAlgorithms, AcceptOnlyTheTable) {
    constexpr std::string_view kSha1 = "1.3.14.3.2.26";
    EXPECT_FALSE(signature_scheme(kSha1, "1.2.840.113549.1.1.1", {}));
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.2.840.113549.1.1.12", {}));  // sha384WithRSA
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.3.101.112", {}));            // Ed25519 goes with SHA-512
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.2.840.10040.4.3", {}));      // DSA
    EXPECT_TRUE(signature_scheme(kOidSha256, "1.2.840.113549.1.1.1", test::hex("0500")));
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.2.840.10045.4.3.2", test::hex("040100")));
    // RSASSA-PSS: no parameters mean SHA-1; a salt shorter than the digest; another digest.
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.2.840.113549.1.1.10", {}));
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.2.840.113549.1.1.10", test::hex("3000")));
    const auto pss = read_cms_vector("pss.der").signer.signature_parameters;
    EXPECT_EQ(signature_scheme(kOidSha256, "1.2.840.113549.1.1.10", pss)->salt_size, 222u);
    EXPECT_FALSE(signature_scheme(kOidSha384, "1.2.840.113549.1.1.10", pss));
    auto short_salt = pss;
    ASSERT_EQ(short_salt.back(), 222);
    short_salt.erase(short_salt.end() - 2);  // INTEGER 00 de becomes INTEGER 1f: lengths follow
    short_salt.back() = 31;
    short_salt[1] = static_cast<std::uint8_t>(short_salt[1] - 1);
    short_salt[short_salt.size() - 2] = 1;
    short_salt[short_salt.size() - 4] = 3;
    EXPECT_FALSE(signature_scheme(kOidSha256, "1.2.840.113549.1.1.10", short_salt));
    short_salt.back() = 32;
    EXPECT_TRUE(signature_scheme(kOidSha256, "1.2.840.113549.1.1.10", short_salt));
}

}  // namespace
}  // namespace xinfu::crypto
