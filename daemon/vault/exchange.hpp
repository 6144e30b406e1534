// Exchange: one request of the gateway and the replies to it. The endpoint makes it after identity, session and
// authorisation were settled; a use case answers through it and never sees the connection.
//
// Requests without a reply: Disconnected, FinishSubmission, CountRefusals. Every other request gets one reply, or
// several of which all but the last have `more` set.
//
// Threads: the vault's `io`.
// Trust:   request() is what the gateway says; caller() is what the vault knows.
// Errors:  boundary::Errc of the connection: then nobody listens any more, and the use case finishes what must be
//          finished and returns.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "daemon/boundary/descriptor.hpp"
#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/context.hpp"

namespace xinfu::vault {

class Exchange {
public:
    virtual ~Exchange() = default;

    virtual const boundary::GatewayRequest& request() const = 0;
    virtual const Caller& caller() const = 0;

    // Sends one reply, its id filled in here; `more` is the use case's. The descriptor is closed once it is on its
    // way. Errors: closed and others of the connection; too_large, after which another reply may be sent.
    virtual asio::awaitable<Result<void>> reply(boundary::GatewayReply reply, boundary::Descriptor descriptor) = 0;

    // OpenSubmission without a body: what the gateway said of its end. Waits until it has said so. `aborted` is
    // set when the client vanished. Errors: closed when the gateway itself is gone, which means the same.
    virtual asio::awaitable<Result<boundary::FinishSubmission>> finish() = 0;
    // Wakes finish() with `closed`: the use case has its outcome and no longer cares for the body's end.
    virtual void stop_waiting() = 0;
    // Whether the client or the gateway is known to be gone.
    virtual bool abandoned() const = 0;
};

using ExchangePointer = std::shared_ptr<Exchange>;

// A problem of policies/codes.hpp.
boundary::Problem problem(std::string_view code, std::vector<std::string> arguments = {},
                          std::uint32_t retry_after_seconds = 0);

// The problem that tells a caller of a failure inside: XF-6xxx where a later try is useful, else XF-9xxx.
boundary::Problem problem_of(const boost::system::error_code& error);

// One last reply.
asio::awaitable<Result<void>> answer_problem(ExchangePointer exchange, boundary::Problem what);

// The same for a failure inside, when nothing is left to do whether it arrives or not.
asio::awaitable<void> answer_error(ExchangePointer exchange, boost::system::error_code error);

// A text or bytes in Text replies of at most kPartSizeBytesMax each, the last without `more`.
asio::awaitable<Result<void>> answer_text(ExchangePointer exchange, std::string text);

}  // namespace xinfu::vault
