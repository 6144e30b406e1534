// Persons have two factors: their certificate and a password. ACC-01, ACC-04, ACC-05, ACC-06.
#include <map>
#include <optional>

#include "tests/unit/vault/fixture.hpp"

namespace xinfu::vault::test {
namespace {

using boundary::GatewayReply;
using boundary::GatewayRequest;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

const std::string kGood = "Correct-horse 17 rails";
const std::string kOther = "River.7.lamp.Stone";

class SessionsTest : public VaultTest {
protected:
    void SetUp() override {
        set_rules([](policies::PasswordRules&) {});
        handshakes_.emplace(HandshakePeer::gateway, *context_, handles_, revocations_);
        gateway_.emplace(*context_, handles_, revocations_, sessions_);
        handle_ = connect("p-0001", "210000000001", {"viewer"});
    }

    // The shipped rules with a change; who is a system administrator is under the stricter one.
    void set_rules(const std::function<void(policies::PasswordRules&)>& change) {
        auto set = default_policies();
        for (auto& role : set->access.roles) {
            role.administrator = role.name == "system_administrator";
        }
        policies::PasswordRules rules;
        rules.persons = {10, 3, 36, 5, 90, 5, 30, 30, 12};
        change(rules);
        set->access.passwords = rules;
        policies_.replace(set);
    }
    // A person whose certificate outlasts what these tests wait for.
    std::string connect(std::string id, std::string number, std::vector<std::string> roles) {
        crypto::DistinguishedName subject;
        subject.common_name = "somebody";
        subject.serial_number = number;
        holders_.push_back(issue(subject, days(4000)));
        storage::Account account = machine(std::move(id), kUnit, std::move(roles));
        account.kind = storage::AccountKind::person;
        account.person = std::move(number);
        account.name = "张示例";
        account.phone = "0431-5550142";
        enrol(account, holders_.back());
        return prove(holders_.size() - 1);
    }
    // The same person on another connection, which may come from elsewhere.
    std::string prove(std::size_t person, const std::string& address = {}) {
        handshakes_->address = address;
        const auto connection = ++connections_;
        std::string transcript = std::to_string(connection);
        transcript.resize(32, '.');
        return handshakes_->prove(connection, holders_[person], transcript).proven().handle();
    }

    GatewayReply log_in(const std::string& handle, const std::string& password, const std::string& next) {
        GatewayRequest request;
        request.set_handle(handle);
        request.mutable_open_session()->set_password(password);
        request.mutable_open_session()->set_new_password(next);
        return gateway_->ask(request);
    }
    GatewayReply log_in(const std::string& password, const std::string& next = {}) {
        return log_in(handle_, password, next);
    }
    std::string code_of(const std::string& password, const std::string& next = {}) {
        return log_in(password, next).problem().code();
    }
    std::string use(const std::string& handle, const std::string& token) {
        GatewayRequest request;
        request.set_handle(handle);
        request.set_token(token);
        request.mutable_list_catalogs();
        return gateway_->ask(request).problem().code();
    }
    void set_back(std::chrono::milliseconds time) {
        clock_->advance(-time);
        EXPECT_EQ(code_of(kGood), "XF-2009") << "the budget of acts is spent for a minute then";
        clock_->advance(minutes(2));
    }
    storage::Person person(std::string number) {
        const auto snapshot = must(ledger_->engine().snapshot());
        return *must(storage::find_person(*snapshot, keys_->index(), number));
    }

