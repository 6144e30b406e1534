// Keys of every accepted kind, as OpenSSL wrote them.
#include "crypto/signing_key.hpp"

#include <gtest/gtest.h>

#include "crypto/certificate.hpp"
#include "crypto/handshake.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::certificate_vector;
using test::read_vector;

Result<SigningKey> load(const std::string& name) {
    return SigningKey::from_pkcs8(as_bytes(read_vector("cms/" + name + ".key")));
}

TEST(SigningKey, LoadsWhatOpenSslWrote) {
    const struct {
        const char* name;
        KeyKind kind;
    } kCases[] = {
        {"p256", KeyKind::p256}, {"p384", KeyKind::p384}, {"rsa", KeyKind::rsa}, {"ed25519", KeyKind::ed25519}};
    for (const auto& [name, kind] : kCases) {
        const auto key = load(name);
        ASSERT_TRUE(key) << name << ": " << key.error().message();
        EXPECT_EQ(key->kind(), kind) << name;
        EXPECT_EQ(key->public_key(), certificate_vector(name).public_key()) << name;
        EXPECT_TRUE(key->sign(as_bytes("message"))) << name;
    }
    EXPECT_EQ(load("p256.encrypted").error(), Errc::key_encrypted);
    EXPECT_EQ(load("rsa1024").error(), Errc::key_wrong_algorithm);
    EXPECT_EQ(SigningKey::from_pkcs8(as_bytes(read_vector("cms/p256.pem"))).error(), Errc::key_malformed);
    EXPECT_EQ(SigningKey::from_pkcs8({}).error(), Errc::key_malformed);
}

TEST(SigningKey, ComesBackFromItsOwnDocument) {
    const auto key = SigningKey::generate_p256();
    const auto der = key.to_der();
    EXPECT_EQ(SigningKey::from_pkcs8(der.view())->public_key(), key.public_key());
    EXPECT_EQ(SigningKey::from_pkcs8(as_bytes(key.to_pem()))->public_key(), key.public_key());
    for (std::size_t length = 0; length < der.size(); ++length) {
        EXPECT_FALSE(SigningKey::from_pkcs8(der.view().first(length))) << "cut after byte " << length;
    }
}

ClientProof proof(ByteView octets, ByteView signature, std::string_view padding, bool der_encoded) {
    return {true, octets, padding, der_encoded, signature};
}

TEST(Handshake, ProvesAClientOfOpenSsl) {
    const auto octets = to_bytes(read_vector("cms/client13.bin"));
    const auto p256 = to_bytes(read_vector("cms/client13.p256.sig"));
    const auto rsa = to_bytes(read_vector("cms/client13.rsa.sig"));
    EXPECT_TRUE(verify_client_proof(certificate_vector("p256"), proof(octets, p256, "SHA-256", true)));
    EXPECT_TRUE(verify_client_proof(certificate_vector("rsa"), proof(octets, rsa, "PSS(SHA-256,MGF1,32)", false)));
    EXPECT_EQ(verify_client_proof(certificate_vector("person"), proof(octets, p256, "SHA-256", true)).error(),
              Errc::handshake_unproven);
    EXPECT_EQ(verify_client_proof(certificate_vector("p256"), proof(octets, p256, "SHA-384", true)).error(),
              Errc::key_wrong_algorithm);  // not with this curve in TLS 1.3
    EXPECT_EQ(verify_client_proof(certificate_vector("rsa"), proof(octets, rsa, "PKCS1v15(SHA-256)", false)).error(),
              Errc::key_wrong_algorithm);  // TLS 1.2 only
    EXPECT_EQ(verify_client_proof(certificate_vector("p256"), proof(octets, p256, "Raw", true)).error(),
              Errc::key_wrong_algorithm);
}

TEST(Handshake, ProvesNothingButAClientsCertificateVerify) {
    const auto key = load("p256");
    const auto certificate = certificate_vector("p256");
    const auto octets = to_bytes(read_vector("cms/client13.bin"));
    for (std::size_t at = 0; at < 98; ++at) {  // padding, context string, separator
        auto changed = octets;
        changed[at] ^= 1;
        EXPECT_EQ(verify_client_proof(certificate, proof(changed, *key->sign(changed), "SHA-256", true)).error(),
                  Errc::handshake_malformed)
            << "byte " << at;
    }
    for (std::size_t length = 0; length < octets.size(); ++length) {
        const auto cut = ByteView(octets).first(length);
        EXPECT_EQ(verify_client_proof(certificate, proof(cut, *key->sign(cut), "SHA-256", true)).error(),
                  Errc::handshake_malformed)
            << "cut after " << length;
    }
    // The node's own signature as a server is no client's.
    const auto server = sign_tls13(*key, TlsSide::server, Bytes(32));
    EXPECT_EQ(verify_client_proof(certificate, proof(octets, *server, "SHA-256", true)).error(),
              Errc::handshake_unproven);
    const auto client = sign_tls13(*key, TlsSide::client, Bytes(32));
    EXPECT_TRUE(verify_client_proof(certificate, proof(octets, *client, "SHA-256", true)));
}

TEST(Handshake, ProvesATls12TranscriptAndNothingElse) {
    const auto key = load("p256");
    const auto certificate = certificate_vector("p256");
    const auto verify = [&](std::string_view text) {
        const auto octets = test::hex(text);
        return verify_client_proof(certificate, {false, octets, "SHA-256", true, *key->sign(octets)});
    };
    EXPECT_TRUE(
        verify("01000002aabb"
               "02000001cc"
               "0b000000"
               "10000001dd"));
    EXPECT_FALSE(
        verify("01000002aabb"
               "02000001cc"
               "0b000000"));  // ends too early
    EXPECT_FALSE(
        verify("02000001cc"
               "01000002aabb"
               "10000001dd"));  // in another order
    EXPECT_FALSE(
        verify("01000002aabb"
               "02000001cc"
               "10000001dd"
               "00"));  // something after it
    EXPECT_FALSE(
        verify("01000002aabb"
               "02000001cc"
               "10000002dd"));  // cut
    EXPECT_FALSE(verify(""));
}

TEST(Handshake, SignsOnlyTypedParts) {
    const auto key = load("p256");
    const Bytes random(32, 0x20);
    EXPECT_EQ(sign_tls13(*key, TlsSide::server, Bytes(31)).error(), Errc::handshake_malformed);
    EXPECT_EQ(sign_tls13(*key, TlsSide::server, Bytes(64)).error(), Errc::handshake_malformed);
    EXPECT_EQ(sign_tls13(*load("rsa"), TlsSide::server, Bytes(32)).error(), Errc::key_wrong_algorithm);
    Bytes parameters = test::hex("0300174104");
    parameters.resize(4 + 65);
    EXPECT_TRUE(sign_tls12(*key, random, random, parameters));
    EXPECT_TRUE(sign_tls12(*key, random, random, [] {
        Bytes x25519 = test::hex("03001d20");
        x25519.resize(4 + 32);
        return x25519;
    }()));
    EXPECT_FALSE(sign_tls12(*key, ByteView(random).first(31), random, parameters));
    EXPECT_FALSE(sign_tls12(*key, random, ByteView(random).first(31), parameters));
    for (std::size_t at = 0; at < 5; ++at) {
        auto changed = parameters;
        changed[at] ^= 0x11;
        EXPECT_FALSE(sign_tls12(*key, random, random, changed)) << "byte " << at;
    }
    parameters.push_back(0);
    EXPECT_FALSE(sign_tls12(*key, random, random, parameters));
}

}  // namespace
}  // namespace xinfu::crypto
