// CHK-02, CHK-11: armour is taken off a signed file as it streams; hostile armour gets its reason. The armour is
// OpenSSL's (tests/vectors/cms/make.sh).
#include "crypto/pem_stream.hpp"

#include <gtest/gtest.h>

#include "crypto/pem.hpp"
#include "tests/support/vectors.hpp"

namespace xinfu::crypto {
namespace {

struct Decoded {
    Bytes out;
    std::optional<boost::system::error_code> error;
    std::uint64_t position = 0;
};

Decoded decode(std::string_view text, std::size_t chunk = 1 << 20) {
    PemStream stream;
    Decoded decoded;
    while (!text.empty() && !decoded.error) {
        const auto piece = text.substr(0, chunk);
        text.remove_prefix(piece.size());
        if (const auto fed = stream.feed(as_bytes(piece), decoded.out); !fed) {
            decoded.error = fed.error();
        }
    }
    if (const auto finished = stream.finish(); !finished) {
        EXPECT_TRUE(!decoded.error || *decoded.error == finished.error());
        decoded.error = finished.error();
    }
    decoded.position = stream.position();
    return decoded;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
        text.replace(at, what.size(), with);
    }
    return text;
}

class PemStreamTest : public testing::Test {
protected:
    std::string text_ = test::read_vector("cms/pem.txt");
    Bytes der_ = *from_pem("CMS", text_);
};

TEST_F(PemStreamTest, TakesOffWhatOpensslPutsOn) {
    for (std::size_t chunk : {1u, 2u, 3u, 5u, 64u, 65u, 4096u}) {
        const auto decoded = decode(text_, chunk);
        EXPECT_FALSE(decoded.error) << chunk;
        EXPECT_EQ(decoded.out, der_) << chunk;
    }
}

TEST_F(PemStreamTest, TakesBothLabelsBothLineEndsAndOneLongLine) {
    const auto header_end = text_.find('\n') + 1;
    const auto end_line = text_.find("-----END");
    const std::string one_line = text_.substr(0, header_end) +
                                 replaced(text_.substr(header_end, end_line - header_end), "\n", "") + "\n" +
                                 text_.substr(end_line);
    std::string no_last_line_end = text_;
    no_last_line_end.pop_back();
    for (const auto& text : {replaced(text_, "\n", "\r\n"), replaced(text_, " CMS-", " PKCS7-"), one_line,
                             no_last_line_end, text_ + "\r\n \n"}) {
        const auto decoded = decode(text, 7);
        EXPECT_FALSE(decoded.error) << text;
        EXPECT_EQ(decoded.out, der_);
    }
}

TEST_F(PemStreamTest, SaysWhatIsWrong) {
    const std::string begin = "-----BEGIN CMS-----\n";
    const std::string end = "-----END CMS-----\n";
    const std::pair<std::string, Errc> cases[] = {
        {replaced(text_, " CMS-", " CERTIFICATE-"), Errc::pem_label},
        {replaced(text_, " CMS-", " cms-"), Errc::pem_label},
        {replaced(text_, "END CMS", "END PKCS7"), Errc::pem_malformed},
        {begin + "Proc-Type: 4,ENCRYPTED\n\nAAAA\n" + end, Errc::pem_malformed},
        {begin + "AAAA\n\nAAAA\n" + end, Errc::pem_malformed},
        {begin + "\n" + end, Errc::pem_malformed},
        {begin + end, Errc::pem_malformed},
        {begin + "AAA\n" + end, Errc::pem_malformed},
        {begin + "AAAA AAAA\n" + end, Errc::pem_malformed},
        {begin + "AA==AAAA\n" + end, Errc::pem_malformed},
        {begin + "AA==\nAAAA\n" + end, Errc::pem_malformed},
        {begin + "AB==\n" + end, Errc::pem_malformed},  // bits that no octet needs
        {begin + "AAB=\n" + end, Errc::pem_malformed},
        {begin + "AA=\n" + end, Errc::pem_malformed},
        {begin + "A===\n" + end, Errc::pem_malformed},
        {begin + "====\n" + end, Errc::pem_malformed},
        {begin + "AAA=====\n" + end, Errc::pem_malformed},
        {begin + "AA\rAA\n" + end, Errc::pem_malformed},
        {begin + "AA-A\n" + end, Errc::pem_malformed},
        {begin + "AA_A\n" + end, Errc::pem_malformed},
        {begin + std::string("AA\0A\n", 5) + end, Errc::pem_malformed},
        {begin + "\xef\xbb\xbf" + "AAAA\n" + end, Errc::pem_malformed},
        {"-----BEGIN CMS----- \nAAAA\n" + end, Errc::pem_malformed},
        {"-----BEGIN CMS-CMS-----\nAAAA\n" + end, Errc::pem_malformed},
        {"-----BEGIN " + std::string(65, 'C'), Errc::pem_malformed},
        {"-----BEGIN \x01", Errc::pem_malformed},
        {" " + text_, Errc::pem_malformed},
        {begin + "AAAA", Errc::pem_truncated},
        {begin + "AAAA\n", Errc::pem_truncated},
        {begin + "AAAA\n-----END CMS----", Errc::pem_truncated},
        {"", Errc::pem_truncated},
        {text_ + "x", Errc::pem_trailing},
        {text_ + text_, Errc::pem_trailing},
        {text_ + std::string(65, '\n'), Errc::pem_trailing},
    };
    for (const auto& [text, error] : cases) {
        for (const std::size_t chunk : {1u, 6u, 1u << 20}) {
            const auto decoded = decode(text, chunk);
            ASSERT_TRUE(decoded.error) << text;
            EXPECT_EQ(*decoded.error, error) << text << " in chunks of " << chunk;
        }
    }
}

TEST_F(PemStreamTest, TellsWhereTheArmourIsDamaged) {
    auto text = text_;
    text[300] = '*';
    const auto decoded = decode(text, 11);
    EXPECT_EQ(*decoded.error, Errc::pem_malformed);
    EXPECT_EQ(decoded.position, 300u);
}

TEST_F(PemStreamTest, IsTruncatedWhereverItIsCut) {
    for (std::size_t length = 0; length + 1 < text_.size(); ++length) {
        EXPECT_EQ(*decode(std::string_view(text_).substr(0, length)).error, Errc::pem_truncated) << length;
    }
}

}  // namespace
}  // namespace xinfu::crypto
