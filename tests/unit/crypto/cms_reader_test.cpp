// What the reader tells of messages that OpenSSL made (tests/vectors/cms), however they are cut, and each reason for
// which it refuses one.
#include "crypto/cms_reader.hpp"

#include <gtest/gtest.h>

#include "crypto/der.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::read_cms;
using test::read_cms_vector;
using test::read_vector;

constexpr std::size_t kWhole = 1 << 20;

Bytes vector_bytes(const std::string& name) {
    return to_bytes(read_vector("cms/" + name));
}

// A SignedData around `content`, with the parts of der.der that a test does not replace.
struct Parts {
    Bytes version = der_integer(1);
    Bytes digests = der_encode(kDerSet, {der_encode(kDerSequence, {der_oid("2.16.840.1.101.3.4.2.1")})});
    Bytes encapsulated;
    Bytes certificates;
    Bytes signers;

    Parts() {
        const auto message = vector_bytes("der.der");
        DerReader outer(der_single(message, kDerSequence)->contents);
        outer.next();
        DerReader body(der_single(outer.next()->contents, kDerSequence)->contents);
        body.next();
        body.next();
        const auto take = [&] {
            const auto whole = body.next()->whole;
            return Bytes(whole.begin(), whole.end());
        };
        encapsulated = take();
        certificates = take();
        signers = take();
    }
    Bytes message() const {
        const auto body = der_encode(kDerSequence, {version, digests, encapsulated, certificates, signers});
        return der_encode(kDerSequence, {der_oid("1.2.840.113549.1.7.2"), der_encode(der_context(0), {body})});
    }
};

TEST(CmsReader, FindsTheContentWhereItLies) {
    const auto body = read_vector("cms/der.der");
    const auto message = read_cms(as_bytes(body), kWhole);
    ASSERT_FALSE(message.error) << message.error.message();
    EXPECT_EQ(message.content, read_vector("cms/small.csv"));
    ASSERT_EQ(message.spans.size(), 1u);
    const auto [offset, length] = message.spans[0];
    EXPECT_EQ(body.substr(offset, length), message.content);
    EXPECT_EQ(message.size, body.size());
}

TEST(CmsReader, TellsTheSignerAsOpenSslWroteIt) {
    const auto message = read_cms_vector("der.der");
    const auto certificate = test::certificate_vector("p256");
    EXPECT_EQ(message.signer.digest_algorithm, "2.16.840.1.101.3.4.2.1");
    EXPECT_EQ(message.signer.signature_algorithm, "1.2.840.10045.4.3.2");
    EXPECT_TRUE(message.signer.signature_parameters.empty());
    EXPECT_EQ(message.signer.content_type, "1.2.840.113549.1.7.1");
    EXPECT_EQ(message.signer.certificate, certificate.der());
    EXPECT_EQ(message.signer.issuer, certificate.issuer());
    EXPECT_EQ(message.signer.serial, certificate.serial());
    EXPECT_TRUE(message.signer.subject_key_identifier.empty());
    EXPECT_EQ(message.signer.signed_attributes[0], 0x31);
}

TEST(CmsReader, FollowsIndefiniteLengthsAndPieces) {
    const auto body = read_vector("cms/stream.der");
    const auto message = read_cms(as_bytes(body), kWhole);
    ASSERT_FALSE(message.error) << message.error.message();
    EXPECT_EQ(message.content, read_vector("cms/content.csv"));
    EXPECT_EQ(message.spans.size(), 7u);  // openssl cuts pieces of 4096 octets
    std::string joined;
    for (const auto& [offset, length] : message.spans) {
        joined += body.substr(offset, length);
    }
    EXPECT_EQ(joined, message.content);
}

TEST(CmsReader, SelectsTheCertificateThatTheSignerNames) {
    EXPECT_EQ(read_cms_vector("keyid.der").signer.certificate, test::certificate_vector("p256").der());
    EXPECT_FALSE(read_cms_vector("keyid.der").signer.subject_key_identifier.empty());
    EXPECT_TRUE(read_cms_vector("nocerts.der").signer.certificate.empty());
    const auto chain = read_cms_vector("chain.der");
    EXPECT_EQ(chain.signer.certificate, test::certificate_vector("p256").der());
    ASSERT_EQ(chain.signer.other_certificates.size(), 1u);
    EXPECT_EQ(chain.signer.other_certificates[0], test::certificate_vector("authority").der());
}

TEST(CmsReader, TellsTheSameHoweverTheMessageIsCut) {
    for (const auto* name : {"der.der", "stream.der", "cades.der", "pss.der"}) {
        const auto body = vector_bytes(name);
        const auto whole = read_cms(body, kWhole);
        for (const std::size_t size : {1u, 2u, 3u, 5u, 7u, 64u, 1000u}) {
            const auto cut = read_cms(body, size);
            ASSERT_FALSE(cut.error) << name << " in chunks of " << size;
            EXPECT_EQ(cut.spans, whole.spans) << name << " in chunks of " << size;
            EXPECT_EQ(cut.content, whole.content);
            EXPECT_EQ(cut.signer.signature, whole.signer.signature);
            EXPECT_EQ(cut.signer.signed_attributes, whole.signer.signed_attributes);
            EXPECT_EQ(cut.signer.certificate, whole.signer.certificate);
        }
    }
}