    std::vector<Holder> holders_;
    std::uint64_t connections_ = 0;
    std::optional<HandshakePeerDouble> handshakes_;
    std::optional<GatewayDouble> gateway_;
    std::string handle_;
};

TEST_F(SessionsTest, TheFirstLoginSetsThePassword) {
    EXPECT_TRUE(log_in(kGood).has_session());
    EXPECT_EQ(leaves_with({"set_password", "p-0001"}), 1);
    EXPECT_EQ(code_of(kOther), "XF-1007");
    EXPECT_TRUE(log_in(kGood).has_session());
    EXPECT_EQ(leaves_with({"open_session", "accepted"}), 2);
    EXPECT_EQ(leaves_with({"open_session", "XF-1007"}), 1);
}

TEST_F(SessionsTest, AFirstPasswordThatIsTooWeakIsRefusedAndMayBeTriedAgain) {
    EXPECT_EQ(code_of(""), "XF-1008");
    EXPECT_EQ(code_of("short"), "XF-1010");
    EXPECT_EQ(code_of("correct horse battery"), "XF-1023");
    EXPECT_EQ(code_of("Password123!"), "XF-1024");
    EXPECT_EQ(code_of("张示例-0431-5550142a"), "XF-1024") << "name and phone";
    EXPECT_EQ(person("210000000001").password_hash, "");
    EXPECT_EQ(leaves_with({"set_password"}), 0);
    EXPECT_TRUE(log_in("密码锁 Lamp 47 stone").has_session());
}

TEST_F(SessionsTest, ATooWeakNewPasswordLeavesTheOldOne) {
    ASSERT_TRUE(log_in(kGood).has_session());
    EXPECT_EQ(code_of(kGood, "Aa1!"), "XF-1010");
    EXPECT_EQ(code_of(kGood, "Welcome2026!"), "XF-1024");
    EXPECT_EQ(code_of("Wrong-horse 17 rails", "Aa1!"), "XF-1007")
        << "nothing is told to whoever does not know the old one";
    EXPECT_TRUE(log_in(kGood).has_session());
}

TEST_F(SessionsTest, AnAdministratorsPasswordIsUnderTheStricterRule) {
    const std::string ten = "vT9#kQmZ2x";
    EXPECT_EQ(code_of(ten), "");
    const std::string administrator = connect("p-0002", "210000000002", {"system_administrator"});
    EXPECT_EQ(log_in(administrator, ten, {}).problem().code(), "XF-1010");
    EXPECT_TRUE(log_in(administrator, kGood, {}).has_session());
}

TEST_F(SessionsTest, NoneOfTheLastPasswordsIsTakenAgain) {
    set_rules([](auto& rules) { rules.persons.history = 3; });
    const std::string passwords[] = {"Quill-41 Harbor tin", "Mosaic.92.fern.Tug", "Walnut=58=Kite=dusk",
                                     "Cobalt;63;Raft;nine"};
    ASSERT_TRUE(log_in(passwords[0]).has_session());
    EXPECT_EQ(code_of(passwords[0], passwords[0]), "XF-1025") << "the present one";
    ASSERT_TRUE(log_in(passwords[0], passwords[1]).has_session());
    ASSERT_TRUE(log_in(passwords[1], passwords[2]).has_session());
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(code_of(passwords[2], passwords[i]), "XF-1025") << i;
    }
    EXPECT_TRUE(log_in(passwords[2]).has_session()) << "unchanged";
    ASSERT_TRUE(log_in(passwords[2], passwords[3]).has_session());
    EXPECT_EQ(person("210000000001").former_hashes.size(), 2U) << "no more is kept than is compared with";
    EXPECT_TRUE(log_in(passwords[3], passwords[0]).has_session()) << "three others were between";
}

TEST_F(SessionsTest, LocksAfterFiveWrongPasswordsForHalfAnHour) {
    ASSERT_TRUE(log_in(kGood).has_session());
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(code_of("wrong horse " + std::to_string(i)), "XF-1007");
    }
    const GatewayReply locked = log_in(kGood);
    EXPECT_EQ(locked.problem().code(), "XF-1009");
    EXPECT_GT(locked.problem().retry_after_seconds(), 1700U);
    clock_->advance(minutes(31));
    EXPECT_TRUE(log_in(kGood).has_session());
}

TEST_F(SessionsTest, TheLockFollowsTheRuleInForce) {
    set_rules([](auto& rules) {
        rules.persons.failures_max = 2;
        rules.persons.locked_minutes = 60;
    });
    const std::string token = log_in(kGood).session().token();
    EXPECT_EQ(code_of("wrong"), "XF-1007");
    EXPECT_EQ(use(handle_, token), "");
    EXPECT_EQ(code_of("wrong"), "XF-1007");
    EXPECT_EQ(use(handle_, token), "XF-1006") << "the lock ends what was open";
    clock_->advance(minutes(45));
    EXPECT_EQ(code_of(kGood), "XF-1009");
    set_rules([](auto&) {});
    EXPECT_TRUE(log_in(kGood).has_session()) << "half an hour is over";
}

TEST_F(SessionsTest, AClockThatWasSetBackLocksNobodyForLonger) {
    ASSERT_TRUE(log_in(kGood).has_session());
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(code_of("wrong"), "XF-1007");
    }
    set_back(hours(40));
    EXPECT_TRUE(log_in(kGood).has_session());
}

