// ENC-01: what OpenSSL and Bouncy Castle encrypt for a node's certificate opens with its key, what is weaker or altered
// does not, and what is made here opens with OpenSSL.
#include "crypto/envelope_key.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "crypto/der.hpp"
#include "crypto/gcm_stream.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::certificate_vector;

EnvelopeKey key_of(const std::string& name) {
    const auto key = SigningKey::from_pkcs8(as_bytes(test::read_vector("cms/" + name + ".key"))).value();
    return EnvelopeKey::create(key, certificate_vector(name)).value();
}

struct Opened {
    boost::system::error_code error;
    EnvelopeRecipient recipient;
    Bytes nonce;
    Bytes tag;
    Bytes cipher;
    Bytes plain;
    bool operator==(const Opened&) const = default;
};

Opened read(ByteView body, std::size_t chunk) {
    EnvelopeReader reader;
    Opened opened;
    const auto sink = [&](std::uint64_t offset, ByteView piece) -> Result<void> {
        EXPECT_EQ(piece.data(), body.data() + offset);
        EXPECT_EQ(reader.nonce().size(), 12u);
        opened.cipher.insert(opened.cipher.end(), piece.begin(), piece.end());
        return {};
    };
    for (std::size_t at = 0; at < body.size() && !opened.error; at += chunk) {
        if (const auto fed = reader.feed(at, body.subspan(at, std::min(chunk, body.size() - at)), sink); !fed) {
            opened.error = fed.error();
        }
    }
    if (const auto finished = reader.finish(); !finished) {
        opened.error = finished.error();
        return opened;
    }
    opened.recipient = reader.recipient();
    opened.nonce = reader.nonce();
    opened.tag = reader.tag();
    return opened;
}

Opened open(ByteView body, const EnvelopeKey& key, std::size_t chunk = 1 << 20) {
    auto opened = read(body, chunk);
    if (opened.error) {
        return opened;
    }
    if (!key.is_recipient(opened.recipient)) {
        opened.error = Errc::envelope_other_recipient;
        return opened;
    }
    GcmOpener opener(key.unwrap(opened.recipient, system_random()).view(), opened.nonce);
    for (std::size_t at = 0; at < opened.cipher.size(); at += 77) {
        opener.update(ByteView(opened.cipher).subspan(at, std::min<std::size_t>(77, opened.cipher.size() - at)),
                      opened.plain);
        const auto in = std::min<std::size_t>(at + 77, opened.cipher.size());
        EXPECT_EQ(opened.plain.size(), in - in % 16) << "both processes count on it";
    }
    if (const auto finished = opener.finish(opened.tag, opened.plain); !finished) {
        opened.error = finished.error();
    }
    return opened;
}

Opened open_vector(const std::string& name, const std::string& key) {
    return open(as_bytes(test::read_vector("cms/" + name)), key_of(key));
}

TEST(Envelope, OpensWhatOpenSslAndBouncyCastleEncrypt) {
    const struct {
        const char* name;
        const char* key;
        const char* inside;
    } kCases[] = {{"envelope-ec.der", "p256", "der.der"},          {"envelope-keyid.der", "p256", "der.der"},
                  {"envelope-rsa.der", "rsa", "der.der"},          {"envelope-stream.der", "p256", "stream.der"},
                  {"bc-envelope-ec.der", "p256", "der.der"},       {"bc-envelope-ec-der.der", "p256", "der.der"},
                  {"bc-envelope-rsa.der", "rsa", "bc-default.der"}};
    for (const auto& [name, key, inside] : kCases) {
        const auto opened = open_vector(name, key);
        EXPECT_FALSE(opened.error) << name << ": " << opened.error.message();
        EXPECT_EQ(as_text(opened.plain), test::read_vector(std::string("cms/") + inside)) << name;
    }
}

TEST(Envelope, ReadsTheSameHoweverItIsCut) {
    for (const auto* name : {"envelope-ec.der", "envelope-rsa.der", "bc-envelope-ec.der", "envelope-stream.der"}) {
        const auto body = test::read_vector(std::string("cms/") + name);
        const auto whole = read(as_bytes(body), body.size());
        for (const std::size_t chunk : {1u, 2u, 3u, 17u, 1000u}) {
            EXPECT_EQ(read(as_bytes(body), chunk), whole) << name << " in chunks of " << chunk;
        }
    }
}

