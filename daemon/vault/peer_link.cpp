#include "daemon/vault/peer_link.hpp"

#include <thread>
#include <utility>

#include <boost/asio/as_tuple.hpp>

#include "daemon/boundary/error.hpp"
#include "daemon/vault/gateway_endpoint.hpp"

namespace xinfu::vault {
namespace {

constexpr std::chrono::milliseconds kRedial{50};
constexpr std::chrono::milliseconds kWelcomeTimeMax{2000};

}  // namespace

bool is_orderly_end(const boost::system::error_code& why) {
    if (why.category() != boundary::boundary_category()) {
        return true;  // the system's word about a peer that is gone
    }
    return why == boundary::Errc::closed || why == boundary::Errc::connection_lost ||
           why == boundary::Errc::not_running;
}

struct PeerLink::Open {
    std::shared_ptr<boundary::PacketChannel> requests;
    std::shared_ptr<boundary::BlockingChannel> handshakes;
};

PeerLink::PeerLink(Context& context, HandshakeService& handshakes, Options options)
    : context_(context), handshakes_(handshakes), options_(std::move(options)), pause_(context.io) {}

void PeerLink::set_linked(bool linked) {
    if (linked_ != linked) {
        linked_ = linked;
        if (options_.on_change) {
            options_.on_change(linked);
        }
    }
}

void PeerLink::stop() {
    stopping_ = true;
    pause_.cancel();
    if (const auto open = open_.lock()) {
        open->handshakes->interrupt();
    }
}

asio::awaitable<void> PeerLink::pause() {
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    pause_.expires_after(kRedial);
    auto waiting = pause_.async_wait(token);
    static_cast<void>(co_await std::move(waiting));
}

asio::awaitable<Result<std::shared_ptr<PeerLink::Open>>> PeerLink::dial_both() {
    auto dialling = options_.dial();
    auto first = co_await std::move(dialling);
    if (!first) {
        co_return first.error();
    }
    auto requests = std::make_shared<boundary::PacketChannel>(context_.io.get_executor(), std::move(*first));
    auto welcoming = requests->send_bytes(options_.request_welcome);
    if (const auto welcomed = co_await std::move(welcoming); !welcomed) {
        co_return boundary::Errc::not_running;
    }
    auto dialling_again = options_.dial();
    auto second = co_await std::move(dialling_again);
    if (!second) {
        co_return second.error();
    }
    auto handshakes = std::make_shared<boundary::BlockingChannel>(std::move(*second));
    if (!handshakes->send_bytes(options_.handshake_welcome, -1, kWelcomeTimeMax)) {
        co_return boundary::Errc::not_running;
    }
    co_return std::make_shared<Open>(Open{std::move(requests), std::move(handshakes)});
}

asio::awaitable<void> PeerLink::serve_both(std::shared_ptr<Open> open) {
    const std::uint64_t link = ++link_;
    struct Ended {
        boost::system::error_code why;
        bool ended = false;
    };
    auto handshakes_ended = std::make_shared<Ended>();
    auto timer = std::make_shared<asio::steady_timer>(context_.io, asio::steady_timer::time_point::max());
    std::thread thread([this, open, link, handshakes_ended, timer] {
        const auto why = handshakes_.serve(open->handshakes, link);
        auto tell = [open, handshakes_ended, timer, why] {
            handshakes_ended->why = why;
            handshakes_ended->ended = true;
            timer->cancel();
            open->requests->close();  // one without the other is worth nothing
        };
        asio::post(context_.io, std::move(tell));
    });

    auto work = options_.serve(open->requests, link);
    const auto why = co_await std::move(work);
    open->handshakes->interrupt();
    thread.join();
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    while (!handshakes_ended->ended) {
        auto waiting = timer->async_wait(token);
        static_cast<void>(co_await std::move(waiting));
    }
    if (!stopping_ && !is_orderly_end(why)) {
        record_boundary_fault(context_, options_.name, why);
    }
    if (!stopping_ && !is_orderly_end(handshakes_ended->why)) {
        record_boundary_fault(context_, options_.name, handshakes_ended->why);
    }
}

asio::awaitable<boost::system::error_code> PeerLink::run() {
    while (!stopping_) {
        auto dialling = dial_both();
        auto open = co_await std::move(dialling);
        if (!open) {
            if (open.error() == boundary::Errc::closed) {
                co_return open.error();
            }
            auto waiting = pause();
            co_await std::move(waiting);
            continue;
        }
        open_ = *open;
        set_linked(true);
        auto serving = serve_both(std::move(*open));
        co_await std::move(serving);
        set_linked(false);
        if (!stopping_) {
            auto waiting = pause();
            co_await std::move(waiting);
        }
    }
    co_return boost::system::error_code{};
}

}  // namespace xinfu::vault
