// How connections come about: over a control socket as under xinfud, and over paths as under systemd.
#include "daemon/boundary/endpoints.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "daemon/boundary/supervisor.pb.h"
#include "tests/unit/boundary/loop.hpp"

namespace xinfu::boundary {
namespace {

namespace fs = std::filesystem;

TEST(Acceptor, TakesWhatTheSupervisorHandsOver) {
    asio::io_context io;
    auto control = make_packet_pair();
    auto acceptor = Acceptor::from_supervisor(io.get_executor(), std::move(control->first), 4711);
    auto pair = make_packet_pair();
    ASSERT_TRUE(send_packet(control->second.get(), std::string(1, kHandsConnection), pair->first.get(), 0));
    const auto accept = [&]() -> asio::awaitable<void> {
        auto accepting = acceptor.accept();
        const auto connection = co_await std::move(accepting);
        EXPECT_TRUE(connection.has_value());
        EXPECT_EQ(connection->rules.uid, uid_t{4711});
        EXPECT_TRUE(connection->rules.may_pass_descriptors);
    };
    test::run(io, accept());
}

TEST(Acceptor, PassesANewConfigurationOn) {
    asio::io_context io;
    auto control = make_packet_pair();
    auto acceptor = Acceptor::from_supervisor(io.get_executor(), std::move(control->first), 0);
    int reloads = 0;
    acceptor.on_reload([&](Descriptor configuration) { reloads += configuration ? 1 : 0; });
    ASSERT_TRUE(send_packet(control->second.get(), std::string(1, kHandsConfiguration), STDIN_FILENO, 0));
    ASSERT_TRUE(send_packet(control->second.get(), std::string(1, kHandsConnection), STDIN_FILENO, 0));
    const auto accept = [&]() -> asio::awaitable<void> {
        auto accepting = acceptor.accept();
        const auto connection = co_await std::move(accepting);
        EXPECT_TRUE(connection.has_value());
    };
    test::run(io, accept());
    EXPECT_EQ(reloads, 1);
}

TEST(Acceptor, EndsWithTheSupervisor) {
    asio::io_context io;
    auto control = make_packet_pair();
    auto acceptor = Acceptor::from_supervisor(io.get_executor(), std::move(control->first), 0);
    control->second.reset();
    const auto accept = [&]() -> asio::awaitable<void> {
        auto accepting = acceptor.accept();
        const auto connection = co_await std::move(accepting);
        EXPECT_EQ(connection.error(), Errc::closed);
    };
    test::run(io, accept());
}

class Paths : public testing::Test {
protected:
    void SetUp() override {
        char folder[] = "/tmp/xinfu-endpoints-XXXXXX";
        folder_ = ::mkdtemp(folder);
    }
    void TearDown() override { fs::remove_all(folder_); }

    Descriptor listen_as(const std::string& role) {
        Descriptor listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, (folder_ / (role + ".sock")).c_str());
        EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener.get(), 8), 0);
        return listener;
    }

    fs::path folder_;
};

TEST_F(Paths, MeetWithCredentialsFromTheFirstPacketOn) {
    asio::io_context io;
    auto acceptor = Acceptor::from_listener(io.get_executor(), listen_as("gateway"), ::getuid());
    RoleUids uids;
    uids.gateway = ::getuid();
    auto dialer = Dialer::through_paths(io.get_executor(), folder_.string(), uids);
    const auto meet = [&]() -> asio::awaitable<void> {
        auto dialling = dialer.dial(Role::gateway);
        auto calling = co_await std::move(dialling);
        PacketChannel vault(io.get_executor(), std::move(*calling));
        auto welcoming = vault.send_bytes("welcome");
        const auto welcomed = co_await std::move(welcoming);
        EXPECT_TRUE(welcomed.has_value());
        // Accepted after the packet was sent: the listener itself asked for credentials.
        auto accepting = acceptor.accept();
        auto called = co_await std::move(accepting);
        PacketChannel gateway(io.get_executor(), std::move(*called));
        auto receiving = gateway.receive_bytes();
        const auto packet = co_await std::move(receiving);
        EXPECT_EQ(packet->bytes, "welcome");
        auto answering = gateway.send_bytes("thanks");
        static_cast<void>((co_await std::move(answering)).has_value());
        auto hearing = vault.receive_bytes();
        const auto heard = co_await std::move(hearing);
        EXPECT_EQ(heard->bytes, "thanks");
    };
    test::run(io, meet());
}

TEST_F(Paths, SayThatNobodyIsThereYet) {
    asio::io_context io;
    auto dialer = Dialer::through_paths(io.get_executor(), folder_.string(), {});
    const auto dial = [&]() -> asio::awaitable<void> {
        auto dialling = dialer.dial(Role::courier);
        const auto connection = co_await std::move(dialling);
        EXPECT_EQ(connection.error(), Errc::not_running);
        EXPECT_TRUE(is_retryable(connection.error()));
    };
    test::run(io, dial());
}

// The supervisor's side of a control socket, as daemon/supervisor answers it.
asio::awaitable<void> answer_dials(PacketChannel& supervisor, int count, bool failed) {
    for (int n = 0; n < count; ++n) {
        auto receiving = supervisor.receive<Dial>();
        const auto request = co_await std::move(receiving);
        Dialled answer;
        answer.set_id(request->message.id());
        answer.set_failed(failed);
        answer.set_peer_uid(100 + static_cast<std::uint32_t>(request->message.role()));
        auto pair = make_packet_pair();
        auto sending = supervisor.send(answer, failed ? Descriptor() : std::move(pair->first));
        const auto sent = co_await std::move(sending);
        EXPECT_TRUE(sent.has_value());
    }
}

TEST(Dialer, AsksTheSupervisorForSeveralAtOnce) {
    asio::io_context io;
    auto control = make_packet_pair();
    PacketChannel supervisor(io.get_executor(), test::connection(std::move(control->second)));
    auto dialer = Dialer::through_supervisor(io.get_executor(), std::move(control->first));
    const auto dial = [&](Role role, uid_t uid) -> asio::awaitable<void> {
        auto dialling = dialer.dial(role);
        const auto connection = co_await std::move(dialling);
        EXPECT_TRUE(connection.has_value());
        EXPECT_EQ(connection->rules.uid, uid);
        EXPECT_FALSE(connection->rules.may_pass_descriptors);
    };
    test::run(io, dial(Role::gateway, 100), dial(Role::courier, 101), dial(Role::inspector, 102),
              answer_dials(supervisor, 3, false));
}

TEST(Dialer, SaysThatARoleIsNotRunning) {
    asio::io_context io;
    auto control = make_packet_pair();
    PacketChannel supervisor(io.get_executor(), test::connection(std::move(control->second)));
    auto dialer = Dialer::through_supervisor(io.get_executor(), std::move(control->first));
    const auto dial = [&]() -> asio::awaitable<void> {
        auto dialling = dialer.dial(Role::gateway);
        const auto connection = co_await std::move(dialling);
        EXPECT_EQ(connection.error(), Errc::not_running);
    };
    test::run(io, dial(), answer_dials(supervisor, 1, true));
}

}  // namespace
}  // namespace xinfu::boundary
