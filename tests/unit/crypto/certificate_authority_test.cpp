// The small authority's certificates and lists are read here and accepted by the openssl command.
#include "crypto/certificate_authority.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "crypto/pem.hpp"
#include "crypto/revocation_list.hpp"
#include "tests/unit/crypto/cms_support.hpp"

namespace xinfu::crypto {
namespace {

using test::read_vector;

const UtcSeconds kNow = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
const DistinguishedName kUnit{"CN", "信符测试市发展改革委", "Sender", "11219900MB1A000058", ""};

CertificateAuthority authority() {
    return CertificateAuthority::create({"CN", "信符测试", "Authority", "", ""}, kNow - std::chrono::hours(1),
                                        kNow + std::chrono::days(3650))
        .value();
}

IssueOptions for_a_year(std::vector<std::string> hosts = {}) {
    return {kNow - std::chrono::hours(1), kNow + std::chrono::days(365), std::move(hosts)};
}

class Folder {
public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("authority_test." + std::to_string(::getpid()))) {
        std::filesystem::create_directory(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return (path_ / name).string();
    }

private:
    std::filesystem::path path_;
};

int run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str());
}

TEST(CertificateAuthority, IssuesForAnOpenSslRequest) {
    const auto request = parse_request(as_bytes(read_vector("cms/p256.csr")));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->subject.organization_identifier, "11219900MB1A000015");
    EXPECT_EQ(request->public_key, test::certificate_vector("p256").public_key());
    const auto ca = authority();
    const auto certificate = ca.issue(kUnit, request->public_key, for_a_year());
    ASSERT_TRUE(certificate);
    EXPECT_EQ(certificate->subject().organization, kUnit.organization);
    EXPECT_EQ(certificate->unit_code(), kUnit.organization_identifier);
    EXPECT_TRUE(validate_path(*certificate, {}, {ca.certificate()}, kNow, CertificateUse::tls_client));
    EXPECT_TRUE(validate_path(*certificate, {}, {ca.certificate()}, kNow, CertificateUse::signing));
    EXPECT_FALSE(validate_path(*certificate, {}, {ca.certificate()}, kNow, CertificateUse::tls_server));
}

TEST(CertificateAuthority, SatisfiesOpenSsl) {
    const Folder folder;
    const auto ca = authority();
    const auto key = SigningKey::generate_p256();
    const auto client = ca.issue(kUnit, key.public_key(), for_a_year());
    const auto server = ca.issue(kUnit, key.public_key(), for_a_year({"localhost", "127.0.0.1", "::1"}));
    const auto anchor = folder.write("ca.pem", ca.certificate().to_pem());
    const auto client_file = folder.write("client.pem", client->to_pem());
    const auto server_file = folder.write("server.pem", server->to_pem());
    const auto verify = "openssl verify -x509_strict -CAfile " + anchor + " ";
    EXPECT_EQ(run(verify + "-purpose sslclient " + client_file), 0);
    EXPECT_EQ(run(verify + "-purpose sslserver -verify_ip 127.0.0.1 " + server_file), 0);
    EXPECT_EQ(run(verify + "-purpose sslserver -verify_ip ::1 " + server_file), 0);
    EXPECT_EQ(run(verify + "-purpose sslserver -verify_hostname localhost " + server_file), 0);
    EXPECT_NE(run(verify + "-purpose sslserver -verify_hostname elsewhere " + server_file), 0);
    EXPECT_NE(run(verify + "-purpose sslserver " + client_file), 0);

    IssuedIndex index;
    index.add(*client);
    index.add(*server);
    EXPECT_TRUE(index.revoke(client->serial(), kNow));
    const auto list = ca.revocation_list(index.revoked(), kNow, kNow + std::chrono::days(30), 7);
    const auto list_file = folder.write("list.pem", to_pem("X509 CRL", *list));
    const auto check = verify + "-crl_check -CRLfile " + list_file + " ";
    EXPECT_NE(run(check + client_file), 0);
    EXPECT_EQ(run(check + server_file), 0);

    const auto key_file = folder.write("key.pem", key.to_pem());
    EXPECT_EQ(run("openssl pkey -check -noout -in " + key_file), 0);
    const auto request_file = folder.write("request.pem", key.create_request(kUnit).value());
    EXPECT_EQ(run("openssl req -verify -noout -in " + request_file), 0);
}

