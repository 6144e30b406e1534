// Whatever comes over a boundary: it decodes or it does not; what decodes encodes again, to bytes that mean the same;
// and what an inspector says of a body moves the vault's view of it only inside what was sent.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "daemon/boundary/courier.pb.h"
#include "daemon/boundary/error.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/boundary/packet.hpp"
#include "daemon/vault/body_tracker.hpp"
#include "daemon/vault/envelope_tracker.hpp"

namespace {

using namespace xinfu;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

template <class Message>
bool round_trip(std::string_view bytes, Message& message) {
    if (!boundary::decode(bytes, message)) {
        return false;
    }
    const auto encoded = boundary::encode(message);
    if (!encoded) {
        require(encoded.error() == boundary::Errc::too_large);
        return true;
    }
    Message again;
    require(boundary::decode(*encoded, again).has_value());
    const auto twice = boundary::encode(again);
    require(twice.has_value() && twice->size() == encoded->size());
    return true;
}

constexpr std::size_t kBodySize = 4096;

void follow(const boundary::Progress& progress, bool parcel) {
    const Bytes body(kBodySize, 'x');
    vault::BodyTracker tracker(parcel);
    tracker.sent(body);
    for (int i = 0; i < 2; ++i) {
        const auto moved = tracker.progress(progress);
        require(moved || moved.error() == boundary::Errc::unexpected);
        require(tracker.consumed_size() <= kBodySize && tracker.content_size() <= 2 * kBodySize);
        require(tracker.room() <= vault::kWindowSizeBytes);
    }
    vault::EnvelopeTracker envelope;
    envelope.begin(Bytes(32, 1), Bytes(12, 2));
    envelope.sent(body);
    Bytes package;
    for (int i = 0; i < 2; ++i) {
        const auto moved = envelope.progress(progress, package);
        require(moved || moved.error() == boundary::Errc::unexpected);
        require(package.size() <= kBodySize && envelope.room() <= vault::kWindowSizeBytes);
        require(!envelope.opened());  // nobody guesses a tag
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    boundary::GatewayRequest gateway_request;
    boundary::GatewayReply gateway_reply;
    boundary::HandshakeRequest handshake_request;
    boundary::CourierRequest courier_request;
    boundary::CourierReply courier_reply;
    boundary::InspectorRequest inspector_request;
    boundary::InspectorReply inspector_reply;
    round_trip(bytes, gateway_request);
    round_trip(bytes, gateway_reply);
    round_trip(bytes, handshake_request);
    round_trip(bytes, courier_request);
    round_trip(bytes, courier_reply);
    round_trip(bytes, inspector_request);
    if (round_trip(bytes, inspector_reply) && inspector_reply.has_progress()) {
        follow(inspector_reply.progress(), false);
        follow(inspector_reply.progress(), true);
    }
    return 0;
}
