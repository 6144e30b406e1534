// A small authority made by openssl for one test program: server, clients, and a stranger.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include <botan/data_src.h>
#include <botan/pkcs8.h>
#include <botan/pubkey.h>
#include <botan/system_rng.h>

#include "daemon/tls/context.hpp"

namespace xinfu::test {

class Pki {
public:
    static const Pki& get() {
        static const Pki instance;
        return instance;
    }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::string text(const std::string& name) const {
        std::ifstream in(path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::vector<Bytes> certificates(const std::string& name) const {
        return tls::certificates_from_pem(text(name)).value();
    }
    Bytes key(const std::string& name) const { return to_bytes(text(name)); }

    // What the vault does for a server or for the courier: signs the parts, adding prefix and context itself.
    tls::SignHook signer(const std::string& key_file, bool server) const {
        Botan::DataSource_Memory source(text(key_file));
        std::shared_ptr<const Botan::Private_Key> key = Botan::PKCS8::load_key(source);
        return [key, server](const tls::HandshakeToSign& what) -> Result<Bytes> {
            Bytes message;
            if (const auto* tls13 = std::get_if<tls::Tls13Transcript>(&what)) {
                const std::string context =
                    server ? "TLS 1.3, server CertificateVerify" : "TLS 1.3, client CertificateVerify";
                message = to_bytes(std::string(64, ' ') + context + std::string(1, '\0'));
                message.insert(message.end(), tls13->digest.begin(), tls13->digest.end());
            } else {
                const auto& tls12 = std::get<tls::Tls12KeyExchange>(what);
                message.assign(tls12.client_random.begin(), tls12.client_random.end());
                message.insert(message.end(), tls12.server_random.begin(), tls12.server_random.end());
                message.insert(message.end(), tls12.ecdhe_parameters.begin(), tls12.ecdhe_parameters.end());
            }
            Botan::System_RNG random;
            Botan::PK_Signer signer(*key, random, "SHA-256", Botan::Signature_Format::DerSequence);
            return signer.sign_message(message, random);
        };
    }
    std::shared_ptr<const tls::ServerContext> server(bool tls12 = true) const {
        const tls::ServerSettings settings{
            .certificate_chain = certificates("server.pem"), .trust_anchors = certificates("ca.pem"), .tls12 = tls12};
        return tls::ServerContext::create(settings).value();
    }
    // `who` is the stem of a certificate and key; empty: no client certificate.
    std::shared_ptr<const tls::ClientContext> client(const std::string& who, bool tls13 = true,
                                                     const std::string& anchors = "ca.pem") const {
        tls::ClientSettings settings{.certificate_chain = {},
                                     .private_key = {},
                                     .trust_anchors = certificates(anchors),
                                     .tls12 = true,
                                     .tls13 = tls13};
        if (!who.empty()) {
            settings.certificate_chain = certificates(who + ".pem");
            settings.private_key = key(who + ".key");
        }
        return tls::ClientContext::create(settings).value();
    }

    static void run(const std::string& command) {
        if (::system(("( " + command + " ) >/dev/null 2>&1").c_str()) != 0) {
            throw std::runtime_error("failed: " + command);
        }
    }

private:
    Pki() {
        std::string name = (std::filesystem::temp_directory_path() / "xinfu-pki-XXXXXX").string();
        if (!::mkdtemp(name.data())) {
            throw std::runtime_error("mkdtemp");
        }
        folder_ = name;
        const std::string at = "cd " + name + " && ";
        const std::string ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        for (const std::string ca : {"ca", "other-ca"}) {
            run(at + "openssl req -x509 -days 30 " + ec + " -keyout " + ca + ".key -out " + ca +
                ".pem -subj /CN=" + ca);
        }
        issue("server", ec, "subjectAltName=DNS:city.test,DNS:localhost,IP:127.0.0.1");
        issue("dept", ec, "extendedKeyUsage=clientAuth");
        issue("rsa", "-newkey rsa:2048 -nodes", "extendedKeyUsage=clientAuth");
        // A stranger's, under no authority: proven all the same, and refused by the vault rather than here.
        run(at + "openssl req -x509 -days 1 " + ec + " -keyout stranger.key -out stranger.pem -subj /CN=stranger");
    }
    ~Pki() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    void issue(const std::string& name, const std::string& key, const std::string& extension) const {
        std::ofstream(path(name + ".ext")) << extension << "\n";
        run("cd " + folder_.string() + " && openssl req -new " + key + " -keyout " + name + ".key -out " + name +
            ".csr -subj /CN=" + name + " && openssl x509 -req -in " + name + ".csr -CA ca.pem -CAkey ca.key -days 10 " +
            "-CAcreateserial -extfile " + name + ".ext -out " + name + ".pem");
    }

    std::filesystem::path folder_;
};

}  // namespace xinfu::test