TEST(Envelope, RefusesWhatIsWeakerWithItsReason) {
    const std::pair<const char*, Errc> kCases[] = {{"envelope-sha1kdf.der", Errc::envelope_key_transport},
                                                   {"envelope-v15.der", Errc::envelope_key_transport},
                                                   {"envelope-oaep1.der", Errc::envelope_key_transport},
                                                   {"envelope-aes128.der", Errc::envelope_key_transport},
                                                   {"envelope-two.der", Errc::envelope_recipients},
                                                   {"envelope-cbc.der", Errc::cms_wrong_type},
                                                   {"der.der", Errc::cms_wrong_type}};
    for (const auto& [name, error] : kCases) {
        EXPECT_EQ(open_vector(name, "p256").error, error) << name;
    }
    EXPECT_EQ(open_vector("envelope-ec.der", "rsa").error, Errc::envelope_other_recipient);
    EXPECT_EQ(open_vector("envelope-rsa.der", "p256").error, Errc::envelope_other_recipient);
}

// CVE-2026-34182, CVE-2026-5500, CVE-2026-12802, CVE-2025-15467: lengths from a part that nothing authenticates.
TEST(Envelope, RefusesOtherTagAndNonceLengths) {
    const auto body = test::read_vector("cms/envelope-ec.der");
    const auto good = read(as_bytes(body), body.size());
    const auto parameters = [&](ByteView nonce, std::optional<std::uint64_t> tag_size) {
        const auto octets = der_encode(kDerOctetString, {nonce});
        return der_encode(kDerSequence, {octets, tag_size ? der_integer(*tag_size) : Bytes{}});
    };
    const auto rebuilt = [&](ByteView gcm_parameters, ByteView tag) {
        const auto recipients_at = body.find(std::string("\x02\x01\x00\x31", 4)) + 3;
        DerReader rest(as_bytes(body).subspan(recipients_at));
        const auto recipients = rest.next(kDerSet)->whole;
        const auto algorithm = der_encode(kDerSequence, {der_oid("2.16.840.1.101.3.4.1.46"), gcm_parameters});
        const auto text = der_encode(der_context(0, false), {good.cipher});
        const auto content = der_encode(kDerSequence, {der_oid("1.2.840.113549.1.7.1"), algorithm, text});
        const auto mac = der_encode(kDerOctetString, {tag});
        const auto enveloped = der_encode(kDerSequence, {der_integer(0), recipients, content, mac});
        return der_encode(kDerSequence,
                          {der_oid("1.2.840.113549.1.9.16.1.23"), der_encode(der_context(0), {enveloped})});
    };
    const auto key = key_of("p256");
    EXPECT_FALSE(open(rebuilt(parameters(good.nonce, 16), good.tag), key).error) << "the same again";
    for (const std::size_t size : {0u, 1u, 4u, 12u, 15u}) {
        const auto tag = ByteView(good.tag).first(size);
        EXPECT_EQ(open(rebuilt(parameters(good.nonce, size), tag), key).error, Errc::envelope_cipher) << size;
        EXPECT_EQ(open(rebuilt(parameters(good.nonce, 16), tag), key).error, Errc::envelope_cipher) << size;
    }
    EXPECT_EQ(open(rebuilt(parameters(good.nonce, std::nullopt), ByteView(good.tag).first(12)), key).error,
              Errc::envelope_cipher);
    for (const std::size_t size : {0u, 1u, 8u, 11u, 13u, 16u, 200u}) {
        EXPECT_EQ(open(rebuilt(parameters(Bytes(size, 7), 16), good.tag), key).error,
                  size == 200u ? Errc::envelope_cipher : Errc::envelope_cipher)
            << size;
    }
    EXPECT_EQ(open(rebuilt({}, good.tag), key).error, Errc::envelope_cipher) << "no parameters";
    const Bytes null{5, 0};
    EXPECT_EQ(open(rebuilt(null, good.tag), key).error, Errc::envelope_cipher);
}

