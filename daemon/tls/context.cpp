#include "daemon/tls/context.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <botan/certstor.h>
#include <botan/data_src.h>
#include <botan/exceptn.h>
#include <botan/pem.h>
#include <botan/pkcs8.h>
#include <botan/pkix_types.h>
#include <botan/system_rng.h>

#include "daemon/tls/context_parts.hpp"
#include "daemon/tls/error.hpp"

namespace xinfu::tls {
namespace {

constexpr std::size_t kCertificateBytesMax = 64 * 1024;  // of one DER certificate of ours or an anchor
constexpr std::size_t kPeerChainBytesMax = 32 * 1024;    // of all certificates a peer shows

class Policy final : public Botan::TLS::Policy {
public:
    Policy(bool tls12, bool tls13, bool server) : tls12_(tls12), tls13_(tls13), server_(server) {}

    bool allow_tls12() const override { return tls12_; }
    bool allow_tls13() const override { return tls13_; }
    bool allow_dtls12() const override { return false; }

    // AES first: Botan's own order puts ChaCha20-Poly1305 there, which costs two thirds of the throughput.
    std::vector<std::string> allowed_ciphers() const override { return {"AES-256/GCM", "AES-128/GCM"}; }
    std::vector<std::string> allowed_macs() const override { return {"AEAD"}; }
    std::vector<std::string> allowed_key_exchange_methods() const override { return {"ECDH"}; }
    std::vector<std::string> allowed_signature_methods() const override { return {"ECDSA", "RSA"}; }
    std::vector<std::string> allowed_signature_hashes() const override { return {"SHA-256", "SHA-384", "SHA-512"}; }
    std::vector<Botan::TLS::Signature_Scheme> allowed_signature_schemes() const override {
        using Scheme = Botan::TLS::Signature_Scheme;
        // ECDSA with SHA-256 first: the one scheme of the key behind the SignHook.
        return {Scheme::ECDSA_SHA256,     Scheme::ECDSA_SHA384,     Scheme::ECDSA_SHA512,
                Scheme::RSA_PSS_SHA256,   Scheme::RSA_PSS_SHA384,   Scheme::RSA_PSS_SHA512,
                Scheme::RSA_PKCS1_SHA256, Scheme::RSA_PKCS1_SHA384, Scheme::RSA_PKCS1_SHA512};
    }
    std::vector<Botan::TLS::Group_Params> key_exchange_groups() const override {
        using Code = Botan::TLS::Group_Params_Code;
        return {Code::X25519, Code::SECP256R1, Code::SECP384R1};
    }
    // One key share in the first ClientHello; the others cost a HelloRetryRequest.
    std::vector<Botan::TLS::Group_Params> key_exchange_groups_to_offer() const override {
        return {Botan::TLS::Group_Params_Code::X25519};
    }
    bool server_uses_own_ciphersuite_preferences() const override { return true; }
    bool require_extended_master_secret() const override { return true; }
    bool include_time_in_hello_random() const override { return false; }

    bool allow_insecure_renegotiation() const override { return false; }
    bool allow_client_initiated_renegotiation() const override { return false; }
    bool allow_server_initiated_renegotiation() const override { return false; }
    bool abort_connection_on_undesired_renegotiation() const override { return true; }

    // A resumed session would skip the client's proof of possession.
    std::size_t new_session_tickets_upon_handshake_success() const override { return 0; }
    std::size_t maximum_session_tickets_per_connection() const override { return 0; }

    bool require_client_certificate_authentication() const override { return server_; }
    bool require_cert_revocation_info() const override { return false; }  // the vault's list decides
    bool support_cert_status_message() const override { return false; }
    std::size_t maximum_certificate_chain_size() const override { return kPeerChainBytesMax; }
    std::size_t maximum_handshake_message_size() const override { return 2 * kPeerChainBytesMax; }

private:
    bool tls12_;
    bool tls13_;
    bool server_;
};

// Stands where Botan wants a private key whose secret is elsewhere. It knows its public half, so that Botan picks the
// right scheme; signing goes through Callbacks::tls_sign_message and never reaches it.
class AbsentKey final : public Botan::Private_Key {
public:
    explicit AbsentKey(std::unique_ptr<Botan::Public_Key> key) : public_(std::move(key)) {}

    std::string algo_name() const override { return public_->algo_name(); }
    std::size_t estimated_strength() const override { return public_->estimated_strength(); }
    Botan::OID object_identifier() const override { return public_->object_identifier(); }
    const Botan::BigInt& get_int_field(std::string_view field) const override { return public_->get_int_field(field); }
    bool supports_operation(Botan::PublicKeyOperation operation) const override {
        return public_->supports_operation(operation);
    }
    std::unique_ptr<Botan::Private_Key> generate_another(Botan::RandomNumberGenerator&) const override {
        throw Botan::Not_Implemented("absent key");
    }
    bool check_key(Botan::RandomNumberGenerator& random, bool strong) const override {
        return public_->check_key(random, strong);
    }
    std::optional<std::size_t> _signature_element_size_for_DER_encoding() const override {
        return public_->_signature_element_size_for_DER_encoding();
    }
    Botan::Signature_Format _default_x509_signature_format() const override {
        return public_->_default_x509_signature_format();
    }
    std::size_t key_length() const override { return public_->key_length(); }
    Botan::AlgorithmIdentifier algorithm_identifier() const override { return public_->algorithm_identifier(); }
    std::vector<std::uint8_t> raw_public_key_bits() const override { return public_->raw_public_key_bits(); }
    std::vector<std::uint8_t> public_key_bits() const override { return public_->public_key_bits(); }
    Botan::secure_vector<std::uint8_t> private_key_bits() const override { throw Botan::Not_Implemented("absent key"); }
    std::unique_ptr<Botan::Public_Key> public_key() const override {
        Botan::DataSource_Memory source(public_->subject_public_key());
        return Botan::X509::load_key(source);
    }

private:
    std::unique_ptr<Botan::Public_Key> public_;
};

class Credentials final : public Botan::Credentials_Manager {
public:
    std::vector<Botan::X509_Certificate> chain;
    std::shared_ptr<Botan::Private_Key> key;
    std::shared_ptr<Botan::Certificate_Store> anchors;

