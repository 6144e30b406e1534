// UpperConnection: the one connection that a route has to the level above: made when there is something to say, proven
// by both certificates, kept for the next task, and made anew when the other side let go of it.
//
// TLS 1.3 only: the client's key is the vault's, which signs nothing but TLS 1.3 transcripts for the courier.
//
// Threads: one strand; the handshake waits for its signature on `worker`.
// Trust:   the upper level is who the route's anchors and the host in its URL say, before an octet is sent to it.
// Errors:  in the answer (conversation.hpp).
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/courier/conversation.hpp"
#include "daemon/courier/upper_url.hpp"
#include "daemon/tls/context.hpp"

namespace xinfu::courier {

struct UpperLimits {
    std::chrono::milliseconds connect{10000};  // resolving and connecting
    std::chrono::milliseconds handshake{10000};
    std::chrono::milliseconds idle{50000};  // a connection unused for longer is not used again
    // Attempts to connect are this far apart at least, doubled after each failure up to the maximum. How soon a failed
    // task comes again is the vault's to say; this only keeps a fault there from becoming a flood here.
    std::chrono::milliseconds attempt_min{100};
    std::chrono::milliseconds attempt_max{5000};
    ConversationLimits conversation;
};

class UpperConnection {
public:
    UpperConnection(asio::any_io_executor executor, asio::any_io_executor worker, UpperUrl url,
                    std::shared_ptr<const tls::ClientContext> context, tls::SignHook sign, UpperLimits limits);
    UpperConnection(const UpperConnection&) = delete;
    UpperConnection& operator=(const UpperConnection&) = delete;
    ~UpperConnection();

    // One request at a time.
    asio::awaitable<UpperAnswer> exchange(UpperRequest request);
    // Says goodbye; for an orderly end.
    asio::awaitable<void> close();

private:
    asio::awaitable<std::string> connect();  // empty: done; else why not
    bool is_usable() const;

    asio::any_io_executor executor_;
    asio::any_io_executor worker_;
    UpperUrl url_;
    std::shared_ptr<const tls::ClientContext> context_;
    tls::SignHook sign_;
    UpperLimits limits_;
    std::unique_ptr<tls::Stream> stream_;
    std::chrono::steady_clock::time_point last_use_;
    std::chrono::steady_clock::time_point next_attempt_;
    std::chrono::milliseconds attempt_pause_;
};

}  // namespace xinfu::courier
