// SourceLimits: how much one address may take of the gateway before anybody is identified. IPv6 addresses count by
// their /64, since one sender has at least that many.
//
// Threads: one strand.
// Trust:   addresses are hostile in number; what is remembered of each is dropped as soon as it says nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "daemon/config/config.hpp"

namespace xinfu::gateway {

class SourceLimits {
public:
    using Clock = std::chrono::steady_clock;
    explicit SourceLimits(const config::GatewayLimits& limits) : limits_(limits) {}

    // Empty: admitted, and leave() must follow. Else the code of the refusal.
    std::optional<std::string_view> enter(const boost::asio::ip::address& address, Clock::time_point now);
    void leave(const boost::asio::ip::address& address, Clock::time_point now);

    void replace(const config::GatewayLimits& limits) { limits_ = limits; }

    std::size_t remembered() const { return sources_.size(); }
    std::uint32_t open() const { return open_; }  // in all, which the caller bounds

private:
    struct Source {
        std::uint32_t open = 0;
        std::uint32_t handshakes = 0;  // since `minute_began`
        Clock::time_point minute_began;
    };
    static boost::asio::ip::address_v6::bytes_type key(const boost::asio::ip::address& address);
    void forget(Clock::time_point now);

    config::GatewayLimits limits_;
    std::map<boost::asio::ip::address_v6::bytes_type, Source> sources_;
    std::uint32_t open_ = 0;
    Clock::time_point swept_{};
};

}  // namespace xinfu::gateway