    std::vector<Botan::Certificate_Store*> trusted_certificate_authorities(const std::string&,
                                                                           const std::string&) override {
        return anchors ? std::vector<Botan::Certificate_Store*>{anchors.get()}
                       : std::vector<Botan::Certificate_Store*>{};
    }
    std::vector<Botan::X509_Certificate> find_cert_chain(const std::vector<std::string>& key_types,
                                                         const std::vector<Botan::AlgorithmIdentifier>&,
                                                         const std::vector<Botan::X509_DN>&, const std::string&,
                                                         const std::string&) override {
        // The names of authorities the other side would like are not a filter: there is one certificate to show,
        // and who it is good for is decided there.
        if (chain.empty() || std::ranges::find(key_types, key->algo_name()) == key_types.end()) {
            return {};
        }
        return chain;
    }
    std::shared_ptr<Botan::Private_Key> private_key_for(const Botan::X509_Certificate&, const std::string&,
                                                        const std::string&) override {
        return key;
    }
};

std::vector<Botan::X509_Certificate> parse(const std::vector<Bytes>& certificates) {
    std::vector<Botan::X509_Certificate> parsed;
    for (const Bytes& der : certificates) {
        if (der.size() > kCertificateBytesMax) {
            throw Botan::Decoding_Error("certificate too large");
        }
        parsed.emplace_back(der);
    }
    return parsed;
}

std::shared_ptr<Botan::Certificate_Store> store_of(const std::vector<Bytes>& anchors) {
    auto store = std::make_shared<Botan::Certificate_Store_In_Memory>();
    for (const auto& anchor : parse(anchors)) {
        store->add_certificate(anchor);
    }
    return store;
}

}  // namespace

Result<std::vector<Bytes>> certificates_from_pem(std::string_view text) try {
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    std::vector<Bytes> found;
    for (std::size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at)) {
        const std::size_t end = text.find(kEnd, at);
        if (end == std::string_view::npos) {
            return make_error_code(Errc::settings_malformed);
        }
        const auto der = Botan::PEM_Code::decode_check_label(text.substr(at, end + kEnd.size() - at), "CERTIFICATE");
        found.emplace_back(der.begin(), der.end());
        at = end;
    }
    if (found.empty()) {
        return make_error_code(Errc::settings_malformed);
    }
    return found;
} catch (const Botan::Exception&) {
    return make_error_code(Errc::settings_malformed);
}

ServerContext::ServerContext(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
ServerContext::~ServerContext() = default;

Result<std::shared_ptr<const ServerContext>> ServerContext::create(const ServerSettings& settings) try {
    auto credentials = std::make_shared<Credentials>();
    credentials->chain = parse(settings.certificate_chain);
    if (credentials->chain.empty()) {
        return make_error_code(Errc::settings_malformed);
    }
    credentials->key = std::make_shared<AbsentKey>(credentials->chain.front().subject_public_key());
    credentials->anchors = store_of(settings.trust_anchors);

    auto parts = std::make_unique<Parts>();
    parts->credentials = std::move(credentials);
    parts->policy = std::make_shared<Policy>(settings.tls12, true, true);
    parts->sessions = std::make_shared<Botan::TLS::Session_Manager_Noop>();
    parts->random = std::make_shared<Botan::System_RNG>();
    return std::make_shared<const ServerContext>(std::move(parts));
} catch (const Botan::Exception&) {
    return make_error_code(Errc::settings_malformed);
}

ClientContext::ClientContext(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
ClientContext::~ClientContext() = default;

Result<std::shared_ptr<const ClientContext>> ClientContext::create(const ClientSettings& settings) try {
    auto parts = std::make_unique<Parts>();
    auto credentials = std::make_shared<Credentials>();
    credentials->chain = parse(settings.certificate_chain);
    if (!credentials->chain.empty()) {
        if (settings.private_key.empty()) {
            credentials->key = std::make_shared<AbsentKey>(credentials->chain.front().subject_public_key());
            parts->needs_sign_hook = true;
        } else {
            Botan::DataSource_Memory source(settings.private_key);
            credentials->key = Botan::PKCS8::load_key(source);
            // A key that belongs to another certificate would only be noticed by the server, and told badly.
            if (credentials->key->subject_public_key() !=
                credentials->chain.front().subject_public_key()->subject_public_key()) {
                return make_error_code(Errc::settings_malformed);
            }
        }
    }
    parts->anchors = store_of(settings.trust_anchors);
    credentials->anchors = parts->anchors;
    // TLS 1.2 clients sign the whole handshake, which is no typed act for a key that is elsewhere.
    const bool tls12 = settings.tls12 && !parts->needs_sign_hook;
    if (!tls12 && !settings.tls13) {
        return make_error_code(Errc::settings_malformed);
    }
    parts->policy = std::make_shared<Policy>(tls12, settings.tls13, false);
    parts->credentials = std::move(credentials);
    parts->sessions = std::make_shared<Botan::TLS::Session_Manager_Noop>();
    parts->random = std::make_shared<Botan::System_RNG>();
    return std::make_shared<const ClientContext>(std::move(parts));
} catch (const Botan::Exception&) {
    return make_error_code(Errc::settings_malformed);
}

}  // namespace xinfu::tls
