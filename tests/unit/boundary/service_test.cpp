// Log records and notifications, read at the other end of real sockets.
#include "daemon/boundary/service.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
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

}  // namespace
}  // namespace xinfu::boundary
