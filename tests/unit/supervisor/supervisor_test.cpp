// xinfud with small stand-ins for the four programs: who is started as whom, who meets whom, and what happens
// when one of them, or the supervisor itself, is killed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "daemon/supervisor/launch.hpp"
#include "daemon/supervisor/restart_policy.hpp"

namespace xinfu::supervisor {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string slurp(const fs::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = 5s) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(10ms);
    }
    return true;
}

int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
}

bool can_connect(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
}

// Exists and is not merely waiting to be reaped by somebody else.
bool lives(pid_t pid) {
    const auto status = slurp("/proc/" + std::to_string(pid) + "/stat");
    const auto state = status.rfind(") ");
    return state != std::string::npos && status[state + 2] != 'Z';
}

class Node : public testing::Test {
protected:
    void SetUp() override {
        char folder[] = "/tmp/xinfu-supervisor-XXXXXX";
        folder_ = ::mkdtemp(folder);
        // Unreadable for the roles' users, as a checkout in root's home is.
        ::chmod(folder, 0700);
        fs::copy_file(XINFU_XINFUD, folder_ / "xinfud");
        for (const char* role : {"gateway", "inspector", "vault", "courier"}) {
            fs::copy_file(XINFU_FAKE_ROLE, folder_ / ("xinfu-" + std::string(role)));
        }
        fs::create_directory(folder_ / "state");
        std::ofstream(folder_ / "key") << std::string(32, 'k');
        ::chmod((folder_ / "key").c_str(), 0600);
        port_ = free_port();
        write_config("");
    }
    void TearDown() override {
        if (supervisor_ > 0) {
            ::kill(supervisor_, SIGKILL);
            ::waitpid(supervisor_, nullptr, 0);
        }
        fs::remove_all(folder_);
    }

