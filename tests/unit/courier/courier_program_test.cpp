// The real xinfu-courier, started as the supervisor starts it, behind its walls, between a vault and an upper level of
// this test.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/unit/courier/world.hpp"

namespace xinfu::courier {
namespace {

using test::Authority;
using test::FakeUpper;
using test::FakeVault;

const Authority& authority() {
    static const Authority instance;
    return instance;
}

class CourierProcess {
public:
    explicit CourierProcess(const std::string& url) {
        auto pair = boundary::make_packet_pair().value();
        control_ = std::move(pair.first);
        const std::string text =
            "node: city\nroutes:\n  - name: province\n    level: province\n    node: province\n    url: " + url +
            "\n    anchors: certificates/route-province.pem\n" + "    log_key: province/log+0a1b2c3d+AW5v\n" +
            "    envelope: certificates/envelope-province.pem\n";
        const boundary::Descriptor settings(::memfd_create("settings", 0));
        EXPECT_EQ(::write(settings.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
        const boundary::Descriptor control(::fcntl(pair.second.get(), F_DUPFD, 3));  // without close-on-exec
        const std::string control_option = "--control-fd=" + std::to_string(control.get());
        const std::string config_option = "--config-fd=" + std::to_string(settings.get());
        const std::string uid_option = "--peer-uid=" + std::to_string(::getuid());
        const char* const arguments[] = {XINFU_COURIER, control_option.c_str(), config_option.c_str(),
                                         uid_option.c_str(), nullptr};
        EXPECT_EQ(::posix_spawn(&pid_, XINFU_COURIER, nullptr, nullptr, const_cast<char* const*>(arguments), environ),
                  0);
    }
    ~CourierProcess() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    // As the supervisor hands out a connection: one octet, and the descriptor.
    void hand_over(boundary::Descriptor descriptor) const {
        EXPECT_TRUE(boundary::send_packet(control_.get(), "c", descriptor.get(), 0));
    }
    void terminate() const {
        ASSERT_GT(pid_, 0);  // 0 would be this test, and whoever started it
        ::kill(pid_, SIGTERM);
    }
    void leave() { control_.reset(); }
    bool is_running() { return pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == 0 ? true : (pid_ = 0, false); }
    int status() const { return status_; }  // once it no longer runs
    std::string proc_status() const {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
        return {std::istreambuf_iterator<char>(file), {}};
    }

private:
    boundary::Descriptor control_;
    pid_t pid_ = 0;
    int status_ = -1;
};

class CourierProgram : public testing::Test {
protected:
    CourierProgram() {
        vault.connect([this](boundary::Descriptor descriptor) { courier.hand_over(std::move(descriptor)); },
                      authority().ca.certificate(), authority().node, authority().node_key,
                      {{"province", upper.url()}});
    }
    template <class Condition>
    bool run(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(15)) {
        const auto until = std::chrono::steady_clock::now() + limit;
        while (!condition() && std::chrono::steady_clock::now() < until) {
            io.restart();
            io.run_for(std::chrono::milliseconds(5));
        }
        return condition();
    }

    asio::io_context io;
    FakeUpper upper{io, authority()};
    CourierProcess courier{upper.url()};  // by name: it is resolved behind the walls
    FakeVault vault{io};
};

TEST_F(CourierProgram, CarriesBehindItsWalls) {
    vault.put("/v1/submissions/c/city.province.1", "small");
    const std::string large(8 << 20, 'x');
    vault.put_stream("/v1/submissions/c/city.province.2", large);
    vault.get("/v1/submissions/7");
    ASSERT_TRUE(run([&] { return vault.results.size() == 3 || !courier.is_running(); }));
    ASSERT_EQ(vault.results.size(), 3u) << "ended with status " << courier.status();
    for (const auto& result : vault.results) {
        EXPECT_EQ(result.http_status(), 201u) << result.failure();
    }
    EXPECT_EQ(upper.received[1].digest, crypto::sha256(as_bytes(large)));
    const auto status = courier.proc_status();
    EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos) << status;
#ifndef XINFU_SANITIZED
    EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
#endif
}

TEST_F(CourierProgram, EndsInOrderWhenAskedTo) {
    vault.put("/a", "1");
    ASSERT_TRUE(run([&] { return vault.results.size() == 1 || !courier.is_running(); }));
    courier.terminate();
    ASSERT_TRUE(run([&] { return !courier.is_running(); }));
    EXPECT_TRUE(WIFEXITED(courier.status()) && WEXITSTATUS(courier.status()) == 0) << courier.status();
}

TEST_F(CourierProgram, FinishesItsParcelWhenAskedToEnd) {
    vault.put_stream("/a", std::string(40 << 20, 'x'));
    ASSERT_TRUE(run([&] { return upper.connections > 0 || !courier.is_running(); }));
    courier.terminate();
    ASSERT_TRUE(run([&] { return !courier.is_running() && !vault.results.empty(); }));
    EXPECT_EQ(vault.results[0].http_status(), 201u) << vault.results[0].failure();
    EXPECT_TRUE(WIFEXITED(courier.status()) && WEXITSTATUS(courier.status()) == 0) << courier.status();
}

TEST_F(CourierProgram, EndsWithTheSupervisor) {
    courier.leave();
    ASSERT_TRUE(run([&] { return !courier.is_running(); }));
    EXPECT_TRUE(WIFEXITED(courier.status()) && WEXITSTATUS(courier.status()) == 0) << courier.status();
}

}  // namespace
}  // namespace xinfu::courier
