#include "daemon/tls/handshake_message.hpp"

#include <algorithm>
#include <string_view>

namespace xinfu::tls {
namespace {

constexpr std::size_t kPaddingBytes = 64;  // of 0x20, RFC 8446 section 4.4.3
constexpr std::size_t kRandomBytes = 32;
constexpr std::string_view kServerContext{"TLS 1.3, server CertificateVerify\0", 34};
constexpr std::string_view kClientContext{"TLS 1.3, client CertificateVerify\0", 34};

std::optional<HandshakeToSign> parse_tls13(ByteView message, std::string_view context) {
    const std::size_t head = kPaddingBytes + context.size();
    if (message.size() != head + 32 && message.size() != head + 48) {
        return std::nullopt;
    }
    const auto padding = message.first(kPaddingBytes);
    if (!std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0x20; }) ||
        as_text(message.subspan(kPaddingBytes, context.size())) != context) {
        return std::nullopt;
    }
    const auto digest = message.subspan(head);
    return Tls13Transcript{.digest = Bytes(digest.begin(), digest.end())};
}

std::optional<HandshakeToSign> parse_tls12(ByteView message) {
    if (message.size() < 2 * kRandomBytes + 4) {
        return std::nullopt;
    }
    const auto parameters = message.subspan(2 * kRandomBytes);
    const unsigned curve = static_cast<unsigned>(parameters[1]) << 8 | parameters[2];
    const std::size_t point = curve == 29 ? 32 : curve == 23 ? 65 : curve == 24 ? 97 : 0;
    if (parameters[0] != 3 || point == 0 || parameters[3] != point || parameters.size() != 4 + point) {
        return std::nullopt;
    }
    Tls12KeyExchange parts;
    std::ranges::copy(message.first(kRandomBytes), parts.client_random.begin());
    std::ranges::copy(message.subspan(kRandomBytes, kRandomBytes), parts.server_random.begin());
    parts.ecdhe_parameters.assign(parameters.begin(), parameters.end());
    return parts;
}

}  // namespace

std::optional<HandshakeToSign> parse_server_message(ByteView message) {
    auto tls13 = parse_tls13(message, kServerContext);
    return tls13 ? tls13 : parse_tls12(message);
}

std::optional<HandshakeToSign> parse_client_message(ByteView message) {
    return parse_tls13(message, kClientContext);
}

}  // namespace xinfu::tls
