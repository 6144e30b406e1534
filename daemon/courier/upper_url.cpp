#include "daemon/courier/upper_url.hpp"

#include <algorithm>
#include <charconv>

#include <boost/asio/ip/address.hpp>

namespace xinfu::courier {
namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::size_t kHostSizeMax = 253;  // RFC 1035 section 2.3.4, as text

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

}  // namespace

std::string UpperUrl::authority() const {
    const bool brackets = host.find(':') != std::string::npos;
    return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool UpperUrl::is_address() const {
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);
    return !error;
}

std::optional<UpperUrl> parse_upper_url(std::string_view text) {
    if (!text.starts_with(kScheme)) {
        return std::nullopt;
    }
    text.remove_prefix(kScheme.size());
    UpperUrl url;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        url.host = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        boost::system::error_code error;
        boost::asio::ip::make_address_v6(url.host, error);
        if (error) {
            return std::nullopt;
        }
    } else {
        const auto end = std::min(text.find(':'), text.size());
        url.host = text.substr(0, end);
        text.remove_prefix(end);
        if (url.host.empty() || url.host.size() > kHostSizeMax || !std::ranges::all_of(url.host, is_host_character)) {
            return std::nullopt;
        }
    }
    if (text.empty()) {
        return url;
    }
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data() + 1, last, url.port);
    if (text.front() != ':' || error != std::errc() || end != last || url.port == 0) {
        return std::nullopt;
    }
    return url;
}

}  // namespace xinfu::courier
