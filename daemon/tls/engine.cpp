#include "daemon/tls/engine.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>
#include <utility>
#include <vector>

#include <botan/ocsp.h>
#include <botan/tls_callbacks.h>
#include <botan/tls_client.h>
#include <botan/tls_exceptn.h>
#include <botan/tls_handshake_msg.h>
#include <botan/tls_server.h>
#include <botan/tls_session.h>
#include <botan/x509path.h>

#include "daemon/tls/context_parts.hpp"
#include "daemon/tls/handshake_message.hpp"
#include "daemon/tls/record_counter.hpp"

namespace xinfu::tls {

using boost::system::error_code;

class Engine::Impl final {
public:
    class Calls;

    explicit Impl(bool server) : server_(server) {}

    void fail(Errc why) {
        if (!failure_) {
            failure_ = why;
        }
    }
    // For limits of our own: the peer is told, as well as it can be.
    error_code refuse(Errc why, Botan::TLS::AlertType alert) {
        fail(why);
        try {
            channel_->send_fatal_alert(alert);
        } catch (const std::exception&) {
            // The connection ends in any case.
        }
        return failure_;
    }
    Errc meaning_of(Botan::TLS::AlertType alert) const {
        if (complete_) {
            return Errc::protocol_violation;
        }
        if (server_ && !peer_showed_certificate_ &&
            (alert == Botan::TLS::AlertType::CertificateRequired || certificate_was_empty_)) {
            return Errc::no_client_certificate;
        }
        return Errc::handshake_failed;
    }

    const bool server_;
    SignHook sign_;
    std::shared_ptr<const ServerContext> server_context_;
    std::shared_ptr<const ClientContext> client_context_;
    std::shared_ptr<Calls> calls_;
    std::unique_ptr<Botan::TLS::Channel> channel_;

    RecordCounter records_;
    std::size_t handshake_bytes_ = 0;
    unsigned empty_records_ = 0;
    bool activated_ = false;  // Botan says so
    bool complete_ = false;   // and the proof is there
    bool peer_closed_ = false;
    bool tls13_ = false;
    bool peer_showed_certificate_ = false;
    bool certificate_was_empty_ = false;
    std::string suite_;
    error_code failure_;
    std::optional<PeerProof> proof_;

    Bytes output_;
    Bytes kept_;  // plaintext nobody had room for
    std::size_t kept_from_ = 0;
    std::span<std::uint8_t> target_;  // of the feed() under way
    std::size_t delivered_ = 0;
    unsigned content_records_ = 0;
};

class Engine::Impl::Calls final : public Botan::TLS::Callbacks {
public:
    explicit Calls(Impl& impl) : impl_(impl) {}

    void tls_emit_data(std::span<const std::uint8_t> data) override {
        impl_.output_.insert(impl_.output_.end(), data.begin(), data.end());
    }

    void tls_record_received(std::uint64_t, std::span<const std::uint8_t> data) override {
        if (!impl_.activated_) {
            // Botan before 3.11.1 let such records through (CVE-2026-34582); no version may do so here.
            impl_.fail(Errc::data_before_handshake);
            throw Botan::TLS::TLS_Exception(Botan::TLS::AlertType::UnexpectedMessage, "data before the handshake");
        }
        if (data.empty()) {
            return;
        }
        ++impl_.content_records_;
        const std::size_t direct = std::min(data.size(), impl_.target_.size() - impl_.delivered_);
        std::copy_n(data.begin(), direct, impl_.target_.begin() + static_cast<std::ptrdiff_t>(impl_.delivered_));
        impl_.delivered_ += direct;
        impl_.kept_.insert(impl_.kept_.end(), data.begin() + static_cast<std::ptrdiff_t>(direct), data.end());
    }

    void tls_alert(Botan::TLS::Alert alert) override {
        if (alert.type() == Botan::TLS::AlertType::CloseNotify) {
            impl_.peer_closed_ = true;
        } else if (alert.is_fatal()) {
            impl_.fail(Errc::peer_alert);
        }
    }
    bool tls_peer_closed_connection() override {
        impl_.peer_closed_ = true;
        return false;  // the answer under way still goes out; close() follows
    }

    void tls_session_established(const Botan::TLS::Session_Summary& session) override {
        impl_.tls13_ = session.version() == Botan::TLS::Protocol_Version::TLS_V13;
        impl_.suite_ = session.ciphersuite().to_string();
    }
    void tls_session_activated() override { impl_.activated_ = true; }
    bool tls_should_persist_resumption_information(const Botan::TLS::Session&) override { return false; }

