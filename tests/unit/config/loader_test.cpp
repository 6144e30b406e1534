// The configuration: what is accepted, how every mistake is told, and that the struct, the shipped file and
// the documentation say the same.
#include "daemon/config/loader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "daemon/config/endpoint.hpp"
#include "tests/unit/config/describer.hpp"

namespace xinfu::config {
namespace {

const std::string kSource = XINFU_SOURCE_DIR;

std::string slurp(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::string> mistakes_of(const std::string& text) {
    std::vector<std::string> texts;
    const auto loaded = load_text(text, "x.yaml");
    EXPECT_EQ(loaded.config.has_value(), loaded.mistakes.empty());
    for (const auto& mistake : loaded.mistakes) {
        texts.push_back(to_string(mistake));
    }
    return texts;
}

std::vector<test::Key> described() {
    Config config;
    test::Describer describer;
    visit_fields(describer, config);
    return describer.keys;
}

TEST(Loader, TakesTheSmallestFile) {
    const auto loaded = load_text("node: city\n", "x.yaml");
    ASSERT_TRUE(loaded.config.has_value());
    Config expected;
    expected.node = "city";
    EXPECT_EQ(*loaded.config, expected);
}

TEST(Loader, ReadsSizesAndTimesWithAndWithoutUnits) {
    const auto loaded = load_text(
        "node: city\n"
        "gateway: {limits: {body_bytes: 1 GiB, head_bytes: 4096, idle_seconds: 2m, handshake_seconds: 5}}\n"
        "courier: {retry_min_ms: 250, retry_max_ms: 1h}\n",
        "x.yaml");
    ASSERT_TRUE(loaded.config.has_value()) << to_string(loaded.mistakes.front());
    const auto& limits = loaded.config->gateway.limits;
    EXPECT_EQ(limits.body_bytes, 1073741824U);
    EXPECT_EQ(limits.head_bytes, 4096U);
    EXPECT_EQ(limits.idle_seconds, std::chrono::seconds{120});
    EXPECT_EQ(limits.handshake_seconds, std::chrono::seconds{5});
    EXPECT_EQ(loaded.config->courier.retry_min_ms, std::chrono::milliseconds{250});
    EXPECT_EQ(loaded.config->courier.retry_max_ms, std::chrono::hours{1});
}

TEST(Loader, TellsAllMistakesInTheOrderOfTheFile) {
    const std::vector<std::string> expected{
        "x.yaml:1:7: node: 1 to 63 of a-z, 0-9 and - (not at the ends) are expected",
        "x.yaml:3:12: gateway.listen[0]: \"address:port\" is expected, such as 0.0.0.0:8443 or [::]:8443",
        "x.yaml:4:12: gateway.metrics: a loopback \"address:port\" is expected, such as 127.0.0.1:9464, or "
        "\"\" "
        "for none",
        "x.yaml:5:25: gateway.limits.connections: a whole number from 1 to 65536 is expected",
        "x.yaml:5:42: gateway.limits.idle_seconds: a time from 1s to 3600s is expected, such as 3600s",
        "x.yaml:6:3: gateway.tls13: unknown key; known here: handshake_threads, limits, listen, metrics, "
        "tls12",
        "x.yaml:7:29: vault.leaf_reserve_bytes: must not exceed vault.disk_reserve_bytes: leaves go on where "
        "submissions have stopped",
        "x.yaml:8:8: suite: standard is expected: no other suite exists yet"};
    EXPECT_EQ(mistakes_of("node: City\n"
                          "gateway:\n"
                          "  listen: [\"127.0.0.1\"]\n"
                          "  metrics: 0.0.0.0:9464\n"
                          "  limits: {connections: 0, idle_seconds: 90m}\n"
                          "  tls13: true\n"
                          "vault: {leaf_reserve_bytes: 2GiB}\n"
                          "suite: gm\n"),
              expected);
}

TEST(Loader, RefusesAKeyThatStandsTwice) {
    EXPECT_EQ(mistakes_of("node: city\nstate: /a\nstate: /b\n"),
              std::vector<std::string>{"x.yaml:3:1: state: the key stands here a second time"});
}

TEST(Loader, MissesTheNode) {
    EXPECT_EQ(mistakes_of("state: /a\n"),
              std::vector<std::string>{
                  "x.yaml:1:1: node: is missing: 1 to 63 of a-z, 0-9 and - (not at the ends) are expected"});
}

TEST(Loader, RefusesWhatIsNotYamlOrNotOneMapping) {
    for (const std::string text : {"", "node: [city\n", "- node\n", "city\n", "node: city\n---\nnode: b\n",
                                   "node: {a: b}\n", "gateway: 1\nnode: city\n", "node: city\nroutes: x\n"}) {
        EXPECT_EQ(mistakes_of(text).size(), 1U) << text;
    }
}

class Routes : public testing::Test {
protected:
    // A right route, with one line replaced.
    static std::vector<std::string> mistakes_with(const std::string& line) {
        std::string text = "node: city\nroutes:\n  - name: province\n";
        for (const std::string key : {"level: province", "node: province", "url: https://127.0.0.1:8443",
                                      "anchors: certificates/route-province.pem", "log_key: province/log+0a1b2c3d+AW5v",
                                      "envelope: certificates/envelope-province.pem"}) {
            const auto name = key.substr(0, key.find(':') + 1);
            text += "    " + (line.starts_with(name) ? line : key) + "\n";
        }
        if (line.starts_with("onward:")) {
            text += "    " + line + "\n";
        }
        return mistakes_of(text);
    }
};

TEST_F(Routes, AreTaken) {
    EXPECT_TRUE(mistakes_with("").empty());
    EXPECT_TRUE(mistakes_with("log_key: province/log/2+0a1b2c3d+AW5v").empty());
    EXPECT_TRUE(mistakes_with("url: https://[::1]:8443").empty());
    EXPECT_TRUE(mistakes_with("onward: [{level: nation, node: nation, log_key: nation/log+0a1b2c3d+AW5v}]").empty());
}

TEST_F(Routes, AreRefusedWithOneWrongLine) {
    for (const std::string line :
         {"level: city", "node: city", "url: http://127.0.0.1:8443", "url: https://127.0.0.1:8443/",
          "url: https://127.0.0.1", "url: https://:8443", "url: https://a@b:8443", "anchors: /etc/passwd",
          "anchors: certificates/../../x", "envelope: /etc/passwd", "envelope: ''", "log_key: nation/log+0a1b2c3d+AW5v",
          "log_key: province/log", "onward: [{level: province, node: nation, log_key: nation/log+0a1b2c3d+AW5v}]",
          "onward: [{level: nation, node: nation, log_key: other/log+0a1b2c3d+AW5v}]"}) {
        EXPECT_FALSE(mistakes_with(line).empty()) << line;
    }
}

TEST(LoadFile, MakesPathsAbsoluteFromTheFilesFolder) {
    char folder[] = "/tmp/xinfu-config-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const std::string path = std::string(folder) + "/xinfu.yaml";
    std::ofstream(path) << "node: city\nstate: state\nvault: {key_wrapping_key: /keys/a}\n";
    const auto loaded = load_file(path);
    std::filesystem::remove_all(folder);
    ASSERT_TRUE(loaded.config.has_value());
    EXPECT_EQ(loaded.config->state, std::string(folder) + "/state");
    EXPECT_EQ(loaded.config->vault.key_wrapping_key, "/keys/a");
}

TEST(LoadFile, SaysThatItCannotRead) {
    const auto loaded = load_file("/nonexistent/xinfu.yaml");
    ASSERT_EQ(loaded.mistakes.size(), 1U);
    EXPECT_EQ(to_string(loaded.mistakes.front()), "/nonexistent/xinfu.yaml: No such file or directory");
}

TEST(Shipped, FileHasEveryKeyWithItsDefault) {
    const auto path = kSource + "/packaging/xinfu.yaml";
    const auto text = slurp(path);
    const auto loaded = load_text(text, path);
    ASSERT_TRUE(loaded.config.has_value()) << to_string(loaded.mistakes.front());
    Config expected;
    expected.node = loaded.config->node;
    EXPECT_EQ(*loaded.config, expected);
    for (const auto& key : described()) {
        const auto name = key.path.substr(key.path.rfind('.') + 1);
        if (key.path.find("[]") == std::string::npos) {
            EXPECT_TRUE(std::regex_search(text, std::regex("(^|\n) *" + name + ":"))) << key.path;
        }
    }
}

// Rows "| `key` | `default` | range | meaning |".
std::vector<test::Key> documented(const std::string& text) {
    static const std::regex kRow(R"(\| `([^`]+)` \| `?([^`|]+?)`? \| ([^|]+) \| [^|]+ \|)");
    std::vector<test::Key> keys;
    for (std::sregex_iterator row(text.begin(), text.end(), kRow), end; row != end; ++row) {
        keys.push_back({(*row)[1], (*row)[2], (*row)[3]});
    }
    return keys;
}

TEST(Documentation, HasEveryKeyWithItsDefaultAndRange) {
    const auto in_text = documented(slurp(kSource + "/docs/CONFIGURATION.md"));
    const auto in_code = described();
    for (const auto& key : in_code) {
        const auto found = std::ranges::find(in_text, key.path, &test::Key::path);
        ASSERT_NE(found, in_text.end()) << key.path << " is not documented";
        EXPECT_EQ(found->fallback, key.fallback) << key.path;
        EXPECT_EQ(found->range, key.range) << key.path;
    }
    EXPECT_EQ(in_text.size(), in_code.size()) << "a key is documented that does not exist";
}

TEST(Documentation, HasAnExampleThatIsRight) {
    const auto text = slurp(kSource + "/docs/CONFIGURATION.md");
    const auto begin = text.find("```yaml\n") + 8;
    const auto loaded = load_text(text.substr(begin, text.find("```", begin) - begin), "example");
    EXPECT_TRUE(loaded.config.has_value()) << to_string(loaded.mistakes.front());
}

TEST(Endpoint, IsANumericAddressAndAPort) {
    EXPECT_EQ(parse_endpoint("[2001:db8::1]:8443")->address, "2001:db8::1");
    EXPECT_EQ(parse_endpoint("192.0.2.1:65535")->port, 65535);
    for (const char* text : {"", ":", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:+1", "host:1",
                             "2001:db8::1:8443", "[192.0.2.1]:1", "192.0.2.1:80 "}) {
        EXPECT_FALSE(parse_endpoint(text).has_value()) << text;
    }
}

TEST(Size, IsWholeAndFits) {
    EXPECT_EQ(parse_size("16GiB"), 17179869184U);
    for (const char* text :
         {"", "-1", "1.5GiB", "1GB", "1 ", "GiB", "0x10", "99999999999999999999", "99999999999TiB", "1  MiB"}) {
        EXPECT_FALSE(parse_size(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace xinfu::config
