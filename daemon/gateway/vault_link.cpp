#include "daemon/gateway/vault_link.hpp"

#include <future>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::gateway {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> ask_for_signature(std::shared_ptr<HandshakeCaller> caller, boundary::HandshakeRequest request,
                                        std::shared_ptr<std::promise<Bytes>> answer) {
    auto asking = caller->ask(std::move(request));
    auto reply = co_await std::move(asking);
    answer->set_value(reply && reply->message.has_signature() ? to_bytes(reply->message.signature()) : Bytes{});
}

}  // namespace

VaultLink::VaultLink(asio::any_io_executor executor, bool tls12, std::function<void(bool)> on_change)
    : executor_(std::move(executor)), tls12_(tls12), on_change_(std::move(on_change)) {}

asio::awaitable<boost::system::error_code> VaultLink::run(boundary::Acceptor acceptor) {
    for (;;) {
        auto accepting = acceptor.accept();
        auto connection = co_await std::move(accepting);
        if (!connection) {
            co_return connection.error();
        }
        // Not awaited: a connection that says nothing must not keep the next one out.
        asio::co_spawn(executor_, take(std::move(*connection)), asio::detached);
    }
}

asio::awaitable<void> VaultLink::take(boundary::Connection connection) {
    boundary::PacketChannel channel(executor_, std::move(connection));
    auto receiving = channel.receive<boundary::GatewayWelcome>();
    auto welcome = co_await std::move(receiving);
    if (!welcome) {
        co_return;
    }
    boundary::Connection pinned = channel.release();
    const pid_t pid = pinned.rules.pid;
    boundary::PacketChannel open(executor_, std::move(pinned));
    if (welcome->message.purpose() == boundary::GatewayWelcome::HANDSHAKES) {
        auto caller = std::make_shared<HandshakeCaller>(std::move(open));
        asio::co_spawn(executor_, watch_handshakes(caller), asio::detached);
        join(pid, welcome->message, nullptr, std::move(caller));
    } else {
        auto caller = std::make_shared<RequestCaller>(std::move(open));
        asio::co_spawn(executor_, watch_requests(caller), asio::detached);
        join(pid, welcome->message, std::move(caller), nullptr);
    }
}

void VaultLink::join(pid_t pid, const boundary::GatewayWelcome& welcome, std::shared_ptr<RequestCaller> requests,
                     std::shared_ptr<HandshakeCaller> handshakes) {
    if (pid != pid_) {
        // Another vault process: nothing of the old one's is worth anything any more.
        if (requests_) {
            requests_->close();
        }
        if (handshakes_) {
            handshakes_->close();
        }
        pid_ = pid;
        requests_.reset();
        handshakes_.reset();
        context_.reset();
    }
    if (requests) {
        requests_ = std::move(requests);
    }
    if (handshakes) {
        handshakes_ = std::move(handshakes);
    }
    if (welcome.certificate_chain_size() != 0) {
        tls::ServerSettings settings{.certificate_chain = {}, .trust_anchors = {}, .tls12 = tls12_ && welcome.tls12()};
        for (const auto& certificate : welcome.certificate_chain()) {
            settings.certificate_chain.push_back(to_bytes(certificate));
        }
        for (const auto& anchor : welcome.trust_anchors()) {
            settings.trust_anchors.push_back(to_bytes(anchor));
        }
        auto context = tls::ServerContext::create(settings);
        if (context) {
            context_ = std::move(*context);
        }
    }
    publish();
}

void VaultLink::publish() {
    const bool complete = requests_ && requests_->is_open() && handshakes_ && handshakes_->is_open() && context_;
    const bool had = link_ != nullptr;
    link_ = complete ? std::make_shared<const Link>(Link{requests_, handshakes_, context_}) : nullptr;
    if (complete || had) {
        on_change_(complete);
    }
}

asio::awaitable<void> VaultLink::watch_requests(std::shared_ptr<RequestCaller> caller) {
    auto running = caller->run();
    co_await std::move(running);
    if (requests_ == caller) {
        requests_.reset();
        publish();
    }
}

asio::awaitable<void> VaultLink::watch_handshakes(std::shared_ptr<HandshakeCaller> caller) {
    auto running = caller->run();
    co_await std::move(running);
    if (handshakes_ == caller) {
        handshakes_.reset();
        publish();
    }
}

LinkPointer VaultLink::current() const {
    return link_ && link_->is_open() ? link_ : nullptr;
}

asio::awaitable<LinkPointer> VaultLink::wait(std::chrono::steady_clock::time_point deadline) {
    while (!current()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            co_return nullptr;
        }
        asio::steady_timer pause(executor_, std::chrono::milliseconds(20));
        auto waiting = pause.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
    co_return current();
}

tls::SignHook VaultLink::sign_hook(LinkPointer link, std::uint64_t connection) const {
    return
        [executor = executor_, link = std::move(link), connection](const tls::HandshakeToSign& what) -> Result<Bytes> {
            boundary::HandshakeRequest request;
            auto& sign = *request.mutable_sign();
            sign.set_connection(connection);
            if (const auto* tls13 = std::get_if<tls::Tls13Transcript>(&what)) {
                sign.mutable_tls13()->set_transcript_digest(std::string(as_text(tls13->digest)));
            } else {
                const auto& tls12 = std::get<tls::Tls12KeyExchange>(what);
                auto& exchange = *sign.mutable_tls12();
                exchange.set_client_random(std::string(as_text(tls12.client_random)));
                exchange.set_server_random(std::string(as_text(tls12.server_random)));
                exchange.set_ecdhe_parameters(std::string(as_text(tls12.ecdhe_parameters)));
            }
            auto answer = std::make_shared<std::promise<Bytes>>();
            auto signature = answer->get_future();
            asio::co_spawn(executor, ask_for_signature(link->handshakes, std::move(request), answer), asio::detached);
            if (signature.wait_for(kSignTimeMax) != std::future_status::ready) {
                return boundary::make_error_code(boundary::Errc::timed_out);
            }
            try {
                Bytes bytes = signature.get();
                if (!bytes.empty()) {
                    return bytes;
                }
            } catch (const std::future_error&) {
                // The event loop ended before the question was asked.
            }
            return boundary::make_error_code(boundary::Errc::connection_lost);
        };
}

}  // namespace xinfu::gateway
