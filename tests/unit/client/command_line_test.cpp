#include <stdlib.h>

#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

using test::xinfu;

class CommandLine : public testing::Test {
protected:
    void SetUp() override {
        for (const char* name : {"XINFU_URL", "XINFU_CA", "XINFU_CERT", "XINFU_KEY", "LC_ALL", "LC_MESSAGES"}) {
            ::unsetenv(name);
        }
        ::setenv("LANG", "C.UTF-8", 1);
    }
};

TEST_F(CommandLine, WrongUsageExitsWithTwo) {
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"no-such-verb"},
        {"trace", "x"},
        {"receipt"},
        {"receipt", "verify"},
        {"receipt", "verify", "file"},
        {"status", "--no-such-option"},
        {"status"},
        {"push", "file"},
        {"log", "verify", "--log-key", test::kLogKey},
        {"status", "--url", "http://x", "--ca", "/", "--cert", "/", "--key", "/"},
        {"ca", "issue", "--dir", "/nonexistent", "--csr", "/nonexistent"},
        {"ca", "init", "--dir", "x", "--days", "0"},
        {"--config", "file", "status"}};
    for (const auto& arguments : wrong) {
        std::string line;
        for (const auto& argument : arguments) {
            line += argument + " ";
        }
        EXPECT_EQ(xinfu(arguments).exit, 2) << line;
    }
}

TEST_F(CommandLine, HelpAndVersionExitWithNought) {
    EXPECT_EQ(xinfu({"--help"}).exit, 0);
    EXPECT_EQ(xinfu({"push", "--help"}).exit, 0);
    const auto version = xinfu({"--version"});
    EXPECT_EQ(version.exit, 0);
    EXPECT_EQ(version.out.substr(0, 6), "xinfu ");
}

TEST_F(CommandLine, ExplainsCodesInTheLanguageOfTheReader) {
    const auto english = xinfu({"explain", "XF-3002"});
    EXPECT_EQ(english.exit, 0);
    EXPECT_EQ(english.out.substr(0, 34), "XF-3002 Content missing from the s");
    ::setenv("LANG", "zh_CN.UTF-8", 1);
    EXPECT_EQ(xinfu({"explain", "3002"}).out.substr(0, 14), "XF-3002 签名");
    ::setenv("LC_ALL", "C.UTF-8", 1);
    EXPECT_EQ(xinfu({"explain", "xf-3002"}).out, english.out);
    EXPECT_EQ(xinfu({"explain", "XF-0042"}).exit, 1);
    const auto as_json = xinfu({"explain", "XF-3002", "--json"});
    EXPECT_NE(as_json.out.find("\"http_status\":422"), std::string::npos) << as_json.out;
}

TEST_F(CommandLine, AnUnreachableNodeIsTemporary) {
    const test::Folder folder;
    ASSERT_EQ(xinfu({"ca", "init", "--dir", folder / "ca"}).exit, 0);
    ASSERT_EQ(
        xinfu({"ca", "issue", "--dir", folder / "ca", "--key", folder / "key", "--out", folder / "cert", "--cn", "x"})
            .exit,
        0);
    ::setenv("XINFU_CA", (folder / "ca/ca.pem").c_str(), 1);
    ::setenv("XINFU_CERT", (folder / "cert").c_str(), 1);
    ::setenv("XINFU_KEY", (folder / "key").c_str(), 1);
    const auto outcome = xinfu({"status", "--url", "https://127.0.0.1:1", "--json"});
    EXPECT_EQ(outcome.exit, 3) << outcome.err;
    EXPECT_NE(outcome.out.find("\"exit\":3"), std::string::npos) << outcome.out;
}

TEST_F(CommandLine, AuthorityIssuesForARequestAndRevokesOnlyItsOwn) {
    const test::Folder folder;
    ASSERT_EQ(xinfu({"ca", "init", "--dir", folder / "ca"}).exit, 0);
    EXPECT_EQ(xinfu({"ca", "init", "--dir", folder / "ca"}).exit, 1);
    ASSERT_EQ(xinfu({"ca", "init", "--dir", folder / "other"}).exit, 0);
    ASSERT_EQ(
        xinfu({"ca", "issue", "--dir", folder / "ca", "--key", folder / "key", "--out", folder / "cert", "--cn", "x"})
            .exit,
        0);
    EXPECT_EQ(xinfu({"ca", "revoke", "--dir", folder / "other", "--cert", folder / "cert"}).exit, 1);
    EXPECT_EQ(xinfu({"ca", "revoke", "--dir", folder / "ca", "--cert", folder / "cert"}).exit, 0);
    EXPECT_EQ(xinfu({"ca", "crl", "--dir", folder / "ca", "--out", folder / "crl"}).exit, 0);
    EXPECT_TRUE(xinfu::test::read_file(folder / "crl").starts_with("-----BEGIN X509 CRL-----"));
}

}  // namespace
}  // namespace xinfu::client