TEST(CertificateAuthority, NamesItsServers) {
    const auto ca = authority();
    const auto key = SigningKey::generate_p256();
    const auto server = ca.issue(kUnit, key.public_key(), for_a_year({"node.example", "127.0.0.1", "::1"}));
    EXPECT_TRUE(server->names_host("node.example"));
    EXPECT_TRUE(server->names_host("127.0.0.1"));
    EXPECT_TRUE(server->names_host("::1"));
    EXPECT_FALSE(server->names_host("other.example"));
    EXPECT_FALSE(server->names_host("127.0.0.2"));
    EXPECT_FALSE(server->names_host("::2"));
    EXPECT_FALSE(server->names_host(""));
}

TEST(CertificateAuthority, ListsWhatItRevoked) {
    const auto ca = authority();
    const auto leaf = ca.issue(kUnit, SigningKey::generate_p256().public_key(), for_a_year());
    for (const bool revoked : {false, true}) {
        const auto der = ca.revocation_list(revoked ? std::vector<CertificateAuthority::Revoked>{{leaf->serial(), kNow}}
                                                    : std::vector<CertificateAuthority::Revoked>{},
                                            kNow, kNow + std::chrono::days(1), 1);
        const auto list = parse_revocation_list(*der);
        ASSERT_TRUE(list);
        EXPECT_TRUE(verify_revocation_list(*list, ca.certificate()));
        EXPECT_EQ(list->revoked_serials.size(), revoked ? 1u : 0u);
        EXPECT_EQ(list->this_update, kNow);
    }
}

TEST(CertificateAuthority, RefusesForgedRequestsAndForeignKeys) {
    const auto der = from_pem("CERTIFICATE REQUEST", read_vector("cms/p256.csr")).value();
    for (std::size_t at = 0; at < der.size(); at += 3) {
        auto changed = der;
        changed[at] ^= 1;
        EXPECT_FALSE(parse_request(changed)) << "byte " << at;
    }
    const auto ca = authority();
    EXPECT_EQ(CertificateAuthority::load(SigningKey::generate_p256(), ca.certificate()).error(),
              Errc::certificate_wrong_usage);
    EXPECT_TRUE(CertificateAuthority::load(ca.key(), ca.certificate()));
    EXPECT_EQ(ca.issue(kUnit, as_bytes("no key"), for_a_year()).error(), Errc::key_malformed);
}

TEST(IssuedIndex, ComesBackAsItWasWritten) {
    const auto ca = authority();
    const auto leaf = ca.issue(kUnit, SigningKey::generate_p256().public_key(), for_a_year());
    IssuedIndex index;
    index.revocation_list_number = 12;
    index.add(*leaf);
    index.add(ca.certificate());
    EXPECT_FALSE(index.revoke(test::hex("01"), kNow));
    EXPECT_TRUE(index.revoke(leaf->serial(), kNow));
    EXPECT_TRUE(index.revoke(leaf->serial(), kNow + std::chrono::hours(5)));
    const auto text = index.format();
    const auto again = IssuedIndex::parse(text);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->format(), text);
    EXPECT_EQ(again->entries[0].revoked, kNow);
    EXPECT_FALSE(again->entries[1].revoked);
    for (std::size_t length = 0; length + 1 < text.size(); ++length) {
        const auto cut = IssuedIndex::parse(std::string_view(text).substr(0, length));
        EXPECT_TRUE(!cut || text[length - 1] == '\n') << "cut after byte " << length;
    }
}

}  // namespace
}  // namespace xinfu::crypto