    void write_config(const std::string& more) {
        std::ofstream(folder_ / "xinfu.yaml") << "node: city\nstate: state\ngateway: {listen: [\"127.0.0.1:" << port_
                                              << "\"], metrics: \"\"}\nvault: {key_wrapping_key: key}\n"
                                              << "supervisor: {restart_delay_ms: 0, drain_seconds: 4}\n"
                                              << more;
    }
    void start() {
        const auto program = (folder_ / "xinfud").string();
        const auto config = (folder_ / "xinfu.yaml").string();
        const auto pids_file = (folder_ / "pids").string();
        const auto log = (folder_ / "log").string();
        supervisor_ = ::fork();
        if (supervisor_ == 0) {
            const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            ::dup2(output, STDERR_FILENO);
            ::execl(program.c_str(), "xinfud", "run", "--config", config.c_str(), "--pid-file", pids_file.c_str(),
                    nullptr);
            ::_exit(127);
        }
    }
    // Answers the exit status.
    int wait_for_supervisor() {
        int status = 0;
        const bool ended = eventually([&] { return ::waitpid(supervisor_, &status, WNOHANG) == supervisor_; }, 10s);
        EXPECT_TRUE(ended) << log();
        if (ended) {
            supervisor_ = 0;
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::map<std::string, pid_t> pids() const {
        std::ifstream file(folder_ / "pids");
        std::map<std::string, pid_t> found;
        std::string role;
        pid_t pid = 0;
        while (file >> role >> pid) {
            found[role] = pid;
        }
        return found;
    }
    std::string heard() const { return slurp(folder_ / "state/heard"); }
    std::string log() const { return slurp(folder_ / "log"); }
    // "gateway 12 61601": the running one was heard by the running vault.
    bool met(const std::string& role) const {
        const auto now = pids();
        if (!now.contains(role) || !now.contains("vault")) {
            return false;
        }
        std::istringstream lines(heard());
        std::string line;
        while (std::getline(lines, line)) {
            if (line.starts_with("vault " + std::to_string(now.at("vault")) + " ") &&
                line.find(" hears " + role + " " + std::to_string(now.at(role)) + " ") != std::string::npos) {
                return true;
            }
        }
        return false;
    }
    bool all_met() const { return met("gateway") && met("courier") && met("inspector"); }
    void start_and_meet() {
        start();
        ASSERT_TRUE(eventually([this] { return all_met(); })) << log() << heard();
    }

    fs::path folder_;
    int port_ = 0;
    pid_t supervisor_ = 0;
};

TEST_F(Node, IntroducesTheVaultToEverybody) {
    start_and_meet();
}

TEST_F(Node, GivesEachRoleItsOwnUserWhenStartedAsRoot) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    start_and_meet();
    std::map<uid_t, std::string> owners;
    for (const auto& [role, pid] : pids()) {
        // Undumpable processes' entries belong to root; the real uid stands in the status file.
        std::istringstream lines(slurp("/proc/" + std::to_string(pid) + "/status"));
        std::string line;
        while (std::getline(lines, line)) {
            if (line.starts_with("Uid:")) {
                const auto uid = static_cast<uid_t>(std::stoul(line.substr(5)));
                EXPECT_NE(uid, 0U) << role;
                EXPECT_TRUE(owners.emplace(uid, role).second) << role << " shares its user with " << owners[uid];
            }
        }
    }
    EXPECT_EQ(owners.size(), 4U);
    struct stat state {};
    ASSERT_EQ(::stat((folder_ / "state").c_str(), &state), 0);
    EXPECT_EQ(owners[state.st_uid], "vault");
    EXPECT_EQ(state.st_mode & 0777, 0700U);
}

TEST_F(Node, RestartsWhateverIsKilledWithinASecondAndReconnects) {
    start_and_meet();
    for (const char* role : {"gateway", "vault", "courier", "inspector", "vault", "gateway"}) {
        const pid_t old = pids().at(role);
        ASSERT_EQ(::kill(old, SIGKILL), 0);
        EXPECT_TRUE(eventually([&] { return pids().contains(role) && pids().at(role) != old; }, 1s)) << role << log();
        EXPECT_TRUE(eventually([&] { return all_met(); }, 2s)) << role << log() << heard();
    }
}

TEST_F(Node, LeavesGatewayAndCourierAloneWhenTheVaultDies) {
    start_and_meet();
    const auto before = pids();
    ::kill(before.at("vault"), SIGKILL);
    ASSERT_TRUE(eventually([&] { return pids().at("vault") != before.at("vault") && all_met(); })) << log();
    EXPECT_EQ(pids().at("gateway"), before.at("gateway"));
    EXPECT_EQ(pids().at("courier"), before.at("courier"));
}

TEST_F(Node, KeepsTheListeningSocketWhileAGatewayIsReplaced) {
    start_and_meet();
    ::kill(pids().at("gateway"), SIGKILL);
    for (int n = 0; n < 50; ++n) {
        EXPECT_TRUE(can_connect(port_)) << "attempt " << n;
    }
}

TEST_F(Node, LeavesNoOrphanWhenItIsKilled) {
    start_and_meet();
    const auto children = pids();
    ::kill(supervisor_, SIGKILL);
    ::waitpid(supervisor_, nullptr, 0);
    supervisor_ = 0;
    for (const auto& [role, pid] : children) {
        EXPECT_TRUE(eventually([pid = pid] { return !lives(pid); }, 2s)) << role;
    }
}

TEST_F(Node, StopsEverybodyOnSigterm) {
    start_and_meet();
    const auto children = pids();
    ::kill(supervisor_, SIGTERM);
    EXPECT_EQ(wait_for_supervisor(), 0);
    for (const auto& [role, pid] : children) {
        EXPECT_FALSE(lives(pid)) << role;
    }
    EXPECT_FALSE(fs::exists(folder_ / "pids"));
    EXPECT_FALSE(can_connect(port_));
}

TEST_F(Node, SaysWhyItCannotStart) {
    std::ofstream(folder_ / "key") << "too short";
    start();
    EXPECT_EQ(wait_for_supervisor(), 1);
    EXPECT_NE(log().find("must be a file of 32 bytes"), std::string::npos) << log();
}

TEST_F(Node, RefusesAKeyThatOthersMayRead) {
    ::chmod((folder_ / "key").c_str(), 0640);
    start();
    EXPECT_EQ(wait_for_supervisor(), 1);
    EXPECT_NE(log().find("others may read it"), std::string::npos) << log();
}

TEST_F(Node, RefusesAWrongConfigurationWithItsPlace) {
    write_config("nodes: 1\n");
    start();
    EXPECT_EQ(wait_for_supervisor(), 1);
    EXPECT_NE(log().find("xinfu.yaml:6:1: nodes: unknown key"), std::string::npos) << log();
}

TEST(RestartPolicy, WaitsOnlyAfterSeveralQuickDeaths) {
    RestartPolicy policy(500ms);
    for (int n = 0; n < RestartPolicy::kFreeDeaths; ++n) {
        EXPECT_EQ(policy.next_delay(1s), 0ms) << "death " << n;
    }
    EXPECT_EQ(policy.next_delay(1s), 500ms);
    EXPECT_EQ(policy.next_delay(1s), 1000ms);
    EXPECT_EQ(policy.next_delay(11s), 0ms) << "a settled life is forgiven";
}

TEST(RestartPolicy, NeverWaitsLongWithoutADelay) {
    RestartPolicy policy(0ms);
    for (int n = 0; n < 100; ++n) {
        EXPECT_LE(policy.next_delay(0s), 50ms) << "death " << n;
    }
}

TEST(RestartPolicy, StopsDoublingAtItsMaximum) {
    RestartPolicy policy(500ms);
    std::chrono::milliseconds last{0};
    for (int n = 0; n < 100; ++n) {
        last = policy.next_delay(0s);
    }
    EXPECT_EQ(last, RestartPolicy::kDelayMax);
}

}  // namespace
}  // namespace xinfu::supervisor
