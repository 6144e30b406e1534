// Persons have two factors: their certificate and a password.
#include "tests/unit/vault/fixture.hpp"

namespace xinfu::vault::test {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;

class SessionsTest : public VaultTest {
protected:
    void SetUp() override {
        person_.emplace(enrol_person("p-0001", "210000000001", {"viewer"}));
        handshakes_.emplace(HandshakePeer::gateway, *context_, handles_, revocations_);
        gateway_.emplace(*context_, handles_, revocations_, sessions_);
        handle_ = handshakes_->prove(1, *person_).proven().handle();
    }
    GatewayReply log_in(const std::string& password, const std::string& next = {}) {
        GatewayRequest request;
        request.set_handle(handle_);
        request.mutable_open_session()->set_password(password);
        request.mutable_open_session()->set_new_password(next);
        return gateway_->ask(request);
    }
    std::string use(const std::string& handle, const std::string& token) {
        GatewayRequest request;
        request.set_handle(handle);
        request.set_token(token);
        request.mutable_list_catalogs();
        return gateway_->ask(request).problem().code();
    }

    std::optional<Holder> person_;
    std::optional<HandshakePeerDouble> handshakes_;
    std::optional<GatewayDouble> gateway_;
    std::string handle_;
};

TEST_F(SessionsTest, TheFirstLoginSetsThePassword) {
    EXPECT_TRUE(log_in("correct horse").has_session());
    EXPECT_EQ(leaves_with({"set_password", "p-0001"}), 1);
    EXPECT_EQ(log_in("another horse").problem().code(), "XF-1007");
    EXPECT_TRUE(log_in("correct horse").has_session());
    EXPECT_EQ(leaves_with({"open_session", "accepted"}), 2);
    EXPECT_EQ(leaves_with({"open_session", "XF-1007"}), 1);
}

TEST_F(SessionsTest, RefusesAPasswordThatIsTooShort) {
    EXPECT_EQ(log_in("short").problem().code(), "XF-1010");
    EXPECT_EQ(log_in("aaaaaaaaaaaaaaa").problem().code(), "XF-1010");
    EXPECT_TRUE(log_in("密码密码密码密码").has_session()) << "eight characters, whatever their bytes";
}

TEST_F(SessionsTest, LocksAfterFiveWrongPasswordsForHalfAnHour) {
    ASSERT_TRUE(log_in("correct horse").has_session());
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(log_in("wrong horse " + std::to_string(i)).problem().code(), "XF-1007");
    }
    const GatewayReply locked = log_in("correct horse");
    EXPECT_EQ(locked.problem().code(), "XF-1009");
    EXPECT_GT(locked.problem().retry_after_seconds(), 1700U);
    clock_->advance(std::chrono::minutes(31));
    EXPECT_TRUE(log_in("correct horse").has_session());
}

TEST_F(SessionsTest, ATokenIsWorthNothingWithAnotherCertificate) {
    const std::string token = log_in("correct horse").session().token();
    const Holder other = enrol_person("p-0002", "210000000002", {"viewer"});
    const std::string others_handle = handshakes_->prove(2, other).proven().handle();
    EXPECT_EQ(use(others_handle, token), "XF-1016");
    EXPECT_EQ(use(handle_, token), "");
    EXPECT_EQ(use(handle_, token + "0"), "XF-1006");
}

TEST_F(SessionsTest, EndsAfterHalfAnHourWithoutUse) {
    const std::string token = log_in("correct horse").session().token();
    clock_->advance(std::chrono::minutes(29));
    EXPECT_EQ(use(handle_, token), "");
    clock_->advance(std::chrono::minutes(29));
    EXPECT_EQ(use(handle_, token), "") << "use begins the time anew";
    clock_->advance(std::chrono::minutes(31));
    EXPECT_EQ(use(handle_, token), "XF-1006");
}

TEST_F(SessionsTest, EndsWhenItIsClosed) {
    const std::string token = log_in("correct horse").session().token();
    GatewayRequest request;
    request.set_handle(handle_);
    request.set_token(token);
    request.mutable_close_session();
    EXPECT_TRUE(gateway_->ask(request).has_done());
    EXPECT_EQ(use(handle_, token), "XF-1006");
}

TEST_F(SessionsTest, ANewPasswordNeedsTheOldOneAndEndsOtherSessions) {
    const std::string token = log_in("correct horse").session().token();
    EXPECT_EQ(log_in("wrong horse", "battery staple").problem().code(), "XF-1007");
    EXPECT_TRUE(log_in("correct horse", "battery staple").has_session());
    EXPECT_EQ(use(handle_, token), "XF-1006");
    EXPECT_EQ(log_in("correct horse").problem().code(), "XF-1007");
    EXPECT_TRUE(log_in("battery staple").has_session());
}

TEST_F(SessionsTest, MachinesDoNotLogIn) {
    const Holder machine_holder = enrol_machine("m-0001", kUnit, {"submitter"});
    handle_ = handshakes_->prove(3, machine_holder).proven().handle();
    EXPECT_EQ(log_in("correct horse").problem().code(), "XF-1014");
}

}  // namespace
}  // namespace xinfu::vault::test
