// Ports of the demo's nodes.
#include <set>

#include "daemon/client/processes.hpp"
#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

// A connection of another program once took a port before the node listened on it.
TEST(FreePorts, AreNoneThatOutgoingConnectionsGet) {
    const auto ports = free_ports(50);
    EXPECT_EQ(std::set(ports.begin(), ports.end()).size(), 50U);
    for (const int port : ports) {
        EXPECT_GE(port, 20000);
        EXPECT_LT(port, 32768) << "the kernel's first for outgoing connections, unless it was told otherwise";
    }
}

}  // namespace
}  // namespace xinfu::client
