#include "daemon/tls/error.hpp"

#include <string>

namespace xinfu::tls {
namespace {

class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "xinfu.tls"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::handshake_failed: return "TLS handshake failed";
            case Errc::no_client_certificate: return "no client certificate";
            case Errc::bad_client_proof: return "client does not hold the key of its certificate";
            case Errc::signing_failed: return "no signature for the handshake";
            case Errc::untrusted_server: return "server certificate not trusted";
            case Errc::handshake_budget_spent: return "handshake too long";
            case Errc::data_before_handshake: return "data before the end of the handshake";
            case Errc::too_many_empty_records: return "too many empty TLS records";
            case Errc::protocol_violation: return "TLS protocol violation";
            case Errc::peer_alert: return "peer sent a fatal TLS alert";
            case Errc::stream_truncated: return "connection ended without close_notify";
            case Errc::closed: return "TLS connection closed";
            case Errc::settings_malformed: return "certificate or key cannot be read";
        }
        return "unknown TLS error";
    }
};

}  // namespace

const boost::system::error_category& category() {
    static const Category instance;
    return instance;
}

}  // namespace xinfu::tls