TEST(CmsReader, TellsTheSameOnBothSidesOfEveryCut) {
    const auto body = vector_bytes("der.der");
    const auto whole = read_cms(body, kWhole);
    for (std::size_t cut = 1; cut < body.size(); ++cut) {
        std::string content;
        CmsReader reader;
        const auto sink = [&](std::uint64_t offset, ByteView piece) -> Result<void> {
            EXPECT_TRUE(std::ranges::equal(piece, ByteView(body).subspan(offset, piece.size())));
            content += as_text(piece);
            return {};
        };
        ASSERT_TRUE(reader.feed(0, ByteView(body).first(cut), sink)) << "cut after byte " << cut;
        ASSERT_TRUE(reader.feed(cut, ByteView(body).subspan(cut), sink)) << "cut after byte " << cut;
        ASSERT_TRUE(reader.finish()) << "cut after byte " << cut;
        EXPECT_EQ(content, whole.content);
        EXPECT_EQ(reader.signer().signature, whole.signer.signature);
    }
}

TEST(CmsReader, NoticesEveryTruncation) {
    for (const auto* name : {"der.der", "stream.der", "keyid.der"}) {
        const auto body = vector_bytes(name);
        for (std::size_t length = 0; length < body.size(); ++length) {
            const auto cut = read_cms(ByteView(body).first(length), kWhole);
            EXPECT_EQ(cut.error, length == 0 ? Errc::cms_not_cms : Errc::cms_truncated)
                << name << " cut after byte " << length;
        }
    }
}

TEST(CmsReader, SaysWhyItRefuses) {
    const struct {
        const char* name;
        Errc expected;
    } kCases[] = {
        {"noattr.der", Errc::cms_attributes_missing},
        {"detached.der", Errc::cms_detached},
        {"two.der", Errc::cms_several_signers},
        {"mail.txt", Errc::cms_is_smime},
        {"pem.txt", Errc::cms_is_pem},
        {"sha1.der", Errc::cms_digest_algorithm},
        {"data.der", Errc::cms_wrong_type},
        {"stripped.der", Errc::cms_attributes_missing},
        {"small.csv", Errc::cms_not_cms},
        {"p256.crt", Errc::cms_not_cms},
    };
    for (const auto& [name, expected] : kCases) {
        const auto body = vector_bytes(name);
        for (const std::size_t size : {std::size_t{1}, kWhole}) {
            EXPECT_EQ(read_cms(body, size).error, expected) << name << ": " << read_cms(body, size).error.message();
        }
    }
}

TEST(CmsReader, RefusesOrLeavesWhatFollows) {
    auto body = vector_bytes("stream.der");
    const auto size = body.size();
    body.push_back('{');
    body.push_back('}');
    for (const std::size_t chunk : {std::size_t{1}, size, kWhole}) {
        EXPECT_EQ(read_cms(body, chunk).error, Errc::cms_trailing_bytes) << "chunks of " << chunk;
        CmsReaderOptions leave;
        leave.trailing = CmsReaderOptions::Trailing::leave;
        const auto message = read_cms(body, chunk, leave);
        EXPECT_FALSE(message.error) << "chunks of " << chunk;
        EXPECT_EQ(message.size, size);
    }
}

TEST(CmsReader, RefusesBerWhereDerIsRequired) {
    CmsReaderOptions strict;
    strict.definite_only = true;
    EXPECT_EQ(read_cms(vector_bytes("stream.der"), kWhole, strict).error, Errc::cms_indefinite);
    EXPECT_FALSE(read_cms(vector_bytes("der.der"), kWhole, strict).error);
}

TEST(CmsReader, ReadsALayerInsideALayerWithOffsetsOfTheBody) {
    const auto original = vector_bytes("stream.der");
    Parts parts;
    auto content = original;
    content.push_back('m');
    parts.encapsulated = der_encode(
        kDerSequence,
        {der_oid("1.2.840.113549.1.7.1"), der_encode(der_context(0), {der_encode(kDerOctetString, {content})})});
    const auto body = parts.message();
    CmsReaderOptions leave;
    leave.trailing = CmsReaderOptions::Trailing::leave;
    CmsReader outer;
    CmsReader inner(leave);
    std::string text;
    std::string rest;
    const auto inner_sink = [&](std::uint64_t offset, ByteView piece) -> Result<void> {
        EXPECT_TRUE(std::ranges::equal(piece, ByteView(body).subspan(offset, piece.size())));
        text += as_text(piece);
        return {};
    };
    const auto outer_sink = [&](std::uint64_t offset, ByteView piece) -> Result<void> {
        const auto taken =
            inner.complete() ? Result<std::size_t>(std::size_t{0}) : inner.feed(offset, piece, inner_sink);
        if (!taken) {
            return taken.error();
        }
        rest += as_text(piece.subspan(*taken));
        return {};
    };
    for (std::size_t at = 0; at < body.size(); at += 100) {
        ASSERT_TRUE(
            outer.feed(at, ByteView(body).subspan(at, std::min<std::size_t>(100, body.size() - at)), outer_sink));
    }
    ASSERT_TRUE(outer.finish());
    ASSERT_TRUE(inner.finish());
    EXPECT_EQ(text, read_vector("cms/content.csv"));
    EXPECT_EQ(rest, "m");
    EXPECT_EQ(inner.size(), original.size());
}

