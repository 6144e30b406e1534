// CourierEndpoint: the vault's end of the courier's tasks. The courier asks for work on a route, waits for it, carries
// it and reports; it never sees what is inside, and what it reports is believed only as far as receipts verify.
//
// Threads: the vault's `io`.
// Trust:   the courier speaks with the network and may be owned: it can delay. Whatever is not in its protocol ends
//          the connection.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/delivery.hpp"
#include "daemon/vault/keys.hpp"

namespace xinfu::vault {

class CourierEndpoint : public std::enable_shared_from_this<CourierEndpoint> {
public:
    static constexpr std::size_t kInHandMax = 256;  // requests of one connection answered at one time

    CourierEndpoint(Context& context, Delivery& delivery, std::shared_ptr<boundary::PacketChannel> channel)
        : context_(context), delivery_(delivery), channel_(std::move(channel)) {}

    // Serves until the connection ends; answers why it did. `unexpected` and `malformed` are the courier's fault.
    asio::awaitable<boost::system::error_code> serve();

private:
    asio::awaitable<void> answer(boundary::CourierRequest request);

    Context& context_;
    Delivery& delivery_;
    std::shared_ptr<boundary::PacketChannel> channel_;
    std::set<std::uint64_t> tasks_;  // handed out over this connection and not reported
    std::size_t in_hand_ = 0;
    bool ended_ = false;
};

// The first packet on each of the courier's connections. Route anchors are read from the state directory, where the
// configuration says. Errors: storage::Errc::io_failed, crypto::Errc::certificate_malformed.
Result<boundary::CourierWelcome> make_courier_welcome(const config::Config& config, const NodeCertificates& certificates,
                                                      boundary::CourierWelcome::Purpose purpose,
                                                      const std::string& state_directory);

}  // namespace xinfu::vault
