// What the gateway may ask and what becomes of it: the table, identity at every request, default deny, leaves of
// readings and refusals.
#include "tests/unit/vault/fixture.hpp"

#include "crypto/tlog_proof.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/vault/receipt.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault::test {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;

class GatewayEndpointTest : public VaultTest {
protected:
    // A connection that proved this certificate.
    std::string connect(const Holder& holder) {
        if (!handshakes_) {
            handshakes_ =
                std::make_unique<HandshakePeerDouble>(HandshakePeer::gateway, *context_, handles_, revocations_);
        }
        return handshakes_->prove(++connections_, holder).proven().handle();
    }
    GatewayRequest from(const std::string& handle) {
        GatewayRequest request;
        request.set_handle(handle);
        request.mutable_source()->set_address(std::string("\xC0\x00\x02\x07", 4));
        return request;
    }
    GatewayRequest submission(const std::string& handle) {
        GatewayRequest request = from(handle);
        request.mutable_open_submission()->set_catalog("administrative-penalty");
        request.mutable_open_submission()->set_name("a.csv");
        return request;
    }
    void appoint() {
        enrol_person("p-0001", "210000000001", {"system_administrator"});
        enrol_person("p-0002", "210000000002", {"auditor"});
    }
    storage::SubmissionId add_submission(std::string_view unit) {
        const auto id =
            storage::make_submission_id(clock_->now().time_since_epoch().count(), crypto::system_random().array<10>());
        change([&](storage::WriteTransaction& transaction) {
            storage::rows::Submission row;
            row.set_state(storage::rows::Submission::ACCEPTED);
            row.set_catalog("administrative-penalty");
            row.set_name("a.csv");
            row.set_unit(std::string(unit));
            row.set_leaf(0);
            must(storage::put_submission(transaction, id, row));
        });
        return id;
    }

    std::unique_ptr<HandshakePeerDouble> handshakes_;
    std::uint64_t connections_ = 0;
};

TEST_F(GatewayEndpointTest, ClosesAGatewayThatAsksNothing) {
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    ASSERT_TRUE(gateway.send(from(std::string(16, 'h'))));
    EXPECT_EQ(gateway.why_ended(), boundary::Errc::unexpected);
}

TEST_F(GatewayEndpointTest, ClosesAGatewayThatUsesAnIdTwice) {
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request;
    request.mutable_get_metrics();
    request.set_id(5);
    EXPECT_TRUE(gateway.ask(request).has_metrics());
    ASSERT_TRUE(gateway.send(request));
    EXPECT_EQ(gateway.why_ended(), boundary::Errc::unexpected);
}

TEST_F(GatewayEndpointTest, ClosesAGatewayThatNamesAHandleWhereNoneBelongs) {
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request = from(std::string(16, 'h'));
    request.mutable_get_metrics();
    ASSERT_TRUE(gateway.send(request));
    EXPECT_EQ(gateway.why_ended(), boundary::Errc::unexpected);
}

TEST_F(GatewayEndpointTest, ClosesAGatewayThatFinishesWhatItNeverOpened) {
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request = from(std::string(16, 'h'));
    request.mutable_finish_submission()->set_submission(99);
    ASSERT_TRUE(gateway.send(request));
    EXPECT_EQ(gateway.why_ended(), boundary::Errc::unexpected);
}

TEST_F(GatewayEndpointTest, Idn01RefusesAHandleThatWasNeverGivenOut) {
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    EXPECT_EQ(gateway.ask(submission(std::string(16, 'h'))).problem().code(), "XF-1015");
    EXPECT_EQ(gateway.submissions, 0);
    EXPECT_EQ(leaves_with({"\"submit\"", "XF-1015"}), 1);
}

TEST_F(GatewayEndpointTest, LetsASubmitterSubmitOnceTheNodeIsComplete) {
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"submitter"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);

    EXPECT_EQ(gateway.ask(submission(handle)).problem().code(), "XF-2004");
    appoint();
    const GatewayReply reply = gateway.ask(submission(handle));
    EXPECT_EQ(reply.outcome().id(), "submitter") << "the role that permitted it";
    EXPECT_EQ(gateway.submissions, 1);

    // What was found is kept until an account is written: the node may become incomplete again.
    change([](storage::WriteTransaction& transaction) {
        for (auto account : must(storage::all_accounts(transaction))) {
            account.disabled = account.disabled || account.kind == storage::AccountKind::person;
            must(storage::put_account(transaction, account));
        }
    });
    EXPECT_EQ(gateway.ask(submission(handle)).problem().code(), "XF-2004");
}

