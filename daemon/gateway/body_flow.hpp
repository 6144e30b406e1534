// BodyFlow: a body on its way from a client through the gateway into a stream that the vault opened, as fast as the
// vault takes it, while the vault's word on it may come at any moment.
//
// Threads: the connection's strand.
// Trust:   the client is hostile; the vault is trusted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/gateway/connection.hpp"
#include "daemon/gateway/response.hpp"

namespace xinfu::gateway {

// `news` is the vault's outcome, or the loss of the vault.
struct BodyFlow {
    BodyFlow(asio::any_io_executor executor, RequestCaller::Call open_call)
        : call(std::move(open_call)), body(executor), arrival(executor, asio::steady_timer::time_point::max()) {}
    RequestCaller::Call call;
    asio::local::stream_protocol::socket body;
    std::optional<Result<boundary::Envelope<boundary::GatewayReply>>> news;
    asio::steady_timer arrival;  // cancelled when there is news
    bool pumping = false;        // between here and the client
};

// Waits for the vault's word beside the body's way, and wakes whoever is waiting for the client or the vault.
asio::awaitable<void> watch(std::shared_ptr<BodyFlow> flow, std::shared_ptr<Connection> connection);

// How the body's way ended.
enum class End {
    whole,      // all of it went to the vault
    overtaken,  // the vault has its outcome, or takes no more and will say why
    client_gone,
    client_fault  // `refusal` says which
};
struct Pumped {
    End end = End::overtaken;
    std::uint64_t length = 0;
    std::optional<Response> refusal;
};

// At most `length_max` bytes; more are the client's fault.
asio::awaitable<Pumped> pump(Connection& connection, Request& request, BodyFlow& flow, std::uint64_t length_max);

// What a file that was handed in came to: the reply and the parts that follow it, as an answer.
asio::awaitable<std::optional<Response>> render_reply(RequestCaller::Call& call, boundary::GatewayReply reply);

// The answer for `problem`; the connection ends behind it.
Response closing(boundary::Problem problem);

}  // namespace xinfu::gateway