TEST_F(SessionsTest, AnExpiredPasswordOpensNothingUntilItIsChanged) {
    ASSERT_TRUE(log_in(kGood).has_session());
    clock_->advance(days(89));
    EXPECT_TRUE(log_in(kGood).has_session());
    clock_->advance(days(1) + hours(1));
    const GatewayReply expired = log_in(kGood);
    EXPECT_EQ(expired.problem().code(), "XF-1021");
    EXPECT_EQ(expired.problem().arguments(0), "90");
    EXPECT_EQ(leaves_with({"open_session", "XF-1021"}), 1);
    EXPECT_EQ(code_of("wrong"), "XF-1007") << "whether it expired is told to its owner only";
    EXPECT_EQ(code_of(kGood, kGood), "XF-1025");
    EXPECT_TRUE(log_in(kGood, kOther).has_session());
    EXPECT_EQ(code_of(kGood), "XF-1007");
    EXPECT_TRUE(log_in(kOther).has_session());
}

TEST_F(SessionsTest, AnExpiredPasswordStaysSoWhenTheClockIsSetBack) {
    ASSERT_TRUE(log_in(kGood).has_session());
    clock_->advance(days(91));
    EXPECT_EQ(code_of(kGood), "XF-1021");
    set_back(days(91));
    EXPECT_EQ(code_of(kGood), "XF-1021");
    EXPECT_TRUE(log_in(kGood, kOther).has_session());
}

TEST_F(SessionsTest, RotationFollowsTheRuleOfThePersonsRoles) {
    ASSERT_TRUE(log_in(kGood).has_session());
    const std::string administrator = connect("p-0002", "210000000002", {"system_administrator"});
    ASSERT_TRUE(log_in(administrator, kOther, {}).has_session());
    clock_->advance(days(61));
    EXPECT_TRUE(log_in(kGood).has_session());
    EXPECT_EQ(log_in(administrator, kOther, {}).problem().code(), "XF-1021");
}

TEST_F(SessionsTest, WarnsInTheLastFourteenDays) {
    const GatewayReply fresh = log_in(kGood);
    EXPECT_FALSE(fresh.session().has_password_days_left());
    EXPECT_FALSE(fresh.session().password_change_needed());
    clock_->advance(days(75));
    EXPECT_FALSE(log_in(kGood).session().has_password_days_left());
    clock_->advance(days(2));
    const GatewayReply warned = log_in(kGood);
    EXPECT_TRUE(warned.session().password_change_needed());
    EXPECT_EQ(warned.session().password_days_left(), 13U);
    EXPECT_FALSE(log_in(kGood, kOther).session().has_password_days_left());
}

TEST_F(SessionsTest, AnExpiredPasswordConfirmsNothing) {
    ASSERT_TRUE(log_in(kGood).has_session());
    const auto confirm = [this] {
        Caller caller;
        caller.principal.account = "p-0001";
        caller.principal.kind = storage::AccountKind::person;
        caller.principal.person = "210000000001";
        caller.principal.roles = {"viewer"};
        caller.source = "192.0.2.7";
        std::string code;
        on_loop([this, caller, &code]() -> asio::awaitable<void> {
            auto confirming = sessions_.confirm(*context_, caller, kGood);
            const auto confirmed = co_await std::move(confirming);
            code = confirmed.problem ? confirmed.problem->code() : "";
        });
        return code;
    };
    EXPECT_EQ(confirm(), "");
    clock_->advance(days(91));
    EXPECT_EQ(confirm(), "XF-1021");
}

TEST_F(SessionsTest, ATokenIsWorthNothingWithAnotherCertificate) {
    const std::string token = log_in(kGood).session().token();
    const std::string others_handle = connect("p-0002", "210000000002", {"viewer"});
    EXPECT_EQ(use(others_handle, token), "XF-1016");
    EXPECT_EQ(use(handle_, token), "");
    EXPECT_EQ(use(handle_, token + "0"), "XF-1006");
}

TEST_F(SessionsTest, EndsAfterHalfAnHourWithoutUse) {
    const std::string token = log_in(kGood).session().token();
    clock_->advance(minutes(29));
    EXPECT_EQ(use(handle_, token), "");
    clock_->advance(minutes(29));
    EXPECT_EQ(use(handle_, token), "") << "use begins the time anew";
    clock_->advance(minutes(31));
    EXPECT_EQ(use(handle_, token), "XF-1006");
}

TEST_F(SessionsTest, AnAdministratorsEndsSooner) {
    const std::string administrator = connect("p-0002", "210000000002", {"system_administrator", "viewer"});
    const std::string strict = log_in(administrator, kOther, {}).session().token();
    const std::string token = log_in(kGood).session().token();
    clock_->advance(minutes(16));
    EXPECT_EQ(use(administrator, strict), "XF-1006");
    EXPECT_EQ(use(handle_, token), "");

    const std::string again = log_in(administrator, kOther, {}).session().token();
    for (int i = 0; i < 40; ++i) {
        clock_->advance(minutes(12));
        EXPECT_EQ(use(administrator, again), "");
    }
    clock_->advance(minutes(12));
    EXPECT_EQ(use(administrator, again), "XF-1006") << "eight hours, however busy";
}