    void tls_verify_cert_chain(const std::vector<Botan::X509_Certificate>& chain,
                               const std::vector<std::optional<Botan::OCSP::Response>>& ocsp,
                               const std::vector<Botan::Certificate_Store*>& anchors, Botan::Usage_Type usage,
                               std::string_view host, const Botan::TLS::Policy& policy) override {
        if (impl_.server_) {
            impl_.peer_showed_certificate_ = true;
            return;  // who the client is, the vault says
        }
        const Botan::Path_Validation_Restrictions restrictions(false, policy.minimum_signature_strength());
        const auto path = Botan::x509_path_validate(chain, restrictions, anchors, host, usage, tls_current_timestamp(),
                                                    std::chrono::milliseconds(0), ocsp);
        if (!path.successful_validation()) {
            impl_.fail(Errc::untrusted_server);
            throw Botan::TLS::TLS_Exception(Botan::TLS::AlertType::BadCertificate, path.result_string());
        }
    }

    std::vector<std::uint8_t> tls_sign_message(const Botan::Private_Key& key, Botan::RandomNumberGenerator& random,
                                               std::string_view padding, Botan::Signature_Format format,
                                               const std::vector<std::uint8_t>& message) override {
        if (!impl_.server_ && !impl_.client_context_->parts().needs_sign_hook) {
            return Callbacks::tls_sign_message(key, random, padding, format, message);
        }
        const auto parts = impl_.server_ ? parse_server_message(message) : parse_client_message(message);
        if (parts && padding == "SHA-256" && format == Botan::Signature_Format::DerSequence && impl_.sign_) {
            auto signature = impl_.sign_(*parts);
            if (signature) {
                return std::move(*signature);
            }
        }
        impl_.fail(Errc::signing_failed);
        throw Botan::TLS::TLS_Exception(Botan::TLS::AlertType::InternalError, "no signature");
    }

    bool tls_verify_message(const Botan::Public_Key& key, std::string_view padding, Botan::Signature_Format format,
                            const std::vector<std::uint8_t>& message,
                            const std::vector<std::uint8_t>& signature) override {
        const bool valid = Callbacks::tls_verify_message(key, padding, format, message, signature);
        if (!impl_.server_) {
            return valid;
        }
        if (!valid) {
            impl_.fail(Errc::bad_client_proof);
            return false;
        }
        impl_.proof_ = PeerProof{.certificate = {},  // known to the channel only once the handshake is done
                                 .tls13 = parse_client_message(message).has_value(),
                                 .signed_bytes = message,
                                 .padding = std::string(padding),
                                 .der_encoded = format == Botan::Signature_Format::DerSequence,
                                 .signature = signature};
        return true;
    }

