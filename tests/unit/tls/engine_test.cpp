// Engine against Engine, in memory: what completes a handshake, what does not, and that no way of cutting the bytes
// makes a difference.
#include "daemon/tls/engine.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include <botan/tls_version.h>
#include <botan/x509_key.h>
#include <botan/x509cert.h>
#include <gtest/gtest.h>

#include "daemon/tls/handshake_message.hpp"
#include "tests/unit/tls/pki.hpp"

namespace xinfu::tls {
namespace {

using boost::system::error_code;
using test::Pki;

struct Pair {
    std::unique_ptr<Engine> server;
    std::unique_ptr<Engine> client;
    Bytes server_got;
    Bytes client_got;
};

// Moves bytes both ways until nothing moves. `cut` says how many of the waiting bytes go into the next feed.
using Cut = std::function<std::size_t(std::size_t)>;
const Cut kWhole = [](std::size_t waiting) { return waiting; };

void move(Engine& from, Engine& to, Bytes& got, const Cut& cut) {
    Bytes bytes;
    from.take_output(bytes);
    ByteView left = bytes;
    while (!left.empty()) {
        const std::size_t some = std::clamp<std::size_t>(cut(left.size()), 1, std::min(left.size(), kFeedBytesMax));
        Bytes target(37);
        std::size_t delivered = 0;
        const auto error = to.feed(left.first(some), target, delivered);
        got.insert(got.end(), target.begin(), target.begin() + static_cast<std::ptrdiff_t>(delivered));
        if (delivered != 0 && !to.complete()) {
            ADD_FAILURE() << "bytes handed out before the handshake was complete";
        }
        while (const std::size_t more = to.read(target)) {
            got.insert(got.end(), target.begin(), target.begin() + static_cast<std::ptrdiff_t>(more));
        }
        if (error) {
            return;
        }
        left = left.subspan(some);
    }
}
void pump(Pair& pair, const Cut& cut = kWhole) {
    while (pair.client->output_size() != 0 || pair.server->output_size() != 0) {
        move(*pair.client, *pair.server, pair.server_got, cut);
        move(*pair.server, *pair.client, pair.client_got, cut);
    }
}

Pair connect(const std::string& who, bool tls13, const Cut& cut = kWhole, const std::string& host = "city.test") {
    const Pki& pki = Pki::get();
    Pair pair;
    pair.server = Engine::server(pki.server(), pki.signer("server.key", true));
    pair.client = Engine::client(pki.client(who, tls13), host, 443).value();
    pump(pair, cut);
    return pair;
}

Bytes filled(std::size_t size) {
    Bytes bytes(size);
    std::minstd_rand random(7);
    std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random() >> 7); });
    return bytes;
}

// Found by fuzzing: the client's last flight, data and damage in one feed handed the data out of a handshake that never
// was complete.
TEST(Engine, HandsNothingOutWhenDamageFollowsDataInTheHandshakesLastFeed) {
    const Pki& pki = Pki::get();
    for (const std::size_t room : {std::size_t{0}, std::size_t{100}}) {
        auto server = Engine::server(pki.server(), pki.signer("server.key", true));
        auto client = Engine::client(pki.client("dept", true), "city.test", 443).value();
        Bytes got;
        move(*client, *server, got, kWhole);
        move(*server, *client, got, kWhole);
        ASSERT_TRUE(client->complete());
        ASSERT_FALSE(server->complete());
        ASSERT_FALSE(client->send(filled(50)));
        Bytes last;
        client->take_output(last);
        last.insert(last.end(), {0x17, 0x03, 0x03, 0x00, 0x20});
        last.insert(last.end(), 32, 0x55);
        Bytes target(room);
        std::size_t delivered = 0;
        EXPECT_TRUE(server->feed(last, target, delivered));
        EXPECT_FALSE(server->complete());
        EXPECT_EQ(delivered, 0U);
        Bytes later(100);
        EXPECT_EQ(server->read(later), 0U);
    }
}

