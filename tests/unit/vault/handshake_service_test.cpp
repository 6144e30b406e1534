// Possession is proven to the vault, not to the gateway (IDN-01), and a certificate stands for its own unit only
// (IDN-05). The gateway here is the test: it may say what it likes.
#include "tests/unit/vault/fixture.hpp"

#include "daemon/boundary/error.hpp"
#include "daemon/vault/accept_submission.hpp"
#include "daemon/vault/sweep.hpp"
#include "storage/handshake_proofs.hpp"

namespace xinfu::vault::test {
namespace {

using boundary::HandshakeReply;

class HandshakeServiceTest : public VaultTest {};

TEST_F(HandshakeServiceTest, Idn01GivesAHandleForAProvenEnrolledCertificate) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);

    const HandshakeReply reply = gateway.prove(1, holder);

    ASSERT_TRUE(reply.has_proven());
    EXPECT_FALSE(reply.proven().has_standing());
    EXPECT_EQ(reply.proven().principal(), "m-0001");
    const auto connection = handles_.find(as_bytes(reply.proven().handle()), 1);
    ASSERT_NE(connection, nullptr);
    EXPECT_EQ(connection->source, "192.0.2.7");
    EXPECT_EQ(handles_.find(as_bytes(reply.proven().handle()), 2), nullptr) << "of another gateway connection";
}

TEST_F(HandshakeServiceTest, SignsForTheServerOnlyWhatTheServerSigns) {
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
    HandshakeReply reply;
    ASSERT_TRUE(gateway.ask(HandshakePeerDouble::sign_request(1), reply));
    EXPECT_FALSE(reply.signature().empty());

    // A digest of any other size is no transcript.
    auto odd = HandshakePeerDouble::sign_request(2);
    odd.mutable_sign()->mutable_tls13()->set_transcript_digest(std::string(33, 'd'));
    EXPECT_FALSE(gateway.ask(odd, reply));
    EXPECT_EQ(gateway.end(), boundary::Errc::unexpected);
}

TEST_F(HandshakeServiceTest, Idn01RefusesAnUnknownCertificateUnparsedWithOneLeaf) {
    const Holder stranger = unit_certificate(kUnit);
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);

    const HandshakeReply reply = gateway.prove(1, stranger);
    ASSERT_TRUE(reply.has_proven());
    EXPECT_TRUE(reply.proven().handle().empty());
    EXPECT_EQ(reply.proven().standing().code(), "XF-1001");

    // Bytes that are no certificate at all get the same answer: nobody looked into them.
    HandshakeReply garbage;
    ASSERT_TRUE(gateway.ask(HandshakePeerDouble::sign_request(2), garbage));
    auto request = HandshakePeerDouble::prove_request(2, stranger);
    request.mutable_prove()->set_certificate("no certificate");
    ASSERT_TRUE(gateway.ask(request, garbage));
    EXPECT_EQ(garbage.proven().standing().code(), "XF-1001");

    EXPECT_TRUE(soon([&] { return leaves_with({"refuse_connection", "XF-1001", "192.0.2.7"}) == 1; }));
    EXPECT_EQ(handles_.size(), 0U);
}

TEST_F(HandshakeServiceTest, Idn01RefusesAStolenCertificateWithoutItsKey) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    const Holder thief{crypto::SigningKey::generate_p256(), holder.certificate};
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);

    const HandshakeReply reply = gateway.prove(1, thief);

    EXPECT_EQ(reply.problem().code(), "XF-1005");
    EXPECT_EQ(handles_.size(), 0U);
}

TEST_F(HandshakeServiceTest, Idn01TakesEachProofOnceAlsoAfterARestart) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    const std::string transcript(32, 'x');
    {
        HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
        EXPECT_TRUE(gateway.prove(1, holder, transcript).has_proven());
        EXPECT_EQ(gateway.prove(2, holder, transcript).problem().code(), "XF-1005");
    }
    // A new service remembers nothing but the store.
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_, 2);
    EXPECT_EQ(gateway.prove(3, holder, transcript).problem().code(), "XF-1005");
    EXPECT_TRUE(gateway.prove(4, holder).has_proven());
}

