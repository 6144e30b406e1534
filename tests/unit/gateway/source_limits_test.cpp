#include "daemon/gateway/source_limits.hpp"

#include <gtest/gtest.h>

namespace xinfu::gateway {
namespace {

using boost::asio::ip::make_address;
using std::chrono::seconds;

config::GatewayLimits limits() {
    config::GatewayLimits small;
    small.connections = 5;
    small.connections_per_source = 2;
    small.handshakes_per_source_minute = 4;
    return small;
}

TEST(SourceLimits, BoundOneAddressAndCountAll) {
    SourceLimits sources(limits());
    const SourceLimits::Clock::time_point now(seconds(1000));
    const auto first = make_address("192.0.2.1");
    EXPECT_FALSE(sources.enter(first, now).has_value());
    EXPECT_FALSE(sources.enter(first, now).has_value());
    EXPECT_EQ(sources.enter(first, now), "XF-1107");
    EXPECT_EQ(sources.enter(make_address("::ffff:192.0.2.1"), now), "XF-1107");  // the same machine
    for (const auto* other : {"192.0.2.2", "192.0.2.3", "192.0.2.4"}) {
        EXPECT_FALSE(sources.enter(make_address(other), now).has_value()) << other;
    }
    EXPECT_EQ(sources.open(), 5U);
    sources.leave(first, now);
    EXPECT_EQ(sources.open(), 4U);
    EXPECT_FALSE(sources.enter(first, now).has_value());
}

TEST(SourceLimits, CountIpv6ByNetwork) {
    SourceLimits sources(limits());
    const SourceLimits::Clock::time_point now(seconds(1000));
    EXPECT_FALSE(sources.enter(make_address("2001:db8::1"), now).has_value());
    EXPECT_FALSE(sources.enter(make_address("2001:db8::ffff:2"), now).has_value());
    EXPECT_EQ(sources.enter(make_address("2001:db8:0:0:1::3"), now), "XF-1107");
    EXPECT_FALSE(sources.enter(make_address("2001:db8:0:1::3"), now).has_value());
}

TEST(SourceLimits, BoundHandshakesInAMinuteAndForgetAfterwards) {
    SourceLimits sources(limits());
    const SourceLimits::Clock::time_point now(seconds(1000));
    const auto address = make_address("192.0.2.1");
    for (int n = 0; n < 4; ++n) {
        EXPECT_FALSE(sources.enter(address, now).has_value()) << n;
        sources.leave(address, now);
    }
    EXPECT_EQ(sources.enter(address, now + seconds(59)), "XF-1108");
    EXPECT_FALSE(sources.enter(address, now + seconds(60)).has_value());
    sources.leave(address, now + seconds(60));
    EXPECT_EQ(sources.remembered(), 1U);
    EXPECT_FALSE(sources.enter(make_address("192.0.2.9"), now + seconds(200)).has_value());
    EXPECT_EQ(sources.remembered(), 1U);  // the first said nothing for a minute
}

}  // namespace
}  // namespace xinfu::gateway