TEST(Engine, CompletesWithAProvenCertificateOfAnybody) {
    for (const auto& [who, tls13, suite] : std::vector<std::tuple<std::string, bool, std::string>>{
             {"dept", true, "AES_256_GCM_SHA384"},
             {"rsa", true, "AES_256_GCM_SHA384"},
             {"stranger", true, "AES_256_GCM_SHA384"},
             {"dept", false, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
             {"rsa", false, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
             {"stranger", false, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}}) {
        const Pair pair = connect(who, tls13);
        ASSERT_TRUE(pair.server->complete()) << who << ": " << pair.server->failure().message();
        EXPECT_TRUE(pair.client->complete()) << who;
        EXPECT_EQ(pair.server->tls13(), tls13);
        EXPECT_EQ(pair.server->suite(), suite);
        ASSERT_TRUE(pair.server->peer_proof().has_value());
        EXPECT_EQ(pair.server->peer_proof()->certificate, Pki::get().certificates(who + ".pem").front()) << who;
    }
}

TEST(Engine, HandsOverAProofThatVerifiesAgainElsewhere) {
    for (const auto& [who, tls13] :
         std::vector<std::pair<std::string, bool>>{{"dept", true}, {"rsa", true}, {"dept", false}, {"rsa", false}}) {
        const Pair pair = connect(who, tls13);
        const PeerProof& proof = pair.server->peer_proof().value();
        EXPECT_EQ(proof.tls13, tls13);
        EXPECT_EQ(proof.der_encoded, who == "dept");
        if (tls13) {
            const auto parts = parse_client_message(proof.signed_bytes);
            ASSERT_TRUE(parts.has_value());
            EXPECT_EQ(std::get<Tls13Transcript>(*parts).digest.size(), 48U);
        }

        const Botan::X509_Certificate certificate(proof.certificate);
        const auto key = certificate.subject_public_key();
        Botan::PK_Verifier verifier(
            *key, proof.padding,
            proof.der_encoded ? Botan::Signature_Format::DerSequence : Botan::Signature_Format::Standard);
        EXPECT_TRUE(verifier.verify_message(proof.signed_bytes, proof.signature)) << who << " " << proof.padding;
    }
}

TEST(Engine, RefusesAClientWithoutCertificate) {
    for (const bool tls13 : {true, false}) {
        const Pair pair = connect("", tls13);
        EXPECT_FALSE(pair.server->complete());
        EXPECT_EQ(pair.server->failure(), Errc::no_client_certificate) << (tls13 ? "1.3" : "1.2");
        EXPECT_EQ(pair.client->failure(), Errc::peer_alert);
    }
}

TEST(Engine, CarriesDataHoweverTheBytesAreCut) {
    const Bytes there = filled(150'000);
    const Bytes back = filled(70'001);
    std::minstd_rand random(11);
    const std::vector<Cut> cuts = {
        kWhole,
        [](std::size_t) { return std::size_t{1}; },
        [](std::size_t) { return std::size_t{4}; },
        [](std::size_t) { return std::size_t{1400}; },
        [&random](std::size_t waiting) { return 1 + random() % std::min<std::size_t>(waiting, 9000); },
    };
    for (std::size_t n = 0; n < 2 * cuts.size(); ++n) {
        const Cut& cut = cuts[n / 2];
        Pair pair = connect("dept", n % 2 == 0, cut);
        ASSERT_TRUE(pair.server->complete()) << "cut " << n;
        for (std::size_t at = 0; at < there.size(); at += kSendBytesMax) {
            ASSERT_FALSE(pair.client->send(ByteView(there).subspan(at, std::min(kSendBytesMax, there.size() - at))));
        }
        ASSERT_FALSE(pair.server->send(ByteView(back).first(kSendBytesMax)));
        ASSERT_FALSE(pair.server->send(ByteView(back).subspan(kSendBytesMax)));
        pump(pair, cut);
        EXPECT_EQ(pair.server_got, there) << "cut " << n;
        EXPECT_EQ(pair.client_got, back) << "cut " << n;
        pair.client->close();
        pump(pair, cut);
        EXPECT_TRUE(pair.server->peer_closed());
        EXPECT_FALSE(pair.server->end_of_input());
    }
}

TEST(Engine, NeverCompletesWhenAByteOfTheHandshakeIsChanged) {
    const Pki& pki = Pki::get();
    std::size_t flights = 0;
    for (std::size_t position = 0; position < 1400; position += 13) {
        Pair pair;
        pair.server = Engine::server(pki.server(), pki.signer("server.key", true));
        pair.client = Engine::client(pki.client("dept"), "city.test", 443).value();
        // ClientHello and server flight untouched; one byte of the client's second flight (proof) is changed.
        move(*pair.client, *pair.server, pair.server_got, kWhole);
        move(*pair.server, *pair.client, pair.client_got, kWhole);
        Bytes flight;
        pair.client->take_output(flight);
        if (position >= flight.size()) {
            break;
        }
        ++flights;
        flight[position] ^= 0x40;
        Bytes target(100);
        std::size_t delivered = 0;
        const auto error = pair.server->feed(flight, target, delivered);
        EXPECT_FALSE(pair.server->complete()) << "byte " << position;
        EXPECT_EQ(delivered, 0U);
        // A changed length makes the server wait for more; everything else fails at once.
        if (error) {
            EXPECT_TRUE(pair.server->failure()) << "byte " << position;
        }
    }
    EXPECT_GT(flights, 40U);
}

TEST(Engine, EndsAHandshakeThatSpendsItsBudget) {
    const Pki& pki = Pki::get();
    {
        const auto server = Engine::server(pki.server(), pki.signer("server.key", true));
        std::size_t delivered = 0;
        error_code error;
        unsigned records = 0;
        // A ClientHello that announces 16 KiB and comes in records of one byte.
        const Bytes start{22, 3, 1, 0, 4, 1, 0, 0x40, 0};
        error = server->feed(start, {}, delivered);
        for (; !error && records < 200; ++records) {
            error = server->feed(Bytes{22, 3, 1, 0, 1, 0}, {}, delivered);
        }
        EXPECT_EQ(error, Errc::handshake_budget_spent);
        EXPECT_EQ(records, kHandshakeRecordsMax);
    }
    {
        const auto server = Engine::server(pki.server(), pki.signer("server.key", true));
        std::size_t delivered = 0;
        std::size_t bytes = 0;
        error_code error;
        Bytes record{22, 3, 1, 0x3f, 0xf0};
        record.resize(5 + 0x3ff0);
        record[5] = 1;
        record[6] = 4;  // announces a ClientHello of 256 KiB
        for (; !error && bytes < 1'000'000; bytes += record.size()) {
            error = server->feed(record, {}, delivered);
        }
        EXPECT_TRUE(error);
        EXPECT_LE(bytes, kHandshakeBytesMax + record.size());
    }
}

// Botan itself sends empty records in TLS 1.3 only; they are counted below the version.
TEST(Engine, EndsAConnectionThatSendsOnlyEmptyRecords) {
    Pair pair = connect("dept", true);
    ASSERT_TRUE(pair.server->complete());
    // A few between others are allowed (some senders hide lengths that way).
    for (int round = 0; round < 5; ++round) {
        for (unsigned n = 0; n < kEmptyRecordsMax / 2; ++n) {
            ASSERT_FALSE(pair.client->send({}));
        }
        ASSERT_FALSE(pair.client->send(to_bytes("x")));
        pump(pair);
    }
    EXPECT_FALSE(pair.server->failure());
    EXPECT_EQ(pair.server_got, to_bytes("xxxxx"));
    for (unsigned n = 0; n <= kEmptyRecordsMax; ++n) {
        ASSERT_FALSE(pair.client->send({}));
    }
    EXPECT_GT(pair.client->output_size(), std::size_t{5} * kEmptyRecordsMax);
    pump(pair);
    EXPECT_EQ(pair.server->failure(), Errc::too_many_empty_records);
}

TEST(Engine, RefusesARecordLongerThanTlsAllows) {
    const auto server = Engine::server(Pki::get().server(), Pki::get().signer("server.key", true));
    std::size_t delivered = 0;
    EXPECT_EQ(server->feed(Bytes{22, 3, 1, 0x48, 0x01}, {}, delivered), Errc::protocol_violation);
    EXPECT_EQ(server->feed(Bytes{22, 3, 1, 0, 1, 0}, {}, delivered), Errc::protocol_violation);  // and stays so
}

TEST(Engine, CallsAnEndWithoutCloseNotifyTruncated) {
    const Pair pair = connect("dept", true);
    EXPECT_EQ(pair.server->end_of_input(), Errc::stream_truncated);
}

TEST(Engine, ClientAcceptsOnlyTheNamedHostUnderItsAnchors) {
    for (const std::string host : {"city.test", "localhost", "127.0.0.1"}) {
        EXPECT_TRUE(connect("dept", true, kWhole, host).client->complete()) << host;
    }
    for (const std::string host : {"province.test", "127.0.0.2", "::1", "test"}) {
        const Pair pair = connect("dept", true, kWhole, host);
        EXPECT_EQ(pair.client->failure(), Errc::untrusted_server) << host;
        EXPECT_FALSE(pair.server->complete()) << host;
    }
    const Pki& pki = Pki::get();
    Pair pair;
    pair.server = Engine::server(pki.server(), pki.signer("server.key", true));
    pair.client = Engine::client(pki.client("dept", true, "other-ca.pem"), "city.test", 443).value();
    pump(pair);
    EXPECT_EQ(pair.client->failure(), Errc::untrusted_server);
}

TEST(Engine, ClientSignsThroughItsHookWithTls13Only) {
    const Pki& pki = Pki::get();
    const ClientSettings settings{.certificate_chain = pki.certificates("dept.pem"),
                                  .private_key = {},
                                  .trust_anchors = pki.certificates("ca.pem"),
                                  .tls12 = true,
                                  .tls13 = true};
    const auto context = ClientContext::create(settings).value();
    EXPECT_EQ(Engine::client(context, "city.test", 443).error(), Errc::signing_failed);
    Pair pair;
    pair.server = Engine::server(pki.server(), pki.signer("server.key", true));
    pair.client = Engine::client(context, "city.test", 443, pki.signer("dept.key", false)).value();
    pump(pair);
    ASSERT_TRUE(pair.server->complete()) << pair.server->failure().message();
    EXPECT_TRUE(pair.server->tls13());
}

TEST(Engine, FailsWhenTheKeyHolderDoesNotSign) {
    const Pki& pki = Pki::get();
    Pair pair;
    pair.server = Engine::server(pki.server(),
                                 [](const HandshakeToSign&) -> Result<Bytes> { return make_error_code(Errc::closed); });
    pair.client = Engine::client(pki.client("dept"), "city.test", 443).value();
    pump(pair);
    EXPECT_EQ(pair.server->failure(), Errc::signing_failed);
    EXPECT_FALSE(pair.client->complete());
}

TEST(Engine, RefusesAProofMadeWithAnotherKey) {
    const Pki& pki = Pki::get();
    const ClientSettings settings{.certificate_chain = pki.certificates("dept.pem"),
                                  .private_key = {},
                                  .trust_anchors = pki.certificates("ca.pem"),
                                  .tls12 = false,
                                  .tls13 = true};
    const auto context = ClientContext::create(settings).value();
    Pair pair;
    pair.server = Engine::server(pki.server(), pki.signer("server.key", true));
    pair.client = Engine::client(context, "city.test", 443, pki.signer("stranger.key", false)).value();
    pump(pair);
    EXPECT_EQ(pair.server->failure(), Errc::bad_client_proof);
    EXPECT_FALSE(pair.server->complete());
    EXPECT_FALSE(pair.server->peer_proof().has_value());
}

TEST(ClientContext, RefusesAKeyThatIsNotTheCertificates) {
    const Pki& pki = Pki::get();
    const ClientSettings settings{.certificate_chain = pki.certificates("dept.pem"),
                                  .private_key = pki.key("rsa.key"),
                                  .trust_anchors = {},
                                  .tls12 = true,
                                  .tls13 = true};
    EXPECT_EQ(ClientContext::create(settings).error(), Errc::settings_malformed);
}

TEST(HandshakeMessage, IsTakenApartOnlyInItsOneForm) {
    const std::string_view context{"TLS 1.3, server CertificateVerify\0", 34};
    const Bytes server = to_bytes(std::string(64, ' ') + std::string(context) + std::string(48, '\xab'));
    ASSERT_TRUE(parse_server_message(server).has_value());
    EXPECT_EQ(std::get<Tls13Transcript>(*parse_server_message(server)).digest, Bytes(48, 0xab));
    EXPECT_FALSE(parse_client_message(server).has_value());
    for (std::size_t at = 0; at < 98; ++at) {
        Bytes changed = server;
        changed[at] ^= 1;
        EXPECT_FALSE(parse_server_message(changed).has_value()) << "byte " << at;
    }
    for (std::size_t length = 0; length < server.size(); ++length) {
        EXPECT_EQ(parse_server_message(ByteView(server).first(length)).has_value(), length == 64 + 34 + 32) << length;
    }

    // RFC 8422 section 5.4: curve_type named_curve (3), x25519 (29), a point of 32 bytes.
    Bytes exchange(100, 0x22);
    std::ranges::copy(Bytes{3, 0, 29, 32}, exchange.begin() + 64);
    ASSERT_TRUE(parse_server_message(exchange).has_value());
    EXPECT_EQ(std::get<Tls12KeyExchange>(*parse_server_message(exchange)).ecdhe_parameters.size(), 36U);
    EXPECT_FALSE(parse_client_message(exchange).has_value());
    for (const std::size_t at : {64U, 65U, 66U, 67U}) {
        Bytes changed = exchange;
        changed[at] ^= 1;
        EXPECT_FALSE(parse_server_message(changed).has_value()) << "byte " << at;
    }
}

}  // namespace
}  // namespace xinfu::tls