TEST(CmsReader, RefusesAMessageWithoutSignersOrDigests) {
    Parts parts;
    parts.signers = der_encode(kDerSet, {});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_no_signer);
    parts = Parts();
    parts.digests = der_encode(kDerSet, {});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_digest_algorithm);
}

// CVE-2023-49083 and its like. Nobody is embedded: the signer is looked up, as with -nocerts.
TEST(CmsReader, TakesAnEmptySetOfCertificates) {
    Parts parts;
    parts.certificates = der_encode(der_context(0), {});
    const auto message = read_cms(parts.message(), kWhole);
    EXPECT_FALSE(message.error) << message.error.message();
    EXPECT_TRUE(message.signer.certificate.empty());
    parts.certificates = der_encode(der_context(0), {der_encode(kDerSequence, {})});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_certificate_form);
}

TEST(CmsReader, RefusesVersionsThatDoNotFit) {
    for (const std::uint64_t version : {0u, 2u, 3u, 4u, 5u, 127u}) {
        Parts parts;
        parts.version = der_integer(version);
        EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_version) << version;
    }
    EXPECT_FALSE(read_cms(Parts().message(), kWhole).error);
}

TEST(CmsReader, BoundsDepthPiecesAndParts) {
    Parts parts;
    const auto data = der_oid("1.2.840.113549.1.7.1");
    Bytes nested = der_encode(kDerOctetString, {as_bytes("x")});
    for (int level = 0; level < 40; ++level) {
        nested = der_encode(kDerOctetString | 0x20, {nested});
    }
    parts.encapsulated = der_encode(kDerSequence, {data, der_encode(der_context(0), {nested})});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_too_deep);

    Bytes crumbs;
    for (int piece = 0; piece < 10000; ++piece) {
        crumbs.insert(crumbs.end(), {kDerOctetString, 1, 'x'});
    }
    parts.encapsulated =
        der_encode(kDerSequence, {data, der_encode(der_context(0), {der_encode(kDerOctetString | 0x20, {crumbs})})});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_too_many_elements);

    parts = Parts();
    const Bytes certificate = test::certificate_vector("p256").der();
    Bytes many;
    for (int copy = 0; copy < 11; ++copy) {
        many.insert(many.end(), certificate.begin(), certificate.end());
    }
    parts.certificates = der_encode(der_context(0), {many});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_certificate_form);

    parts = Parts();
    parts.certificates = der_encode(der_context(0), {der_encode(kDerSequence, {Bytes(65 * 1024)})});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_part_too_large);
    parts = Parts();
    parts.signers = der_encode(kDerSet, {der_encode(kDerSequence, {Bytes(17 * 1024)})});
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_part_too_large);

    CmsReaderOptions small;
    small.content_size_bytes_max = 10;
    EXPECT_EQ(read_cms(vector_bytes("der.der"), kWhole, small).error, Errc::cms_content_too_large);
}

TEST(CmsReader, RefusesLengthsThatLeaveTheirParent) {
    const auto body = vector_bytes("der.der");
    // The outer length, one more and one less.
    auto longer = body;
    longer[3] = static_cast<std::uint8_t>(longer[3] + 1);
    EXPECT_EQ(read_cms(longer, kWhole).error, Errc::cms_truncated);
    auto shorter = body;
    shorter[3] = static_cast<std::uint8_t>(shorter[3] - 1);
    EXPECT_EQ(read_cms(shorter, kWhole).error, Errc::cms_malformed);
    // An end-of-contents where nothing is open.
    EXPECT_EQ(read_cms(test::hex("0000"), kWhole).error, Errc::cms_not_cms);
    Parts parts;
    parts.certificates = test::hex("0000");
    EXPECT_EQ(read_cms(parts.message(), kWhole).error, Errc::cms_malformed);
    // Tags of several octets, primitive values without end, absurd lengths.
    for (const auto* text : {"3f800130", "3080068000", "3089ffffffffffffffffff", "3088ffffffffffffffff", "30ff"}) {
        EXPECT_EQ(read_cms(test::hex(text), kWhole).error,
                  std::string_view(text) == "3f800130" ? Errc::cms_not_cms : Errc::cms_malformed)
            << text;
    }
}

TEST(CmsReader, PassesOnTheSinksError) {
    const auto body = vector_bytes("der.der");
    CmsReader reader;
    const auto sink = [](std::uint64_t, ByteView) -> Result<void> { return Errc::proof_mismatch; };
    EXPECT_EQ(reader.feed(0, body, sink).error(), Errc::proof_mismatch);
    EXPECT_EQ(reader.feed(0, body, sink).error(), Errc::proof_mismatch);
    EXPECT_EQ(reader.finish().error(), Errc::proof_mismatch);
}

}  // namespace
}  // namespace xinfu::crypto