TEST_F(SessionsTest, AnOpenSessionIsUnderTheRuleThatComesIntoForce) {
    const std::string token = log_in(kGood).session().token();
    clock_->advance(minutes(12));
    set_rules([](auto& rules) { rules.persons.idle_minutes = 10; });
    EXPECT_EQ(use(handle_, token), "XF-1006");

    const std::string other = log_in(kGood).session().token();
    clock_->advance(minutes(11));
    on_loop([this]() -> asio::awaitable<void> {
        sessions_.sweep(*context_);
        co_return;
    });
    EXPECT_EQ(sessions_.size(), 0U);
    EXPECT_EQ(use(handle_, other), "XF-1006");
}

TEST_F(SessionsTest, EndsWhenItIsClosed) {
    const std::string token = log_in(kGood).session().token();
    GatewayRequest request;
    request.set_handle(handle_);
    request.set_token(token);
    request.mutable_close_session();
    EXPECT_TRUE(gateway_->ask(request).has_done());
    EXPECT_EQ(use(handle_, token), "XF-1006");
}

TEST_F(SessionsTest, ANewPasswordNeedsTheOldOneAndEndsOtherSessions) {
    const std::string token = log_in(kGood).session().token();
    EXPECT_EQ(code_of("Wrong-horse 17 rails", kOther), "XF-1007");
    EXPECT_TRUE(log_in(kGood, kOther).has_session());
    EXPECT_EQ(use(handle_, token), "XF-1006");
    EXPECT_EQ(code_of(kGood), "XF-1007");
    EXPECT_TRUE(log_in(kOther).has_session());
}

TEST_F(SessionsTest, MachinesDoNotLogIn) {
    const Holder machine_holder = enrol_machine("m-0001", kUnit, {"submitter"});
    handle_ = handshakes_->prove(++connections_, machine_holder).proven().handle();
    EXPECT_EQ(code_of(kGood), "XF-1014");
}

TEST_F(SessionsTest, KeepsWhenSomebodyLastLoggedIn) {
    EXPECT_EQ(person("210000000001").last_login_ms, 0);
    ASSERT_TRUE(log_in(kGood).has_session());
    const auto first = person("210000000001");
    EXPECT_GT(first.last_login_ms, 0);
    EXPECT_EQ(first.last_source, "192.0.2.7");
    clock_->advance(hours(1));
    EXPECT_EQ(code_of("wrong"), "XF-1007");
    EXPECT_EQ(person("210000000001").last_login_ms, first.last_login_ms);
    ASSERT_TRUE(log_in(kGood).has_session());
    EXPECT_EQ(person("210000000001").last_login_ms, first.last_login_ms + 3600'000);
}

// ---- spraying ----

const std::string kElsewhere = "\xC6\x33\x64\x02";  // 198.51.100.2

class SprayingTest : public SessionsTest {
protected:
    void SetUp() override {
        SessionsTest::SetUp();
        people_.push_back(handle_);
        for (int i = 2; i <= 7; ++i) {
            people_.push_back(connect("p-000" + std::to_string(i), "21000000000" + std::to_string(i), {"viewer"}));
        }
        people_.push_back(connect("p-0008", "210000000008", {"system_administrator"}));
        for (const auto& handle : people_) {
            ASSERT_TRUE(log_in(handle, kGood, {}).has_session());
        }
    }
    std::string try_one(std::size_t person, const std::string& password) {
        return log_in(people_[person], password, {}).problem().code();
    }
    std::vector<std::string> people_;
};

TEST_F(SprayingTest, IsRefusedAfterFourAccountsAndToldOnce) {
    const std::string token = log_in(people_[5], kGood, {}).session().token();
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(try_one(i, "Summer-2026-sun"), "XF-1007");
    }
    const GatewayReply fifth = log_in(people_[4], "Summer-2026-sun", {});
    EXPECT_EQ(fifth.problem().code(), "XF-1022");
    EXPECT_GT(fifth.problem().retry_after_seconds(), 590U);
    EXPECT_LE(fifth.problem().retry_after_seconds(), 600U);
    EXPECT_EQ(try_one(4, kGood), "XF-1022") << "a right one too: an answer that differs would tell that it is right";
    EXPECT_EQ(person("210000000005").failures, 0U) << "not looked at";
    EXPECT_EQ(use(people_[5], token), "") << "what is open goes on";
    EXPECT_EQ(leaves_with({"password_spraying", "XF-1022", "192.0.2.7", "4 accounts, 4 wrong passwords"}), 1);
    EXPECT_EQ(log_in(prove(4, kElsewhere), kGood, {}).problem().code(), "") << "from elsewhere";

    clock_->advance(minutes(9));
    EXPECT_EQ(try_one(4, kGood), "XF-1022");
    clock_->advance(minutes(1));
    EXPECT_EQ(try_one(4, kGood), "") << "tries meanwhile do not make it longer";
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(try_one(i, "Autumn-2026-sun"), i < 4 ? "XF-1007" : "XF-1022");
    }
    EXPECT_EQ(leaves_with({"\"action\":\"password_spraying\""}), 2) << "and once more the next time";
}