// CVE-2026-28389, CVE-2026-28390: algorithms whose parameters are absent, NULL, or something else.
TEST(Envelope, RefusesAlgorithmsWithoutTheirParameters) {
    const auto refuses = [](ByteView recipient_info) {
        const auto recipients = der_encode(kDerSet, {recipient_info});
        const auto enveloped = der_encode(kDerSequence, {der_integer(0), recipients});
        const auto body =
            der_encode(kDerSequence, {der_oid("1.2.840.113549.1.9.16.1.23"), der_encode(der_context(0), {enveloped})});
        const auto error = read(body, body.size()).error;
        return error == Errc::envelope_key_transport || error == Errc::cms_malformed;
    };
    const auto identifier = der_encode(kDerSequence, {der_encode(kDerSequence, {}), der_integer(1)});
    const auto key = der_encode(kDerOctetString, {Bytes(40, 1)});
    const auto keys = der_encode(kDerSequence, {der_encode(kDerSequence, {identifier, key})});
    const Bytes null{kDerNull, 0};
    for (const Bytes& parameters : {Bytes{}, null, der_integer(1), der_encode(kDerSequence, {}),
                                    der_encode(kDerSequence, {der_oid("2.16.840.1.101.3.4.1.45"), der_integer(1)})}) {
        const auto oaep = der_encode(kDerSequence, {der_oid("1.2.840.113549.1.1.7"), parameters});
        EXPECT_TRUE(refuses(der_encode(kDerSequence, {der_integer(0), identifier, oaep, key})));
        const auto ecdh = der_encode(kDerSequence, {der_oid("1.3.132.1.11.1"), parameters});
        Bytes point(66, 4);
        point[0] = 0;
        const auto public_key = der_encode(der_context(1), {der_encode(kDerSequence, {der_oid("1.2.840.10045.2.1")}),
                                                            der_encode(kDerBitString, {point})});
        const auto originator = der_encode(der_context(0), {public_key});
        EXPECT_TRUE(refuses(der_encode(der_context(1), {der_integer(3), originator, ecdh, keys})));
    }
    for (unsigned other = 2; other <= 4; ++other) {  // KEK, password, others
        EXPECT_TRUE(refuses(der_encode(der_context(other), {der_integer(0)}))) << other;
    }
}

TEST(Envelope, NoChangedOctetOpens) {
    for (const auto& [name, key_name] :
         {std::pair{"envelope-ec.der", "p256"}, std::pair{"bc-envelope-rsa.der", "rsa"}}) {
        const auto key = key_of(key_name);
        const auto body = to_bytes(test::read_vector(std::string("cms/") + name));
        const auto original = open(body, key);
        for (std::size_t at = 0; at < body.size(); at += key_name == std::string_view("rsa") ? 7 : 1) {
            auto changed = body;
            changed[at] ^= 0x01;
            const auto opened = open(changed, key);
            if (!opened.error) {
                EXPECT_EQ(opened.plain, original.plain) << name << " byte " << at;
                ADD_FAILURE() << name << " byte " << at << " means nothing";
            }
        }
    }
}

TEST(Envelope, IsTruncatedWhereverItIsCut) {
    const auto body = test::read_vector("cms/bc-envelope-ec.der");
    for (std::size_t length = 2; length < body.size(); ++length) {
        EXPECT_EQ(read(as_bytes(body).first(length), 1 << 20).error, Errc::cms_truncated) << length;
    }
    EXPECT_EQ(read(as_bytes(body + "x"), 1 << 20).error, Errc::cms_trailing_bytes);
}

