// Endpoint: an address and a port to listen on, as the configuration writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xinfu::config {

struct Endpoint {
    std::string address;  // numeric, IPv4 or IPv6 without brackets
    bool ipv6 = false;
    std::uint16_t port = 0;

    bool is_loopback() const;
};

// "192.0.2.1:8443" or "[2001:db8::1]:8443"; numeric addresses only, port 1 to 65535. Empty: not an endpoint.
std::optional<Endpoint> parse_endpoint(std::string_view text);

// "64MiB", "16 GiB", "4096": bytes. Units KiB, MiB, GiB, TiB.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "10s", "500ms", "2m", "1h" in milliseconds; a bare number counts in `bare_unit_ms`.
std::optional<std::int64_t> parse_duration_ms(std::string_view text, std::int64_t bare_unit_ms);

}  // namespace xinfu::config
