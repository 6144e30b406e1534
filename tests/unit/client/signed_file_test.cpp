#include "daemon/client/signed_file.hpp"

#include "daemon/client/authority.hpp"
#include "daemon/client/files.hpp"
#include "tests/unit/client/support.hpp"

namespace xinfu::client {
namespace {

class Signing : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(test::xinfu({"ca", "init", "--dir", folder_ / "ca"}).exit, 0);
        options_ = identity("dept");
        test::write(file_, "a,b\r\n1,2\r\n");
    }
    NodeOptions identity(const std::string& name) {
        NodeOptions options;
        options.cert = folder_ / (name + ".pem");
        options.key = folder_ / (name + ".key");
        EXPECT_EQ(test::xinfu({"ca", "issue", "--dir", folder_ / "ca", "--key", options.key, "--out", options.cert,
                               "--cn", name})
                      .exit,
                  0);
        return options;
    }
    test::Folder folder_;
    std::string file_ = folder_ / "file.csv";
    std::string out_ = folder_ / "file.csv.p7m";
    NodeOptions options_;
};

TEST_F(Signing, SignsWhatOpensslVerifies) {
    const SignedFile made = signed_file(file_, options_, out_);
    EXPECT_TRUE(made.made_now);
    EXPECT_EQ(made.digest, digest_of_file(out_));
    const std::string command = "openssl cms -verify -binary -inform DER -in " + out_ + " -CAfile " +
                                (folder_ / "ca/ca.pem") + " -purpose any -out " + (folder_ / "content") +
                                " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(xinfu::test::read_file(folder_ / "content"), xinfu::test::read_file(file_));
}

TEST_F(Signing, SendsTheSameBodyAgain) {
    const SignedFile first = signed_file(file_, options_, out_);
    const SignedFile second = signed_file(file_, options_, out_);
    EXPECT_FALSE(second.made_now);
    EXPECT_EQ(second.digest, first.digest);
}

TEST_F(Signing, SignsAnewWhenContentSignerOrBodyChanged) {
    const SignedFile first = signed_file(file_, options_, out_);
    test::write(file_, "a,b\r\n1,3\r\n");
    const SignedFile changed = signed_file(file_, options_, out_);
    EXPECT_TRUE(changed.made_now);
    EXPECT_NE(changed.digest, first.digest);
    EXPECT_TRUE(signed_file(file_, identity("other"), out_).made_now);
    test::write(out_, "torn");
    EXPECT_TRUE(signed_file(file_, options_, out_).made_now);
}

TEST_F(Signing, LeavesSignedFilesAsTheyAre) {
    signed_file(file_, options_, out_);
    const SignedFile as_it_is = signed_file(out_, options_, out_ + ".p7m");
    EXPECT_EQ(as_it_is.path, out_);
    EXPECT_FALSE(std::filesystem::exists(out_ + ".p7m"));
    EXPECT_FALSE(is_cms(file_));
    test::write(folder_ / "pem", "-----BEGIN CMS-----\n");
    EXPECT_TRUE(is_cms(folder_ / "pem"));
    test::write(folder_ / "digits", "0123456789");  // begins with 0x30, like a SEQUENCE
    EXPECT_FALSE(is_cms(folder_ / "digits"));
}

TEST_F(Signing, KnowsItsOwnSignatureOnly) {
    signed_file(file_, options_, out_);
    const auto content = content_signed_by(out_, read_certificate(options_.cert));
    ASSERT_TRUE(content);
    EXPECT_EQ(*content, digest_of_file(file_));
    EXPECT_FALSE(content_signed_by(out_, read_certificate(identity("other").cert)));
    std::string body = xinfu::test::read_file(out_);
    body.back() = static_cast<char>(body.back() ^ 1);
    test::write(out_, body);
    EXPECT_FALSE(content_signed_by(out_, read_certificate(options_.cert)));
}

}  // namespace
}  // namespace xinfu::client