    void tls_inspect_handshake_msg(const Botan::TLS::Handshake_Message& message) override {
        // An empty Certificate message never reaches tls_verify_cert_chain; the alert alone does not tell the cases
        // of TLS 1.2 apart.
        if (message.type() == Botan::TLS::Handshake_Type::Certificate && impl_.server_) {
            impl_.certificate_was_empty_ = true;
        }
    }

private:
    Impl& impl_;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

std::unique_ptr<Engine> Engine::server(std::shared_ptr<const ServerContext> context, SignHook sign) {
    auto impl = std::make_unique<Impl>(true);
    const auto& parts = context->parts();
    impl->sign_ = std::move(sign);
    impl->calls_ = std::make_shared<Impl::Calls>(*impl);
    impl->channel_ = std::make_unique<Botan::TLS::Server>(impl->calls_, parts.sessions, parts.credentials, parts.policy,
                                                          parts.random, false, 1024);
    impl->server_context_ = std::move(context);
    return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<std::unique_ptr<Engine>> Engine::client(std::shared_ptr<const ClientContext> context, std::string host,
                                               std::uint16_t port, SignHook sign) try {
    auto impl = std::make_unique<Impl>(false);
    const auto& parts = context->parts();
    if (parts.needs_sign_hook && !sign) {
        return make_error_code(Errc::signing_failed);
    }
    impl->sign_ = std::move(sign);
    impl->client_context_ = std::move(context);
    impl->calls_ = std::make_shared<Impl::Calls>(*impl);
    const auto version = parts.policy->latest_supported_version(false);
    impl->channel_ = std::make_unique<Botan::TLS::Client>(impl->calls_, parts.sessions, parts.credentials, parts.policy,
                                                          parts.random, Botan::TLS::Server_Information(host, port),
                                                          version, std::vector<std::string>{}, 1024);
    return std::unique_ptr<Engine>(new Engine(std::move(impl)));
} catch (const std::exception&) {
    return make_error_code(Errc::handshake_failed);
}

error_code Engine::feed(ByteView arrived, std::span<std::uint8_t> target, std::size_t& delivered) {
    assert(arrived.size() <= kFeedBytesMax);
    Impl& impl = *impl_;
    delivered = 0;
    if (impl.failure_ || impl.peer_closed_) {
        return impl.failure_;  // what follows a close_notify is nobody's (RFC 8446 section 6.1)
    }
    const unsigned records_before = impl.records_.count();
    if (!impl.records_.take(arrived)) {
        return impl.refuse(Errc::protocol_violation, Botan::TLS::AlertType::RecordOverflow);
    }
    const unsigned records = impl.records_.count() - records_before;
    if (!impl.complete_) {
        impl.handshake_bytes_ += arrived.size();
        // A complete first request may ride behind the last handshake message, hence the room of one feed.
        if (impl.handshake_bytes_ > kHandshakeBytesMax || impl.records_.count() > kHandshakeRecordsMax) {
            return impl.refuse(Errc::handshake_budget_spent, Botan::TLS::AlertType::HandshakeFailure);
        }
    }

    impl.target_ = target;
    impl.delivered_ = 0;
    impl.content_records_ = 0;
    try {
        impl.channel_->received_data(arrived);
    } catch (const Botan::TLS::TLS_Exception& error) {
        impl.fail(impl.meaning_of(error.type()));
    } catch (const std::exception&) {
        impl.fail(impl.meaning_of(Botan::TLS::AlertType::InternalError));
    }
    impl.target_ = {};
    delivered = impl.delivered_;
    if (impl.failure_) {
        if (!impl.complete_) {
            delivered = 0;  // data may have ridden behind the last handshake message, and the failure behind the data
        }
        return impl.failure_;
    }

    if (impl.activated_ && !impl.complete_) {
        if (impl.server_) {
            // Said once more in our own terms: no completed handshake without a proven certificate.
            const auto chain = impl.channel_->peer_cert_chain();
            if (chain.empty() || !impl.proof_) {
                delivered = 0;
                return impl.refuse(Errc::no_client_certificate, Botan::TLS::AlertType::CertificateRequired);
            }
            impl.proof_->certificate = chain.front().BER_encode();
        }
        impl.complete_ = impl.channel_->is_handshake_complete();
    }
    const unsigned empty = records - std::min(records, impl.content_records_);
    impl.empty_records_ = impl.content_records_ != 0 ? empty : impl.empty_records_ + empty;
    if (impl.complete_ && impl.empty_records_ > kEmptyRecordsMax) {
        return impl.refuse(Errc::too_many_empty_records, Botan::TLS::AlertType::UnexpectedMessage);
    }
    return {};
}

std::size_t Engine::read(std::span<std::uint8_t> target) {
    Impl& impl = *impl_;
    if (!impl.complete_) {
        return 0;
    }
    const std::size_t count = std::min(target.size(), impl.kept_.size() - impl.kept_from_);
    std::copy_n(impl.kept_.begin() + static_cast<std::ptrdiff_t>(impl.kept_from_), count, target.begin());
    impl.kept_from_ += count;
    if (impl.kept_from_ == impl.kept_.size()) {
        impl.kept_.clear();
        impl.kept_from_ = 0;
    }
    return count;
}

error_code Engine::end_of_input() {
    if (!impl_->failure_ && !impl_->peer_closed_) {
        impl_->fail(Errc::stream_truncated);
    }
    return impl_->failure_;
}

error_code Engine::send(ByteView plaintext) {
    assert(plaintext.size() <= kSendBytesMax);
    Impl& impl = *impl_;
    if (impl.failure_) {
        return impl.failure_;
    }
    if (!impl.complete_ || impl.channel_->is_closed_for_writing()) {
        return Errc::closed;
    }
    try {
        impl.channel_->send(plaintext);
    } catch (const std::exception&) {
        impl.fail(Errc::protocol_violation);
    }
    return impl.failure_;
}

void Engine::close() {
    try {
        if (!impl_->failure_ && !impl_->channel_->is_closed_for_writing()) {
            impl_->channel_->close();
        }
    } catch (const std::exception&) {
        impl_->fail(Errc::closed);
    }
}

std::size_t Engine::output_size() const {
    return impl_->output_.size();
}

void Engine::take_output(Bytes& into) {
    into.clear();
    std::swap(into, impl_->output_);
}

bool Engine::complete() const {
    return impl_->complete_;
}
bool Engine::peer_closed() const {
    return impl_->peer_closed_;
}
bool Engine::tls13() const {
    return impl_->tls13_;
}
std::string Engine::suite() const {
    return impl_->suite_;
}
error_code Engine::failure() const {
    return impl_->failure_;
}
const std::optional<PeerProof>& Engine::peer_proof() const {
    return impl_->proof_;
}

std::optional<Bytes> Engine::peer_certificate() const {
    const auto chain = impl_->channel_->peer_cert_chain();
    if (chain.empty()) {
        return std::nullopt;
    }
    return chain.front().BER_encode();
}

}  // namespace xinfu::tls
