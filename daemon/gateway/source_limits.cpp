#include "daemon/gateway/source_limits.hpp"

#include <algorithm>

namespace xinfu::gateway {
namespace {

constexpr std::chrono::minutes kWindow{1};
constexpr std::size_t kPrefixBytes = 8;  // of an IPv6 address: its /64

}  // namespace

boost::asio::ip::address_v6::bytes_type SourceLimits::key(const boost::asio::ip::address& address) {
    using boost::asio::ip::address_v6;
    if (address.is_v4()) {
        return boost::asio::ip::make_address_v6(boost::asio::ip::v4_mapped, address.to_v4()).to_bytes();
    }
    auto bytes = address.to_v6().to_bytes();
    if (!address.to_v6().is_v4_mapped()) {
        std::fill(bytes.begin() + kPrefixBytes, bytes.end(), std::uint8_t{0});
    }
    return bytes;
}

std::optional<std::string_view> SourceLimits::enter(const boost::asio::ip::address& address, Clock::time_point now) {
    forget(now);
    Source& source = sources_[key(address)];
    if (now - source.minute_began >= kWindow) {
        source.minute_began = now;
        source.handshakes = 0;
    }
    if (source.open >= limits_.connections_per_source) {
        return "XF-1107";
    }
    if (source.handshakes >= limits_.handshakes_per_source_minute) {
        return "XF-1108";
    }
    ++source.handshakes;
    ++source.open;
    ++open_;
    return std::nullopt;
}

void SourceLimits::leave(const boost::asio::ip::address& address, Clock::time_point now) {
    const auto found = sources_.find(key(address));
    if (found == sources_.end() || found->second.open == 0) {
        return;
    }
    --found->second.open;
    --open_;
    forget(now);
}

void SourceLimits::forget(Clock::time_point now) {
    if (now - swept_ < kWindow) {
        return;
    }
    swept_ = now;
    std::erase_if(sources_, [now](const auto& entry) {
        return entry.second.open == 0 && now - entry.second.minute_began >= kWindow;
    });
}

}  // namespace xinfu::gateway