// Whoever probes with wrong keys learns nothing before the tag: a key comes out all the same, each time another.
TEST(Envelope, AKeyThatDoesNotComeOutIsDrawnByLot) {
    for (const auto& [name, key_name] : {std::pair{"envelope-ec.der", "p256"}, std::pair{"envelope-rsa.der", "rsa"}}) {
        const auto body = test::read_vector(std::string("cms/") + name);
        const auto key = key_of(key_name);
        auto recipient = read(as_bytes(body), body.size()).recipient;
        const auto right = key.unwrap(recipient, system_random());
        EXPECT_TRUE(std::ranges::equal(right.view(), key.unwrap(recipient, system_random()).view()));
        recipient.encrypted_key[3] ^= 1;
        const auto first = key.unwrap(recipient, system_random());
        const auto second = key.unwrap(recipient, system_random());
        EXPECT_EQ(first.size(), kContentKeySizeBytes);
        EXPECT_EQ(second.size(), kContentKeySizeBytes);
        EXPECT_FALSE(std::ranges::equal(first.view(), second.view())) << name;
        recipient.encrypted_key.clear();
        EXPECT_EQ(key.unwrap(recipient, system_random()).size(), kContentKeySizeBytes);
    }
    auto off_curve = read(as_bytes(test::read_vector("cms/envelope-ec.der")), 1 << 20).recipient;
    off_curve.originator_point.back() ^= 1;
    EXPECT_EQ(key_of("p256").unwrap(off_curve, system_random()).size(), kContentKeySizeBytes);
}

TEST(Envelope, SeesWhatABodyIsFromItsFirstOctets) {
    for (const auto* name : {"envelope-ec.der", "envelope-stream.der", "bc-envelope-ec.der", "bc-envelope-rsa.der"}) {
        const auto body = test::read_vector(std::string("cms/") + name);
        EXPECT_EQ(body_kind(as_bytes(body).first(kBodyKindSizeBytes)), BodyKind::envelope) << name;
        EXPECT_EQ(body_kind(as_bytes(body).first(12)), BodyKind::undecided) << name;
    }
    for (const auto* name : {"der.der", "stream.der", "envelope-cbc.der", "pem.txt", "small.csv"}) {
        const auto body = test::read_vector(std::string("cms/") + name);
        EXPECT_EQ(body_kind(as_bytes(body).first(kBodyKindSizeBytes)), BodyKind::other) << name;
    }
    EXPECT_EQ(body_kind({}), BodyKind::undecided);
}

TEST(Envelope, MadeHereOpensWithOpenSsl) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "xinfu-envelope";
    std::filesystem::create_directories(folder);
    const auto vectors = test::vector_path("cms/");
    for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 100000u}) {
        const Bytes content(size, 'x');
        const auto envelope = Envelope::create(certificate_vector("p256"), content.size(), system_random()).value();
        Bytes whole = envelope.prefix;
        GcmSealer sealer(envelope.content_key.view(), envelope.nonce);
        sealer.update(ByteView(content).first(size / 3), whole);
        sealer.update(ByteView(content).subspan(size / 3), whole);
        const auto suffix = Envelope::suffix(sealer.finish(whole));
        EXPECT_EQ(suffix.size(), Envelope::kSuffixSizeBytes);
        whole.insert(whole.end(), suffix.begin(), suffix.end());
        EXPECT_EQ(whole.size(), envelope.prefix.size() + size + Envelope::kSuffixSizeBytes);
        const auto opened = open(whole, key_of("p256"));
        EXPECT_FALSE(opened.error) << size;
        EXPECT_EQ(opened.plain, content);

        const auto in = (folder / "in").string();
        const auto out = (folder / "out").string();
        std::ofstream(in, std::ios::binary)
            .write(reinterpret_cast<const char*>(whole.data()), static_cast<std::streamsize>(whole.size()));
        const auto command = "openssl cms -decrypt -binary -inform DER -in " + in + " -recip " + vectors +
                             "p256.pem -inkey " + vectors + "p256.key -out " + out;
        ASSERT_EQ(std::system(command.c_str()), 0) << size;
        EXPECT_EQ(test::read_file(out), std::string(size, 'x'));
    }
    std::filesystem::remove_all(folder);
    EXPECT_EQ(Envelope::create(certificate_vector("rsa"), 1, system_random()).error(), Errc::key_wrong_algorithm);
}

}  // namespace
}  // namespace xinfu::crypto
