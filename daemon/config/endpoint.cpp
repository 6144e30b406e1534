#include "daemon/config/endpoint.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <limits>
#include <utility>

namespace xinfu::config {
namespace {

// Digits without a sign, then at most one space, then the rest.
std::optional<std::pair<std::uint64_t, std::string_view>> split_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || text[0] < '0' || text[0] > '9') {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(' ')) {
        text.remove_prefix(1);
        if (text.empty()) {
            return std::nullopt;
        }
    }
    return std::pair(number, text);
}

std::optional<std::uint64_t> multiply(std::uint64_t number, std::uint64_t unit) {
    if (number > std::numeric_limits<std::uint64_t>::max() / unit) {
        return std::nullopt;
    }
    return number * unit;
}

}  // namespace

bool Endpoint::is_loopback() const {
    return ipv6 ? address == "::1" : address.starts_with("127.");
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto port = split_number(text.substr(colon + 1));
    if (!port || !port->second.empty() || port->first == 0 || port->first > 65535) {
        return std::nullopt;
    }
    Endpoint endpoint;
    endpoint.port = static_cast<std::uint16_t>(port->first);
    auto address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
        endpoint.ipv6 = true;
    }
    endpoint.address = address;
    in6_addr parsed{};
    if (::inet_pton(endpoint.ipv6 ? AF_INET6 : AF_INET, endpoint.address.c_str(), &parsed) != 1) {
        return std::nullopt;
    }
    return endpoint;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const auto split = text.empty() ? std::nullopt : split_number(text);
    if (!split) {
        return std::nullopt;
    }
    const auto unit = split->second;
    constexpr std::uint64_t kKiB = 1024;
    if (unit.empty()) {
        return split->first;
    }
    if (unit == "KiB") {
        return multiply(split->first, kKiB);
    }
    if (unit == "MiB") {
        return multiply(split->first, kKiB * kKiB);
    }
    if (unit == "GiB") {
        return multiply(split->first, kKiB * kKiB * kKiB);
    }
    if (unit == "TiB") {
        return multiply(split->first, kKiB * kKiB * kKiB * kKiB);
    }
    return std::nullopt;
}

std::optional<std::int64_t> parse_duration_ms(std::string_view text, std::int64_t bare_unit_ms) {
    const auto split = text.empty() ? std::nullopt : split_number(text);
    if (!split || split->first > 1'000'000'000) {  // 30 years of seconds: no sum below can overflow
        return std::nullopt;
    }
    const auto number = static_cast<std::int64_t>(split->first);
    const auto unit = split->second;
    if (unit.empty()) {
        return number * bare_unit_ms;
    }
    if (unit == "ms") {
        return number;
    }
    if (unit == "s") {
        return number * 1000;
    }
    if (unit == "m") {
        return number * 60'000;
    }
    if (unit == "h") {
        return number * 3'600'000;
    }
    return std::nullopt;
}

}  // namespace xinfu::config
