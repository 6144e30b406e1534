// CourierEndpoint: the vault's end of the courier's tasks. The courier asks for work on a route, waits for it, carries
// it and reports; it never sees what is inside, and what it reports is believed only as far as receipts verify.
//
// Threads: the vault's `io`.
// Trust:   the courier speaks with the network and may be owned: it can delay. Whatever is not in its protocol ends
//          the connection.
#pragma once

#include <cstdint>
#include <memory>

#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/delivery.hpp"

namespace xinfu::vault {

class CourierEndpoint {
public:
    static constexpr std::size_t kInHandMax = 256;  // requests of one connection answered at one time

    CourierEndpoint(Context& context, Delivery& delivery, std::shared_ptr<boundary::PacketChannel> channel);

    // Serves until the connection ends; answers why it did. `unexpected` and `malformed` are the courier's fault.
    asio::awaitable<boost::system::error_code> serve();

private:
    struct State;  // lives as long as the last answer
    static asio::awaitable<void> answer(std::shared_ptr<State> state, boundary::CourierRequest request);

    std::shared_ptr<State> state_;
};

}  // namespace xinfu::vault
