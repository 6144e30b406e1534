// Packets over real sockets: what a well-behaved peer gets through, and what every kind of odd peer gets.
#include "daemon/boundary/packet_channel.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/blocking_channel.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "tests/unit/boundary/loop.hpp"

namespace xinfu::boundary {
namespace {

using namespace std::chrono_literals;

DescriptorPair packet_pair() {
    auto pair = make_packet_pair();
    EXPECT_TRUE(pair.has_value());
    return std::move(*pair);
}

// Sends `count` descriptors with one byte, as no channel of ours would.
void send_descriptors(int socket, int count) {
    char byte = 'x';
    iovec span{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &span;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(static_cast<std::size_t>(count) * sizeof(int));
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(static_cast<std::size_t>(count) * sizeof(int));
    for (int n = 0; n < count; ++n) {
        const int fd = STDERR_FILENO;
        std::memcpy(CMSG_DATA(part) + static_cast<std::size_t>(n) * sizeof(int), &fd, sizeof fd);
    }
    ASSERT_EQ(::sendmsg(socket, &header, 0), 1);
}

int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 256; ++fd) {
        count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

// What one receive answers after `act` has used the other end.

boost::system::error_code error_after(const std::function<void(int)>& act, PeerRules rules = {}) {
    asio::io_context io;
    auto pair = packet_pair();
    Connection mine;
    mine.descriptor = std::move(pair.first);
    mine.rules = rules;
    PacketChannel channel(io.get_executor(), std::move(mine));
    act(pair.second.get());
    boost::system::error_code error;
    const auto receive = [&]() -> asio::awaitable<void> {
        auto receiving = channel.receive_bytes();
        const auto packet = co_await std::move(receiving);
        error = packet ? boost::system::error_code() : packet.error();
    };
    test::run(io, receive());
    if (error) {
        EXPECT_FALSE(channel.is_open());
        EXPECT_EQ(channel.why_closed(), error);
    }
    return error;
}

TEST(PacketChannel, BringsAMessageAndItsDescriptor) {
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel vault(io.get_executor(), test::connection(std::move(pair.first)));
    PacketChannel gateway(io.get_executor(), test::connection(std::move(pair.second), true));
    const auto send = [&]() -> asio::awaitable<void> {
        GatewayReply reply;
        reply.set_id(7);
        reply.mutable_opened();
        auto stream = make_stream_pair();
        auto sending = vault.send(reply, std::move(stream->second));
        const auto sent = co_await std::move(sending);
        EXPECT_TRUE(sent.has_value());
        EXPECT_EQ(::write(stream->first.get(), "body", 4), 4);
    };
    const auto receive = [&]() -> asio::awaitable<void> {
        auto receiving = gateway.receive<GatewayReply>();
        auto envelope = co_await std::move(receiving);
        EXPECT_TRUE(envelope.has_value());
        EXPECT_EQ(envelope->message.id(), 7U);
        std::array<char, 4> body{};
        EXPECT_EQ(::read(envelope->descriptor.get(), body.data(), body.size()), 4);
        EXPECT_EQ(std::string_view(body.data(), 4), "body");
        EXPECT_NE(::fcntl(envelope->descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
    };
    test::run(io, receive(), send());
}

TEST(PacketChannel, CarriesTheLargestPacketAndRefusesOneByteMore) {
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel a(io.get_executor(), test::connection(std::move(pair.first)));
    PacketChannel b(io.get_executor(), test::connection(std::move(pair.second)));
    const auto exchange = [&]() -> asio::awaitable<void> {
        auto too_long = a.send_bytes(std::string(kPacketSizeBytesMax + 1, 'x'));
        const auto refused = co_await std::move(too_long);
        EXPECT_EQ(refused.error(), Errc::too_large);
        auto longest = a.send_bytes(std::string(kPacketSizeBytesMax, 'x'));
        const auto sent = co_await std::move(longest);
        EXPECT_TRUE(sent.has_value());
        auto receiving = b.receive_bytes();
        const auto packet = co_await std::move(receiving);
        EXPECT_EQ(packet->bytes.size(), kPacketSizeBytesMax);
    };
    test::run(io, exchange());
}

TEST(PacketChannel, KeepsTheOrderOfSendsFromSeveralCoroutines) {
    constexpr std::uint64_t kSenders = 50;
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel a(io.get_executor(), test::connection(std::move(pair.first)));
    PacketChannel b(io.get_executor(), test::connection(std::move(pair.second)));
    std::uint64_t done = 0;
    for (std::uint64_t id = 1; id <= kSenders; ++id) {
        // 48 KiB each: far more than the socket's buffer takes, so that most of them queue.
        const auto send = [](PacketChannel& channel, std::uint64_t number,
                             std::uint64_t& count) -> asio::awaitable<void> {
            GatewayRequest request;
            request.set_id(number);
            request.mutable_open_submission()->set_body(std::string(kPartSizeBytesMax, 'x'));
            auto sending = channel.send(request);
            const auto sent = co_await std::move(sending);
            EXPECT_TRUE(sent.has_value());
            ++count;
        };
        asio::co_spawn(io, send(a, id, done), test::rethrow);
    }
    const auto receive = [&]() -> asio::awaitable<void> {
        for (std::uint64_t id = 1; id <= kSenders; ++id) {
            auto receiving = b.receive<GatewayRequest>();
            const auto envelope = co_await std::move(receiving);
            EXPECT_EQ(envelope->message.id(), id);
        }
    };
    io.poll();
    EXPECT_LT(done, kSenders);
    test::run(io, receive());
    io.restart();
    io.poll();
    EXPECT_EQ(done, kSenders);
}

TEST(PacketChannel, EndsWaitingOperationsWhenClosed) {
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel channel(io.get_executor(), test::connection(std::move(pair.first)));
    const auto receive = [&]() -> asio::awaitable<void> {
        auto receiving = channel.receive_bytes();
        const auto packet = co_await std::move(receiving);
        EXPECT_EQ(packet.error(), Errc::unexpected);
    };
    const auto close = [&]() -> asio::awaitable<void> {
        channel.close(Errc::unexpected);
        co_return;
    };
    test::run(io, receive(), close());
}

TEST(PacketChannel, SurvivesACancelledReceive) {
    using namespace asio::experimental::awaitable_operators;
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel channel(io.get_executor(), test::connection(std::move(pair.first)));
    const auto exchange = [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(io, 10ms);
        auto either = channel.receive_bytes() || timer.async_wait(asio::use_awaitable);
        const auto first = co_await std::move(either);
        EXPECT_EQ(first.index(), 1U);
        EXPECT_TRUE(channel.is_open());
        EXPECT_TRUE(send_packet(pair.second.get(), "late", -1, 0).has_value());
        auto receiving = channel.receive_bytes();
        const auto packet = co_await std::move(receiving);
        EXPECT_EQ(packet->bytes, "late");
    };
    test::run(io, exchange());
}

TEST(PacketChannel, IsDestroyedWhileACoroutineWaits) {
    asio::io_context io;
    auto pair = packet_pair();
    auto channel = std::make_unique<PacketChannel>(io.get_executor(), test::connection(std::move(pair.first)));
    const auto receive = [&]() -> asio::awaitable<void> {
        auto receiving = channel->receive<GatewayReply>();
        const auto envelope = co_await std::move(receiving);
        EXPECT_EQ(envelope.error(), Errc::closed);
    };
    const auto destroy = [&]() -> asio::awaitable<void> {
        channel.reset();
        co_return;
    };
    test::run(io, receive(), destroy());
}

TEST(PacketChannel, ClosesAnOrderlyPeerQuietly) {
    EXPECT_EQ(error_after([](int fd) { ::shutdown(fd, SHUT_RDWR); }), Errc::closed);
}

TEST(PacketChannel, ClosesAPeerThatSendsAnEmptyPacket) {
    EXPECT_EQ(error_after([](int fd) { ::send(fd, "", 0, 0); }), Errc::closed);
}

TEST(PacketChannel, ClosesAPeerThatSendsTooMuch) {
    EXPECT_EQ(error_after([](int fd) {
                  const std::string big(kPacketSizeBytesMax + 1, 'x');
                  ASSERT_EQ(::send(fd, big.data(), big.size(), 0), static_cast<ssize_t>(big.size()));
              }),
              Errc::truncated);
}

TEST(PacketChannel, ClosesAPeerThatPassesADescriptorUnasked) {
    const int before = open_descriptors();
    EXPECT_EQ(error_after([](int fd) { send_descriptors(fd, 1); }), Errc::stray_descriptor);
    EXPECT_EQ(open_descriptors(), before) << "the stray descriptor stayed open";
}

TEST(PacketChannel, ClosesAPeerThatPassesTwoDescriptors) {
    const int before = open_descriptors();
    EXPECT_EQ(error_after([](int fd) { send_descriptors(fd, 2); }, {.uid = {}, .may_pass_descriptors = true}),
              Errc::stray_descriptor);
    EXPECT_EQ(open_descriptors(), before);
}

TEST(PacketChannel, ClosesAPeerThatPassesManyDescriptors) {
    const int before = open_descriptors();
    EXPECT_EQ(error_after([](int fd) { send_descriptors(fd, 4); }, {.uid = {}, .may_pass_descriptors = true}),
              Errc::truncated);
    EXPECT_EQ(open_descriptors(), before);
}

TEST(PacketChannel, ClosesAPeerOfAnotherUser) {
    const PeerRules rules{.uid = ::getuid() + 1};
    EXPECT_EQ(error_after([](int fd) { ::send(fd, "x", 1, 0); }, rules), Errc::wrong_peer);
}

TEST(PacketChannel, ClosesAPeerThatBecomesAnotherProcess) {
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel channel(io.get_executor(), test::connection(std::move(pair.first)));
    EXPECT_TRUE(send_packet(pair.second.get(), "first", -1, 0).has_value());
    const pid_t thief = ::fork();
    if (thief == 0) {
        ::_exit(send_packet(pair.second.get(), "second", -1, 0) ? 0 : 1);
    }
    ::waitpid(thief, nullptr, 0);
    const auto receive = [&]() -> asio::awaitable<void> {
        auto first = channel.receive_bytes();
        const auto packet = co_await std::move(first);
        EXPECT_EQ(packet->bytes, "first");
        auto second = channel.receive_bytes();
        const auto stolen = co_await std::move(second);
        EXPECT_EQ(stolen.error(), Errc::wrong_peer);
    };
    test::run(io, receive());
}

TEST(PacketChannel, ClosesAPeerThatSendsAnythingButItsMessage) {
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel channel(io.get_executor(), test::connection(std::move(pair.first)));
    EXPECT_TRUE(send_packet(pair.second.get(), "\xff\xff\xff", -1, 0).has_value());
    const auto receive = [&]() -> asio::awaitable<void> {
        auto receiving = channel.receive<GatewayRequest>();
        const auto envelope = co_await std::move(receiving);
        EXPECT_EQ(envelope.error(), Errc::malformed);
        EXPECT_FALSE(channel.is_open());
    };
    test::run(io, receive());
}

TEST(BlockingChannel, TakesOverAChannelWithItsPeerPinned) {
    asio::io_context io;
    auto pair = packet_pair();
    PacketChannel channel(io.get_executor(), test::connection(std::move(pair.first)));
    EXPECT_TRUE(send_packet(pair.second.get(), "welcome", -1, 0).has_value());
    const auto receive = [&]() -> asio::awaitable<void> {
        auto receiving = channel.receive_bytes();
        const auto packet = co_await std::move(receiving);
        EXPECT_EQ(packet->bytes, "welcome");
    };
    test::run(io, receive());
    auto connection = channel.release();
    EXPECT_EQ(connection.rules.pid, ::getpid());
    BlockingChannel blocking(std::move(connection));
    EXPECT_TRUE(send_packet(pair.second.get(), "more", -1, 0).has_value());
    EXPECT_EQ(blocking.receive_bytes(1s)->bytes, "more");
}

TEST(BlockingChannel, GivesUpAfterItsTimeAndCanBeUsedAgain) {
    auto pair = packet_pair();
    BlockingChannel channel(test::connection(std::move(pair.first)));
    EXPECT_EQ(channel.receive_bytes(20ms).error(), Errc::timed_out);
    EXPECT_TRUE(send_packet(pair.second.get(), "late", -1, 0).has_value());
    EXPECT_EQ(channel.receive_bytes(1s)->bytes, "late");
}

TEST(BlockingChannel, IsWokenByAnInterruption) {
    auto pair = packet_pair();
    BlockingChannel channel(test::connection(std::move(pair.first)));
    std::thread waker([&] {
        std::this_thread::sleep_for(20ms);
        channel.interrupt();
    });
    EXPECT_EQ(channel.receive_bytes().error(), Errc::closed);
    waker.join();
}

TEST(BlockingCaller, SkipsTheAnswerNobodyWaitedFor) {
    auto pair = packet_pair();
    BlockingCaller<HandshakeRequest, HandshakeReply> caller(BlockingChannel(test::connection(std::move(pair.first))));
    BlockingChannel vault(test::connection(std::move(pair.second)));
    EXPECT_EQ(caller.ask({}, 20ms).error(), Errc::timed_out);
    std::thread answering([&] {
        for (int n = 1; n <= 2; ++n) {
            const auto request = vault.receive<HandshakeRequest>(5s);
            HandshakeReply reply;
            reply.set_id(request->message.id());
            reply.set_signature("signature " + std::to_string(n));
            EXPECT_TRUE(vault.send(reply).has_value());
        }
    });
    EXPECT_EQ(caller.ask({}, 5s)->signature(), "signature 2");
    answering.join();
}

TEST(BlockingCaller, SaysThatTheSameQuestionMayBeAskedAgainWhenTheVaultDies) {
    auto pair = packet_pair();
    BlockingCaller<HandshakeRequest, HandshakeReply> caller(BlockingChannel(test::connection(std::move(pair.first))));
    pair.second.reset();
    const auto lost = caller.ask({}, 5s);
    EXPECT_EQ(lost.error(), Errc::connection_lost);
    EXPECT_TRUE(is_retryable(lost.error()));
    EXPECT_FALSE(caller.is_open());
}

}  // namespace
}  // namespace xinfu::boundary