TEST_F(HandshakeServiceTest, Idn01TheSweepForgetsProofsOfCertificatesThatAreLongOutOfDate) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});  // for a day
    {
        HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
        EXPECT_TRUE(gateway.prove(1, holder).has_proven());
    }
    const NodeCertificates certificates;
    const Intake intake(*context_, revocations_, certificates);
    const Uploads uploads(*context_, {});
    Sweep sweep(*context_, intake, uploads);
    const auto remembered_after_sweep = [&] {
        on_loop([&sweep]() -> asio::awaitable<void> {
            auto sweeping = sweep.sweep();
            must(co_await std::move(sweeping));
        });
        return must(must(ledger_->engine().snapshot())->count(storage::Table::handshake_proofs));
    };
    clock_->advance(storage::kHandshakeProofMargin);
    EXPECT_EQ(remembered_after_sweep(), 1U);
    clock_->advance(std::chrono::days(3));
    EXPECT_EQ(remembered_after_sweep(), 0U);
}

TEST_F(HandshakeServiceTest, RefusesAProofMoreThanFifteenSecondsAfterTheSignature) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
    HandshakeReply reply;
    ASSERT_TRUE(gateway.ask(HandshakePeerDouble::sign_request(1), reply));
    clock_->advance(std::chrono::milliseconds(15001));
    ASSERT_TRUE(gateway.ask(HandshakePeerDouble::prove_request(1, holder), reply));
    EXPECT_EQ(reply.problem().code(), "XF-1005");
}

TEST_F(HandshakeServiceTest, ClosesAGatewayThatProvesWhatWasNeverSigned) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
    HandshakeReply reply;
    EXPECT_FALSE(gateway.ask(HandshakePeerDouble::prove_request(1, holder), reply));
    EXPECT_EQ(gateway.end(), boundary::Errc::unexpected);
}

TEST_F(HandshakeServiceTest, ClosesAGatewayThatProvesOneConnectionTwice) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
    EXPECT_TRUE(gateway.prove(1, holder).has_proven());
    HandshakeReply reply;
    EXPECT_FALSE(gateway.ask(HandshakePeerDouble::prove_request(1, holder, std::string(32, 'y')), reply));
}

TEST_F(HandshakeServiceTest, ClosesACourierThatProvesAnything) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    HandshakePeerDouble courier(HandshakePeer::courier, *context_, handles_, revocations_);
    HandshakeReply reply;
    ASSERT_TRUE(courier.ask(HandshakePeerDouble::sign_request(1), reply));
    EXPECT_FALSE(courier.ask(HandshakePeerDouble::prove_request(1, holder), reply));
    EXPECT_EQ(courier.end(), boundary::Errc::unexpected);
}

TEST_F(HandshakeServiceTest, Idn01TellsTheStandingOfExpiredRevokedAndDisabled) {
    const Holder expired = unit_certificate(kUnit, std::chrono::hours(-1));
    enrol(machine("m-0001", kUnit, {"submitter"}), expired);
    const Holder revoked = enrol_machine("m-0002", kUnit, {"submitter"});
    revocations_.take({revoked.certificate.issuer(), 1, 0, {revoked.certificate.serial()}});
    const Holder disabled = unit_certificate(kUnit);
    auto account = machine("m-0003", kUnit, {"submitter"});
    account.disabled = true;
    enrol(account, disabled);
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);

    EXPECT_EQ(gateway.prove(1, expired).proven().standing().code(), "XF-1002");
    EXPECT_EQ(gateway.prove(2, revoked).proven().standing().code(), "XF-1003");
    EXPECT_EQ(gateway.prove(3, disabled).proven().standing().code(), "XF-1004");
    for (const std::string_view code : {"XF-1002", "XF-1003", "XF-1004"}) {
        EXPECT_TRUE(soon([&] { return leaves_with({"refuse_connection", code}) == 1; })) << code;
    }
}

TEST_F(HandshakeServiceTest, Idn05RefusesACertificateThatNamesAnotherUnitThanItsAccount) {
    const Holder holder = unit_certificate(kOtherUnit);
    enrol(machine("m-0001", kUnit, {"submitter"}), holder);
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
    EXPECT_EQ(gateway.prove(1, holder).proven().standing().code(), "XF-1013");
}

TEST_F(HandshakeServiceTest, NoHandleOutlivesItsLink) {
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    HandshakePeerDouble gateway(HandshakePeer::gateway, *context_, handles_, revocations_);
    const HandshakeReply reply = gateway.prove(1, holder);
    handles_.remove_link(1);
    EXPECT_EQ(handles_.find(as_bytes(reply.proven().handle()), 1), nullptr);
    // Nor may a late proof bring one back.
    EXPECT_FALSE(gateway.prove(2, holder).has_proven());
    EXPECT_EQ(handles_.size(), 0U);
}

}  // namespace
}  // namespace xinfu::vault::test
