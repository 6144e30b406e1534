// UpperConnection: what a route has to say to the level above, in its order, over one connection at a time: made when
// there is something to say, proven by both certificates, kept for what comes next, and made anew when the other side
// let go of it.
//
// What is sent arrives in its order, or not at all: when a request fails, or its parcel is to come again, all behind it
// are given back.
//
// TLS 1.3 only: the client's key is the vault's, which signs nothing but TLS 1.3 transcripts for the courier.
//
// Threads: one strand; the handshake waits for its signature on `worker`.
// Trust:   the upper level is who the route's anchors and the host in its URL say, before an octet is sent to it.
// Errors:  in the answers (conversation.hpp).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/courier/conversation.hpp"
#include "daemon/courier/upper_url.hpp"
#include "daemon/tls/context.hpp"

namespace xinfu::courier {

struct UpperLimits {
    std::chrono::milliseconds connect{10000};  // resolving and connecting
    std::chrono::milliseconds handshake{10000};
    // Attempts to connect are this far apart at least, doubled after each failure up to the maximum. How soon a failed
    // task comes again is the vault's to say; this only keeps a fault there from becoming a flood here.
    std::chrono::milliseconds attempt_min{100};
    std::chrono::milliseconds attempt_max{5000};
    std::size_t under_way_max = 192;  // requests at one time, on a connection that has answered something
    ConversationLimits conversation;
};

class UpperConnection {
public:
    UpperConnection(asio::any_io_executor executor, asio::any_io_executor worker, UpperUrl url,
                    std::shared_ptr<const tls::ClientContext> context, tls::SignHook sign, UpperLimits limits);
    UpperConnection(const UpperConnection&) = delete;
    UpperConnection& operator=(const UpperConnection&) = delete;
    ~UpperConnection();

    // Called when there may be room again. Set it before run().
    std::function<void()> on_room = [] {};

    // How many further requests are welcome now: one, until the connection has answered something.
    std::size_t room() const;
    // `told` is called once, with the answer or why there is none.
    void send(UpperRequest request, std::function<void(UpperAnswer)> told);

    // Does the work. Until stop(), and until everything has its answer.
    asio::awaitable<void> run();
    void stop();
    // Gives everything back, and stops.
    void abandon();

private:
    struct Connected {
        std::unique_ptr<tls::Stream> stream;
        std::string failure;  // without a stream
    };
    asio::awaitable<Connected> connect();
    void settle(const Conversation::End& end);
    void give_back(const std::string& why, bool reached, std::size_t behind = 0);

    asio::any_io_executor executor_;
    asio::any_io_executor worker_;
    UpperUrl url_;
    std::shared_ptr<const tls::ClientContext> context_;
    tls::SignHook sign_;
    UpperLimits limits_;
    Errands errands_;
    std::optional<Conversation> conversation_;
    asio::steady_timer changed_;  // run() waits for it between conversations
    bool stopping_ = false;
    bool abandoned_ = false;
    std::chrono::steady_clock::time_point next_attempt_;
    std::chrono::milliseconds attempt_pause_;
};

}  // namespace xinfu::courier
