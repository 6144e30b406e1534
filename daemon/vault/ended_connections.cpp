#include "daemon/vault/ended_connections.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace xinfu::vault {
namespace {

constexpr std::size_t kHandlesMax = 1000;  // in one reply

asio::awaitable<void> send(ExchangePointer exchange, std::vector<Handle> handles) {
    for (std::size_t at = 0; at < handles.size();) {
        boundary::GatewayReply reply;
        reply.set_more(true);
        for (const auto end = std::min(at + kHandlesMax, handles.size()); at < end; ++at) {
            reply.mutable_ended()->add_handles(handles[at].data(), handles[at].size());
        }
        auto sending = exchange->reply(std::move(reply), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return;
        }
    }
}

}  // namespace

void EndedConnections::tell(Context& context, const std::vector<Handle>& handles) {
    std::erase_if(watching_, [](const auto& one) { return one.expired(); });
    if (handles.empty()) {
        return;
    }
    // Whose they are is not known here: a gateway passes over those that are not its own.
    for (const auto& one : watching_) {
        auto sending = send(one.lock(), handles);
        asio::co_spawn(context.io, std::move(sending), asio::detached);
    }
}

}  // namespace xinfu::vault
