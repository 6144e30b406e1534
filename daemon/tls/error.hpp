// Why a TLS connection ended, as error codes that Asio and Beast carry.
#pragma once

#include <boost/system/error_code.hpp>

namespace xinfu::tls {

enum class Errc {
    handshake_failed = 1,    // no agreement on version, suite, group or signature; or damaged messages
    no_client_certificate,   // the client had none to show
    bad_client_proof,        // its CertificateVerify does not fit its certificate
    signing_failed,          // the holder of our key gave no signature
    untrusted_server,        // the server's chain leads to no anchor, or names another host
    handshake_budget_spent,  // too many bytes or records before the handshake was done
    data_before_handshake,   // application data before the peer was proven
    too_many_empty_records,  // records that carry nothing, one after the other
    protocol_violation,      // damaged or forbidden records after the handshake
    peer_alert,              // the peer gave up with a fatal alert
    stream_truncated,        // end of the connection without close_notify
    closed,                  // we closed it
    settings_malformed,      // certificate, anchor or key that cannot be read
};

const boost::system::error_category& category();
inline boost::system::error_code make_error_code(Errc e) {
    return {static_cast<int>(e), category()};
}

}  // namespace xinfu::tls

template <>
struct boost::system::is_error_code_enum<xinfu::tls::Errc> : std::true_type {};
