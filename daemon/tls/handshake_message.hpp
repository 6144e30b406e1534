// Takes apart what Botan wants signed in a handshake, so that the holder of the key sees parts and not a message.
#pragma once

#include <optional>

#include "daemon/tls/context.hpp"

namespace xinfu::tls {

// A server's CertificateVerify (RFC 8446 section 4.4.3) or ServerKeyExchange (RFC 8422 section 5.4). Empty for
// anything else: other contexts, digests, curves or lengths.
std::optional<HandshakeToSign> parse_server_message(ByteView message);

// A client's CertificateVerify of TLS 1.3.
std::optional<HandshakeToSign> parse_client_message(ByteView message);

}  // namespace xinfu::tls
