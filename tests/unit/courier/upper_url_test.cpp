#include "daemon/courier/upper_url.hpp"

#include <gtest/gtest.h>

namespace xinfu::courier {
namespace {

TEST(UpperUrl, IsAHostAndAPort) {
    EXPECT_EQ(parse_upper_url("https://province.example:8443")->authority(), "province.example:8443");
    EXPECT_EQ(parse_upper_url("https://province.example")->port, 443);
    EXPECT_EQ(parse_upper_url("https://127.0.0.1:8443")->host, "127.0.0.1");
    EXPECT_EQ(parse_upper_url("https://[::1]:8443")->host, "::1");
    EXPECT_EQ(parse_upper_url("https://[::1]:8443")->authority(), "[::1]:8443");
    EXPECT_TRUE(parse_upper_url("https://[::1]:8443")->is_address());
    EXPECT_FALSE(parse_upper_url("https://localhost:8443")->is_address());
}

TEST(UpperUrl, IsNothingElse) {
    for (const auto* text : {"", "http://a:1", "https://", "https://:1", "https://a:0", "https://a:65536", "https://a:",
                             "https://a:1/", "https://a/", "https://a:1x", "https://a b:1", "https://[::1:1",
                             "https://[a]:1", "https://a\r\n:1", "https://user@a:1", "https://[::1]x:1"}) {
        EXPECT_FALSE(parse_upper_url(text)) << text;
    }
}

}  // namespace
}  // namespace xinfu::courier
