// What CmsWriter makes verifies here and with the openssl command, whatever the content's size.
#include "crypto/cms_writer.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "crypto/certificate_authority.hpp"
#include "crypto/der.hpp"
#include "crypto/signed_attributes.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::read_cms;

const UtcSeconds kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(4);

SigningKey key_vector(const std::string& name) {
    return SigningKey::from_pkcs8(as_bytes(test::read_vector("cms/" + name + ".key"))).value();
}

Bytes write(const SigningKey& key, const Certificate& certificate, std::string_view content) {
    const auto writer = CmsWriter::create(key, certificate, content.size(), kNow);
    auto message = writer->prefix();
    message.insert(message.end(), content.begin(), content.end());
    const auto suffix = writer->finish(sha256(as_bytes(content)));
    message.insert(message.end(), suffix->begin(), suffix->end());
    EXPECT_EQ(message.size(), writer->size());
    return message;
}

TEST(CmsWriter, IsReadAndVerified) {
    const auto certificate = test::certificate_vector("p256");
    for (const std::size_t size : {0u, 1u, 127u, 128u, 255u, 256u, 65535u, 65536u, 1u << 20}) {
        const std::string content(size, 'x');
        const auto body = write(key_vector("p256"), certificate, content);
        CmsReaderOptions strict;
        strict.definite_only = true;
        const auto message = read_cms(body, 4096, strict);
        ASSERT_FALSE(message.error) << size << ": " << message.error.message();
        EXPECT_EQ(message.content, content);
        const auto error = test::verify(message, certificate);
        EXPECT_FALSE(error) << size << ": " << error.message();
        const auto attributes = parse_signed_attributes(message.signer.signed_attributes);
        EXPECT_GE(attributes->signing_time, kNow);
        EXPECT_LT(attributes->signing_time, kNow + std::chrono::minutes(1));
    }
}

TEST(CmsWriter, KeepsItsPromiseOfSizeEveryTime) {
    const auto key = key_vector("p256");
    const auto certificate = test::certificate_vector("p256");
    const auto writer = CmsWriter::create(key, certificate, 5, kNow);
    for (int round = 0; round < 300; ++round) {
        const auto suffix = writer->finish(sha256(as_bytes("hello")));
        ASSERT_TRUE(suffix) << "round " << round;
        ASSERT_EQ(suffix->size(), writer->suffix_size()) << "round " << round;
    }
}

TEST(CmsWriter, SatisfiesOpenSsl) {
    const auto folder = std::filesystem::temp_directory_path() / ("cms_writer_test." + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    // Several rounds, since every other signature is one whose s was replaced.
    for (int round = 0; round < 6; ++round) {
        const auto body =
            write(key_vector("p256"), test::certificate_vector("p256"), test::read_vector("cms/content.csv"));
        std::ofstream(folder / "message", std::ios::binary) << as_text(body);
        const auto command = "openssl cms -verify -binary -inform DER -purpose any -in " +
                             (folder / "message").string() + " -CAfile " + test::vector_path("cms/authority.pem") +
                             " -out " + (folder / "content").string() + " 2>/dev/null";
        EXPECT_EQ(std::system(command.c_str()), 0);
        EXPECT_EQ(test::read_file((folder / "content").string()), test::read_vector("cms/content.csv"));
    }
    std::filesystem::remove_all(folder);
}

TEST(CmsWriter, EmbedsAnotherCertificateBesideItsOwn) {
    const auto key = key_vector("p256");
    const auto certificate = test::certificate_vector("p256");
    for (const auto* name : {"ed25519", "rsa"}) {  // a shorter one and a longer one
        const auto other = test::certificate_vector(name);
        const auto writer = CmsWriter::create(key, certificate, 5, kNow, other.der());
        auto body = writer->prefix();
        body.insert(body.end(), {'h', 'e', 'l', 'l', 'o'});
        const auto suffix = writer->finish(sha256(as_bytes("hello")));
        ASSERT_EQ(suffix->size(), writer->suffix_size());
        body.insert(body.end(), suffix->begin(), suffix->end());
        const auto message = read_cms(body, body.size());
        ASSERT_FALSE(message.error) << name << ": " << message.error.message();
        EXPECT_EQ(message.signer.certificate, certificate.der()) << name;
        EXPECT_EQ(message.signer.other_certificates, std::vector<Bytes>{other.der()}) << name;
        EXPECT_FALSE(test::verify(message, certificate)) << name;
        // X.690 section 11.6: the members of a SET OF ascend.
        DerReader certificates(DerReader(*suffix).next(der_context(0))->contents);
        const auto first = certificates.next();
        const auto second = certificates.next();
        EXPECT_TRUE(std::ranges::lexicographical_compare(first->whole, second->whole)) << name;
    }
}

TEST(CmsWriter, TakesOnlyTheCertificatesOwnKey) {
    EXPECT_EQ(CmsWriter::create(key_vector("person"), test::certificate_vector("p256"), 1, kNow).error(),
              Errc::key_wrong_algorithm);
    EXPECT_EQ(CmsWriter::create(key_vector("rsa"), test::certificate_vector("rsa"), 1, kNow).error(),
              Errc::key_wrong_algorithm);
}

}  // namespace
}  // namespace xinfu::crypto
