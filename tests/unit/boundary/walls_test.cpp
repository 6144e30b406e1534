// The walls as somebody sees them who owns the process behind them: every attempt runs in a process of its
// own, after raise_walls, and must be denied; what the role lives from must still work.
#include "daemon/boundary/walls.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace xinfu::boundary {
namespace {

#ifdef XINFU_SANITIZED
constexpr bool kFilters = false;
#else
constexpr bool kFilters = true;
#endif

// "worked", "refused" (with an error), "killed" (by the filter), or what went wrong.
std::string outcome(const std::string& role, const std::string& attempt) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execl(XINFU_WALLS_ATTACKER, "walls_attacker", role.c_str(), attempt.c_str(), nullptr);
        ::_exit(13);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGSYS ? "killed" : "signal " + std::to_string(WTERMSIG(status));
    }
    switch (WEXITSTATUS(status)) {
        case 0: return "worked";
        case 10: return "refused";
        default: return "exit " + std::to_string(WEXITSTATUS(status));
    }
}

void expect_denied(const std::string& role, const std::vector<std::string>& attempts) {
    for (const auto& attempt : attempts) {
        const auto seen = outcome(role, attempt);
        EXPECT_TRUE(seen == "refused" || seen == "killed") << role << " " << attempt << ": " << seen;
    }
}

void expect_allowed(const std::string& role, const std::vector<std::string>& attempts) {
    for (const auto& attempt : attempts) {
        EXPECT_EQ(outcome(role, attempt), "worked") << role << " " << attempt;
    }
}

// Denied to everybody.
const std::vector<std::string> kNobody{"open_shadow",
                                       "open_passwd",
                                       "open_own_memory",
                                       "read_outside",
                                       "write_outside",
                                       "create_outside",
                                       "remove_outside",
                                       "rename_in",
                                       "link_in",
                                       "symlink",
                                       "list_root",
                                       "open_how",
                                       "make_device",
                                       "make_fifo",
                                       "chmod",
                                       "change_root",
                                       "socket_packet",
                                       "socket_vsock",
                                       "fast_open_listener",
                                       "fast_open_accepted",
                                       "fast_open_message",
                                       "bind",
                                       "bind_new",
                                       "listen",
                                       "transparent_proxy",
                                       "io_uring",
                                       "execute",
                                       "fork",
                                       "vfork_shell",
                                       "trace_parent",
                                       "read_parent",
                                       "signal_parent",
                                       "thread_signal_parent",
                                       "executable_memory",
                                       "executable_later",
                                       "memory_file",
                                       "become_root",
                                       "new_namespace",
                                       "mount",
                                       "load_program",
                                       "watch_events",
                                       "keyring",
                                       "user_faults",
                                       "set_clock",
                                       "dumpable_again",
                                       "raise_limit"};

class Walls : public testing::Test {
protected:
    void SetUp() override {
        if (!kFilters) {
            GTEST_SKIP() << "sanitizers read files and start helpers: no filter in this build";
        }
    }
};

TEST_F(Walls, DenyEverybodyWhatNobodyNeeds) {
    for (const char* role : {"gateway", "inspector", "vault", "courier"}) {
        expect_denied(role, kNobody);
    }
}

TEST_F(Walls, LeaveAGatewayOnlyItsAcceptedConnections) {
    expect_denied("gateway", {"open_hosts", "open_state", "open_beneath_descriptor", "stat_outside", "socket_tcp",
                              "socket_udp", "socket_unix", "socket_netlink", "socket_pair", "connect_accepted",
                              "connect_listener", "connect_new", "shut_listener", "shut_both"});
    expect_allowed("gateway", {"accept", "shut_writing", "no_delay", "thread", "think"});
}

TEST_F(Walls, LeaveAnInspectorNothing) {
    expect_denied("inspector",
                  {"open_hosts", "open_state", "open_beneath_descriptor", "stat_outside", "socket_tcp", "socket_udp",
                   "socket_unix", "socket_netlink", "socket_pair", "connect_accepted", "connect_listener",
                   "connect_new", "accept", "shut_writing", "no_delay", "thread", "hoard"});
    expect_allowed("inspector", {"think"});
}

TEST_F(Walls, LeaveAVaultItsStateDirectory) {
    expect_denied("vault", {"open_hosts", "socket_tcp", "socket_udp", "socket_unix", "socket_netlink",
                            "connect_accepted", "connect_listener", "connect_new", "accept"});
    expect_allowed(
        "vault", {"write_state", "open_state", "open_beneath_descriptor", "socket_pair", "packets", "thread", "think"});
}

TEST_F(Walls, LeaveACourierTheListedPorts) {
    expect_denied("courier", {"open_state", "open_beneath_descriptor", "socket_unix", "socket_pair", "connect_accepted",
                              "connect_listener", "connect_new"});
    expect_allowed("courier", {"open_hosts", "socket_tcp", "socket_udp", "thread", "think"});
}

}  // namespace
}  // namespace xinfu::boundary