TEST_F(GatewayEndpointTest, Idn01StopsARevokedCertificateOnAnOpenConnection) {
    appoint();
    const Holder holder = enrol_machine("m-0001", kUnit, {"submitter"});
    const std::string handle = connect(holder);
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    EXPECT_TRUE(gateway.ask(submission(handle)).has_outcome());

    revocations_.take({holder.certificate.issuer(), 1, 0, {holder.certificate.serial()}});

    EXPECT_EQ(gateway.ask(submission(handle)).problem().code(), "XF-1003");
    EXPECT_EQ(leaves_with({"\"submit\"", "XF-1003", "m-0001"}), 1);
}

TEST_F(GatewayEndpointTest, StopsACertificateThatExpiresOnAnOpenConnection) {
    appoint();
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"submitter"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    clock_->advance(std::chrono::hours(25));
    EXPECT_EQ(gateway.ask(submission(handle)).problem().code(), "XF-1002");
}

TEST_F(GatewayEndpointTest, BoundsWhatAnAccountReadsInAnHour) {
    config_.vault.readings_per_account_hour = 2;
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"submitter"}));
    const std::string other = connect(enrol_machine("m-0002", kUnit, {"submitter"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    const auto read = [&](const std::string& by) {
        GatewayRequest request = from(by);
        request.mutable_get_original()->set_id(std::string(32, '0'));
        return gateway.ask(request).problem();
    };
    EXPECT_EQ(read(handle).code(), "XF-2005");
    EXPECT_EQ(read(handle).code(), "XF-2005");
    EXPECT_EQ(read(handle).code(), "XF-2008");
    EXPECT_EQ(read(handle).retry_after_seconds(), 1800U);
    EXPECT_EQ(read(other).code(), "XF-2005") << "another account's";
    clock_->advance(std::chrono::minutes(30));
    EXPECT_EQ(read(handle).code(), "XF-2005");
    EXPECT_EQ(leaves_with({"\"read_original\"", "XF-2008", "m-0001"}), 1);
}

TEST_F(GatewayEndpointTest, BoundsWhatAnAccountPutsOnTheLogInAMinute) {
    config_.vault.acts_per_account_minute = 2;
    appoint();
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"submitter"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    EXPECT_TRUE(gateway.ask(submission(handle)).has_outcome());
    EXPECT_TRUE(gateway.ask(submission(handle)).has_outcome());
    EXPECT_EQ(gateway.ask(submission(handle)).problem().code(), "XF-2009");
    GatewayRequest checkpoint = from(handle);
    checkpoint.mutable_read_checkpoint();
    EXPECT_TRUE(gateway.ask(checkpoint).has_text()) << "one leaf for each connection anyway";
    clock_->advance(std::chrono::seconds(30));
    EXPECT_TRUE(gateway.ask(submission(handle)).has_outcome());
}

TEST_F(GatewayEndpointTest, DeniesWhatNoRoleGrantsAndCountsRepeats) {
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"log_reader"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(gateway.ask(submission(handle)).problem().code(), "XF-2001");
    }
    EXPECT_EQ(leaves_with({"\"submit\"", "XF-2001"}), 1) << "three were only counted";

    clock_->advance(std::chrono::seconds(61));
    on_loop([this]() -> asio::awaitable<void> {
        auto flushing = counted_.flush(*context_);
        EXPECT_TRUE((co_await std::move(flushing)).has_value());
    });
    EXPECT_EQ(leaves_with({"\"submit\"", "XF-2001", "\"count\":3"}), 1);
}

TEST_F(GatewayEndpointTest, GivesARoleNothingOnAnAccountOfAnotherKind) {
    // "auditor" is a role of persons; a machine that was given it by mistake reads no entries.
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"auditor"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request = from(handle);
    request.mutable_read_entries()->set_width(1);
    EXPECT_EQ(gateway.ask(request).problem().code(), "XF-2001");
}

TEST_F(GatewayEndpointTest, PersonsNeedASessionForEverythingElse) {
    const std::string handle = connect(enrol_person("p-0003", "210000000003", {"viewer"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request = from(handle);
    request.mutable_list_catalogs();
    EXPECT_EQ(gateway.ask(request).problem().code(), "XF-1006");

    GatewayRequest login = from(handle);
    login.mutable_open_session()->set_password("Correct-horse 17 rails");
    const std::string token = gateway.ask(login).session().token();
    ASSERT_FALSE(token.empty());
    request.set_token(token);
    EXPECT_TRUE(gateway.ask(request).has_catalog_names());
}

TEST_F(GatewayEndpointTest, RefusesAPersonWhoseRolesExcludeEachOther) {
    const std::string handle = connect(enrol_person("p-0003", "210000000003", {"auditor", "system_administrator"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest login = from(handle);
    login.mutable_open_session()->set_password("Correct-horse 17 rails");
    EXPECT_EQ(gateway.ask(login).problem().code(), "XF-2010");
}

TEST_F(GatewayEndpointTest, ADisconnectedHandleIsDead) {
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"log_reader"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest gone = from(handle);
    gone.mutable_disconnected();
    ASSERT_TRUE(gateway.send(gone));
    GatewayRequest request = from(handle);
    request.mutable_read_checkpoint();
    EXPECT_EQ(gateway.ask(request).problem().code(), "XF-1015");
}

TEST_F(GatewayEndpointTest, AnotherUnitsSubmissionAnswersLikeOneThatDoesNotExist) {
    const auto own = add_submission(kUnit);
    const auto others = add_submission(kOtherUnit);
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"submitter"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    const auto ask = [&](const std::string& id) {
        GatewayRequest request = from(handle);
        request.mutable_get_submission()->set_id(id);
        GatewayReply reply = gateway.ask(request);
        reply.clear_id();
        return reply;
    };

    EXPECT_EQ(ask(storage::to_text(own)).submission().state(), "accepted");
    const GatewayReply foreign = ask(storage::to_text(others));
    const GatewayReply unknown = ask(std::string(32, '0'));
    EXPECT_EQ(foreign.problem().code(), "XF-2005");
    EXPECT_EQ(foreign.SerializeAsString(), unknown.SerializeAsString());
    EXPECT_EQ(leaves_with({"read_submission", storage::to_text(own), "done"}), 1);
    EXPECT_EQ(leaves_with({"read_submission", "XF-2005"}), 1);
}

TEST_F(GatewayEndpointTest, ReadingTheLogIsOneLeafForEachConnectionAndKind) {
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"log_reader"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest checkpoint = from(handle);
    checkpoint.mutable_read_checkpoint();
    GatewayRequest entries = from(handle);
    entries.mutable_read_entries()->set_width(1);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(gateway.ask(checkpoint).text().part().substr(0, 9), "city/log\n");
        EXPECT_TRUE(gateway.ask(entries).has_text());
    }
    EXPECT_EQ(leaves_with({"read_log", "checkpoint"}), 1);
    EXPECT_EQ(leaves_with({"read_log", "entries"}), 1);
    EXPECT_EQ(ledger_->head().tree_size, 2U);

    const std::string again = connect(enrol_machine("m-0002", kUnit, {"log_reader"}));
    checkpoint.set_handle(again);
    EXPECT_TRUE(gateway.ask(checkpoint).has_text());
    EXPECT_EQ(leaves_with({"read_log", "checkpoint"}), 2);
}

TEST_F(GatewayEndpointTest, ServesNoTileThatTheTreeDoesNotHave) {
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"log_reader"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request = from(handle);
    request.mutable_read_tile()->set_width(200);
    EXPECT_EQ(gateway.ask(request).problem().code(), "XF-1119");
    request.mutable_read_tile()->set_level(64);
    EXPECT_EQ(gateway.ask(request).problem().code(), "XF-1119");
    request.mutable_read_tile()->set_level(0);
    request.mutable_read_tile()->set_width(1);
    EXPECT_EQ(gateway.ask(request).text().part().size(), 32U);
}

TEST_F(GatewayEndpointTest, AReceiptVerifiesAgainstTheLogKeyAlone) {
    const std::string handle = connect(enrol_machine("m-0001", kUnit, {"submitter"}));
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest checkpoint = from(handle);
    checkpoint.mutable_read_checkpoint();
    ASSERT_TRUE(gateway.ask(checkpoint).has_text());  // so that there is a leaf 0
    const auto id = add_submission(kUnit);
    GatewayRequest request = from(handle);
    request.mutable_get_receipt()->set_id(storage::to_text(id));

    const std::string text = gateway.ask(request).text().part();

    const auto proof = must(crypto::parse_tlog_proof(text));
    const auto verifier = must(crypto::NoteVerifier::parse(log_key_));
    EXPECT_TRUE(crypto::verify_tlog_proof(proof, {&verifier}).has_value());
    EXPECT_EQ(as_text(proof.extra), entries().at(0));
}

TEST_F(GatewayEndpointTest, CountsFailuresBeforeAPrincipalIsKnown) {
    GatewayDouble gateway(*context_, handles_, revocations_, sessions_);
    GatewayRequest request;
    request.mutable_count_refusals()->set_code("XF-1113");
    request.mutable_count_refusals()->set_count(17);
    request.mutable_count_refusals()->mutable_source()->set_address(std::string("\xC0\x00\x02\x08", 4));
    ASSERT_TRUE(gateway.send(request));
    EXPECT_TRUE(soon([&] { return leaves_with({"refuse_connection", "XF-1113", "\"count\":17", "192.0.2.8"}) == 1; }));
}

}  // namespace
}  // namespace xinfu::vault::test