TEST_F(SprayingTest, SlipsThatArePutRightAreNone) {
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(try_one(i, "Correct-horse 17 rials"), "XF-1007");
        EXPECT_EQ(try_one(i, kGood), "");
    }
    EXPECT_EQ(leaves_with({"password_spraying"}), 0);
}

TEST_F(SprayingTest, SlowTriesAreForTheLockOfEachAccount) {
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(try_one(i, "Summer-2026-sun"), "XF-1007");
        clock_->advance(minutes(6));
    }
    EXPECT_EQ(leaves_with({"password_spraying"}), 0);
}

TEST_F(SprayingTest, AnAdministratorWhoCameFromThereBeforeHasOneTry) {
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(try_one(i, "Summer-2026-sun"), "XF-1007");
    }
    EXPECT_EQ(try_one(7, kGood), "") << "nobody who fails on purpose keeps all administrators out";
    EXPECT_EQ(try_one(7, "Summer-2026-sun"), "XF-1022") << "but a wrong one is answered as all are,";
    EXPECT_EQ(person("210000000008").failures, 1U) << "and counts";
    EXPECT_EQ(try_one(7, kGood), "XF-1022");
}

TEST_F(SprayingTest, AnAdministratorWhoCameFromElsewhereHasNone) {
    ASSERT_EQ(log_in(prove(7, kElsewhere), kGood, {}).problem().code(), "");
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(try_one(i, "Summer-2026-sun"), "XF-1007");
    }
    EXPECT_EQ(try_one(7, kGood), "XF-1022");
}

// All at once, so that none has failed when the next is looked at.
TEST_F(SprayingTest, TriesAtTheSameTimeLearnNothingMore) {
    for (std::size_t i = 0; i < 7; ++i) {
        GatewayRequest request;
        request.set_handle(people_[i]);
        request.mutable_open_session()->set_password(i == 6 ? kGood : "Summer-2026-sun");
        ASSERT_TRUE(gateway_->send(request));
    }
    std::map<std::string, int> codes;
    for (int i = 0; i < 7; ++i) {
        ++codes[gateway_->receive().problem().code()];
    }
    EXPECT_EQ(codes["XF-1007"], 4);
    EXPECT_EQ(codes["XF-1022"], 3) << "of which one was right";
}

TEST(PasswordSpraying, CountsNetworksAndIsBounded) {
    EXPECT_EQ(PasswordSpraying::network_of("192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(PasswordSpraying::network_of("::ffff:192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(PasswordSpraying::network_of("2001:db8::1:2"), PasswordSpraying::network_of("2001:db8:0:0:ffff::1"));
    EXPECT_NE(PasswordSpraying::network_of("2001:db8::1"), PasswordSpraying::network_of("2001:db8:0:1::1"));

    const storage::Milliseconds now{std::chrono::hours(1'000'000)};
    PasswordSpraying spraying;
    for (std::size_t i = 0; i < 3 * PasswordSpraying::kSourcesMax; ++i) {
        const std::string source = "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256);
        EXPECT_FALSE(spraying.failed(source, "p-0001", now + std::chrono::milliseconds(i)));
    }
    EXPECT_EQ(spraying.size(), PasswordSpraying::kSourcesMax);

    PasswordSpraying one_account;
    for (std::size_t i = 1; i < PasswordSpraying::kFailures; ++i) {
        EXPECT_FALSE(one_account.failed("192.0.2.7", "p-0001", now)) << i;
    }
    const auto alarm = one_account.failed("192.0.2.7", "p-0001", now);
    ASSERT_TRUE(alarm);
    EXPECT_EQ(alarm->failures, PasswordSpraying::kFailures);
    EXPECT_TRUE(one_account.refused("192.0.2.7", now));
    EXPECT_FALSE(one_account.refused("192.0.2.7", now - std::chrono::hours(1))) << "a clock that was set back";
}

}  // namespace
}  // namespace xinfu::vault::test
