#include <gtest/gtest.h>

#include "daemon/client/text.hpp"
#include "daemon/client/tls_connection.hpp"

namespace xinfu::client {
namespace {

TEST(Endpoint, ReadsHostsAndAddresses) {
    EXPECT_EQ(Endpoint::from_url("https://credit.example").authority(), "credit.example:443");
    EXPECT_EQ(Endpoint::from_url("https://127.0.0.1:8443/").authority(), "127.0.0.1:8443");
    EXPECT_EQ(Endpoint::from_url("https://[::1]:8443").authority(), "[::1]:8443");
    EXPECT_EQ(Endpoint::from_url("https://[::1]").host, "::1");
}

TEST(Endpoint, RefusesEverythingElse) {
    for (const char* url : {"", "https://", "http://a:1", "a:1", "https://a:0", "https://a:65536", "https://a:1x",
                            "https://a/v1", "https://u@a", "https://[::1", "https://[::1]x", "https://a b"}) {
        EXPECT_THROW(Endpoint::from_url(url), Stop) << url;
    }
}

}  // namespace
}  // namespace xinfu::client
