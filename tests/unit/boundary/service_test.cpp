// Log records and notifications, read at the other end of real sockets.
#include "daemon/boundary/service.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "daemon/boundary/descriptor.hpp"

namespace xinfu::boundary {
namespace {

std::string read_datagram(int fd) {
    std::array<char, 4096> buffer{};
    const auto size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string(buffer.data(), static_cast<std::size_t>(size));
}

class Notifications : public testing::Test {
protected:
    void SetUp() override {
        name_ = "@xinfu-service-test-" + std::to_string(::getpid());
        manager_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        ASSERT_EQ(::bind(manager_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
        ::setenv("WATCHDOG_USEC", "3000000", 1);
        ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    }
    void TearDown() override {
        ::unsetenv("NOTIFY_SOCKET");
        ::unsetenv("WATCHDOG_USEC");
        ::unsetenv("WATCHDOG_PID");
    }
    std::string name_;
    Descriptor manager_;
};

TEST_F(Notifications, ReachTheServiceManager) {
    Service service("xinfu-test");
    service.ready();
    EXPECT_EQ(read_datagram(manager_.get()), "READY=1");
    service.status("3 files in flight\nREADY=1");
    EXPECT_EQ(read_datagram(manager_.get()), "STATUS=3 files in flight?READY=1");
    service.watchdog();
    EXPECT_EQ(read_datagram(manager_.get()), "WATCHDOG=1");
    service.stopping();
    EXPECT_EQ(read_datagram(manager_.get()), "STOPPING=1");
}

TEST_F(Notifications, FeedTheWatchdogTwiceInItsTime) {
    const Service service("xinfu-test");
    EXPECT_EQ(service.watchdog_interval(), std::chrono::milliseconds{1500});
}

TEST(Service, AsksNobodyWhereThereIsNoServiceManager) {
    const Service service("xinfu-test");
    EXPECT_FALSE(service.watchdog_interval().has_value());
}

TEST(Service, WritesOneLineWhateverTheMessageHolds) {
    Service service("xinfu-test");
    testing::internal::CaptureStderr();
    LogFields fields;
    fields.code = "XF-2001";
    fields.leaf = 7;
    service.log(Level::warning, "refused\n2026 forged: line\x1b[31m", fields);
    const auto line = testing::internal::GetCapturedStderr();
    EXPECT_NE(line.find("xinfu-test: warning: refused?2026 forged: line?[31m code=XF-2001 leaf=7\n"), std::string::npos)
        << line;
    EXPECT_EQ(line.find('\n'), line.size() - 1);
}

// Standard error is a pipe of 4 KiB here.
class UnreadStandardError : public testing::Test {
protected:
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        reader_ = Descriptor(ends[0]);
        const Descriptor writer(ends[1]);
        ::fcntl(writer.get(), F_SETPIPE_SZ, 4096);
        kept_ = Descriptor(::dup(STDERR_FILENO));
        ::dup2(writer.get(), STDERR_FILENO);
    }
    void TearDown() override { ::dup2(kept_.get(), STDERR_FILENO); }
    std::string read_all() {
        ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
        std::array<char, 65536> buffer{};
        const auto size = ::read(reader_.get(), buffer.data(), buffer.size());
        return size < 0 ? "nothing" : std::string(buffer.data(), static_cast<std::size_t>(size));
    }
    Descriptor reader_;
    Descriptor kept_;
};

#ifndef XINFU_SANITIZED  // sanitizers have their own end of memory
TEST(Service, EndsTheProcessWithoutMemory) {
    const auto take_all = [] {
        const Service service("xinfu-test");
        for (std::size_t size = std::size_t{1} << 40;; size *= 2) {
            static_cast<void>(::operator new(size));
        }
    };
    EXPECT_EXIT(take_all(), testing::ExitedWithCode(EXIT_FAILURE), "no memory left");
}
#endif

TEST_F(UnreadStandardError, IsNotWaitedForAndWhatWasLostIsTold) {
    Service service("xinfu-test");
    for (int n = 0; n < 100; ++n) {
        service.log(Level::info, std::string(100, 'x'));
    }
    std::string read = read_all();
    service.log(Level::info, "read again");
    read += read_all();
    EXPECT_TRUE(read.ends_with("xinfu-test: read again\n")) << read;
    std::size_t taken = 0;
    std::size_t lost = 0;
    std::istringstream lines(read);
    for (std::string line; std::getline(lines, line);) {
        taken += line.ends_with(std::string(100, 'x')) ? 1 : 0;
        if (const auto at = line.find("warning: "); at != std::string::npos) {
            lost += std::stoul(line.substr(at + 9));
        }
    }
    EXPECT_GT(lost, 50U) << read;
    EXPECT_EQ(taken + lost, 100U) << read;
}

TEST_F(UnreadStandardError, MayGoAway) {
    Service service("xinfu-test");
    reader_.reset();
    service.log(Level::info, "to nobody");
}

}  // namespace
}  // namespace xinfu::boundary
