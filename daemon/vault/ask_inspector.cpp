#include "daemon/vault/ask_inspector.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/error.hpp"
#include "daemon/vault/inspector_pool.hpp"

namespace xinfu::vault {
namespace {

constexpr std::chrono::seconds kReadingTimeMax{20};

}  // namespace

asio::awaitable<Result<boundary::InspectorReply>> ask_inspector(Context& context, std::string key,
                                                                std::vector<boundary::InspectorRequest> parts) {
    // One for each: an answer is read in no time, and departments need the places.
    auto taking = context.inspectors.take(std::move(key), nullptr, 1);
    auto lease = co_await std::move(taking);
    if (!lease) {
        co_return lease.error();
    }
    auto& channel = lease->channel();
    auto alarm = std::make_shared<asio::steady_timer>(context.io, kReadingTimeMax);
    auto armed = std::make_shared<boundary::PacketChannel*>(&channel);
    alarm->async_wait([armed](const boost::system::error_code& cancelled) {
        if (!cancelled && *armed != nullptr) {
            (*armed)->close(boundary::Errc::timed_out);
        }
    });
    Result<boundary::InspectorReply> answer = boundary::Errc::closed;
    bool sent_all = true;
    for (const auto& part : parts) {
        auto sending = channel.send(part);
        if (const auto sent = co_await std::move(sending); !sent) {
            answer = sent.error();
            sent_all = false;
            break;
        }
    }
    if (sent_all) {
        auto receiving = channel.receive<boundary::InspectorReply>();
        auto envelope = co_await std::move(receiving);
        if (envelope) {
            answer = std::move(envelope->message);
        } else {
            answer = envelope.error();
        }
    }
    *armed = nullptr;
    alarm->cancel();
    if (answer && (answer->has_receipt() || answer->has_onward() || answer->has_signer() ||
                   answer->has_cosignatures() || answer->has_problem())) {
        lease->keep();
    } else {
        lease->crash();
        if (answer) {
            answer = boundary::Errc::unexpected;
        }
    }
    co_return answer;
}

}  // namespace xinfu::vault
