// A vault and an upper level for the courier's tests, in one process: the vault on socket pairs, the upper level behind
// TLS on loopback, with certificates of an authority made for the occasion.
#pragma once

#include <concepts>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "crypto/certificate_authority.hpp"
#include "crypto/handshake.hpp"
#include "daemon/boundary/packet_channel.hpp"
#include "daemon/courier/vault_link.hpp"
#include "daemon/tls/stream.hpp"

namespace xinfu::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Keys and certificates of one authority.
struct Authority {
    static crypto::UtcSeconds now() {
        return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    }
    crypto::CertificateAuthority ca =
        crypto::CertificateAuthority::create({"CN", "", "authority", "", ""}, now() - 1h, now() + 24h).value();
    crypto::SigningKey server_key = crypto::SigningKey::generate_p256();
    crypto::SigningKey node_key = crypto::SigningKey::generate_p256();
    crypto::Certificate server = issue(server_key, {"localhost", "127.0.0.1"});
    crypto::Certificate node = issue(node_key, {});

    crypto::Certificate issue(const crypto::SigningKey& key, std::vector<std::string> hosts) const {
        return ca
            .issue({"CN", "", "node", "11219900MB1A000015", ""}, key.public_key(),
                   {now() - 1h, now() + 1h, std::move(hosts)})
            .value();
    }
};

struct Received {
    std::string method;
    std::string target;
    std::uint64_t length = 0;
    crypto::Digest digest{};
    Bytes client_certificate;
    bool tls13 = false;
};

class FakeUpper {
public:
    struct Script {  // what to answer
        bool answer_before_body = false;
        bool close_after = false;
        bool silent = false;  // nothing, ever
        bool cut_answer = false;
        std::size_t gather = 1;        // requests that are read before any of them is answered
        std::size_t close_behind = 0;  // answers on a connection, which then ends; 0: it goes on
        std::string refuses;           // the target that is answered with 503, and nothing behind it
        unsigned status = 201;
        std::string body = "receipt\n";
    };
    FakeUpper(asio::io_context& io, const Authority& authority, const char* address = "127.0.0.1")
        : io_(io), acceptor_(io, tcp::endpoint(asio::ip::make_address(address), 0)), key_(authority.server_key) {
        const tls::ServerSettings settings{
            .certificate_chain = {authority.server.der()}, .trust_anchors = {}, .tls12 = true};
        context_ = tls::ServerContext::create(settings).value();
        asio::co_spawn(io_, serve(), asio::detached);
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::string url() const { return "https://localhost:" + std::to_string(port()); }

    Script script;
    std::vector<Received> received;
    int asked = 0;  // requests of which the head came
    int connections = 0;
    int broken = 0;  // requests whose body never became whole
    std::vector<std::shared_ptr<tls::Stream>> open;

private:
    asio::awaitable<void> serve() {
        for (;;) {
            auto accepting = acceptor_.async_accept(kAsTuple);
            auto [error, socket] = co_await std::move(accepting);
            if (error) {
                co_return;
            }
            ++connections;
            asio::co_spawn(io_, talk(std::move(socket)), asio::detached);
        }
    }
    tls::SignHook signer() const {
        return [key = key_](const tls::HandshakeToSign& what) -> Result<Bytes> {
            if (const auto* tls13 = std::get_if<tls::Tls13Transcript>(&what)) {
                return crypto::sign_tls13(key, crypto::TlsSide::server, tls13->digest);
            }
            const auto& tls12 = std::get<tls::Tls12KeyExchange>(what);
            return crypto::sign_tls12(key, tls12.client_random, tls12.server_random, tls12.ecdhe_parameters);
        };
    }
    asio::awaitable<void> talk(tcp::socket socket) {
        auto stream = std::make_shared<tls::Stream>(beast::tcp_stream(std::move(socket)),
                                                    tls::Engine::server(context_, signer()));
        auto handshaking = stream->handshake(io_.get_executor());
        const auto failed = co_await std::move(handshaking);
        if (failed) {
            co_return;
        }
        open.push_back(stream);
        beast::flat_buffer buffer;
        buffer.reserve(65536);
        std::vector<std::string> gathered;
        std::size_t answered = 0;
        for (;;) {
            http::request_parser<http::buffer_body> parser;
            parser.body_limit(std::uint64_t{1} << 40);
            auto reading = http::async_read_header(*stream, buffer, parser, kAsTuple);
            const auto [error, size] = co_await std::move(reading);
            if (error) {
                co_return;
            }
            ++asked;
            Received one;
            one.method = std::string(parser.get().method_string());
            one.target = std::string(parser.get().target());
            one.client_certificate = stream->engine().peer_proof()->certificate;
            one.tls13 = stream->engine().tls13();
            if (script.silent) {
                auto body = read_body(*stream, buffer, parser, one);
                co_await std::move(body);
                continue;
            }
            const bool expects = !parser.get()[http::field::expect].empty();
            if (expects && !script.answer_before_body) {
                const std::string go = "HTTP/1.1 100 Continue\r\n\r\n";
                auto writing = asio::async_write(*stream, asio::buffer(go), kAsTuple);
                co_await std::move(writing);
            }
            if (!script.answer_before_body) {
                auto body = read_body(*stream, buffer, parser, one);
                const bool whole = co_await std::move(body);
                if (!whole) {
                    ++broken;
                    co_return;
                }
            }
            const bool refused = !script.refuses.empty() && one.target == script.refuses;
            if (!refused) {
                received.push_back(one);
            }
            std::string answer = "HTTP/1.1 " + std::to_string(refused ? 503 : script.status) +
                                 " Whatever\r\nLocation: /v1/submissions/7\r\nRetry-After: 9\r\nContent-Length: " +
                                 std::to_string(script.body.size()) + "\r\n\r\n" + script.body;
            if (script.cut_answer) {
                answer.resize(answer.size() - 3);
            }
            gathered.push_back(std::move(answer));
            if (gathered.size() < std::min(script.gather, received.size())) {  // the first comes alone
                continue;
            }
            for (const auto& text : std::exchange(gathered, {})) {
                auto writing = asio::async_write(*stream, asio::buffer(text), kAsTuple);
                co_await std::move(writing);
                ++answered;
            }
            if (script.answer_before_body || script.close_after || script.cut_answer || refused ||
                answered == script.close_behind) {
                auto closing = stream->shutdown(100ms);
                co_await std::move(closing);
                co_return;
            }
        }
    }
    static asio::awaitable<bool> read_body(tls::Stream& stream, beast::flat_buffer& buffer,
                                           http::request_parser<http::buffer_body>& parser, Received& one) {
        crypto::Sha256 digest;
        std::vector<char> piece(65536);
        while (!parser.is_done()) {
            parser.get().body().data = piece.data();
            parser.get().body().size = piece.size();
            auto reading = http::async_read(stream, buffer, parser, kAsTuple);
            const auto [error, size] = co_await std::move(reading);
            if (error && error != http::error::need_buffer) {
                co_return false;
            }
            const std::size_t got = piece.size() - parser.get().body().size;
            digest.update(as_bytes(std::string_view(piece.data(), got)));
            one.length += got;
        }
        one.digest = digest.finish();
        co_return true;
    }

    asio::io_context& io_;
    tcp::acceptor acceptor_;
    crypto::SigningKey key_;
    std::shared_ptr<const tls::ServerContext> context_;
};

// The vault's side of both connections. Handshakes are answered on a thread of their own, as the vault does.
class FakeVault {
public:
    explicit FakeVault(asio::io_context& io) : io_(io) {}
    ~FakeVault() {
        if (handshakes_) {
            handshakes_->interrupt();
        }
        if (signer_.joinable()) {
            signer_.join();
        }
    }

    using Routes = std::vector<std::pair<std::string, std::string>>;  // name, URL

    void connect(courier::VaultLink& link, const crypto::Certificate& anchor, const crypto::Certificate& node,
                 crypto::SigningKey key, const Routes& routes) {
        const auto hand_over = [&](boundary::Descriptor descriptor) {
            asio::co_spawn(io_, link.take(theirs(std::move(descriptor))), asio::detached);
        };
        connect(hand_over, anchor, node, std::move(key), routes);
    }
    // `hand_over` takes the courier's end of each connection.
    template <class HandOver>
    requires std::invocable<HandOver, boundary::Descriptor>
    void connect(HandOver hand_over, const crypto::Certificate& anchor, const crypto::Certificate& node,
                 crypto::SigningKey key, const Routes& routes) {
        boundary::CourierWelcome welcome;
        welcome.set_node("city");
        welcome.add_certificate_chain(std::string(as_text(node.der())));
        for (const auto& [name, url] : routes) {
            auto& route = *welcome.add_routes();
            route.set_name(name);
            route.set_url(url);
            route.add_trust_anchors(std::string(as_text(anchor.der())));
        }
        auto task_pair = boundary::make_packet_pair().value();
        auto handshake_pair = boundary::make_packet_pair().value();
        tasks_ = std::make_unique<boundary::PacketChannel>(io_.get_executor(), mine(std::move(task_pair.first)));
        handshakes_ = std::make_unique<boundary::BlockingChannel>(mine(std::move(handshake_pair.first)));
        signer_ = std::thread([this, key = std::move(key)] { sign(key); });
        hand_over(std::move(task_pair.second));
        hand_over(std::move(handshake_pair.second));
        boundary::CourierWelcome second;
        second.set_purpose(boundary::CourierWelcome::HANDSHAKES);
        EXPECT_TRUE(handshakes_->send(second));
        asio::co_spawn(io_, run(welcome), asio::detached);
    }
    void put(std::string path, std::string body) {
        boundary::Task task;
        auto& put = *task.mutable_put();
        put.set_path(std::move(path));
        put.set_length(body.size());
        put.set_body(std::move(body));
        give(std::move(task), {});
    }
    // A body that a stream brings; `short_by` bytes of it never come.
    void put_stream(std::string path, std::string body, std::size_t short_by = 0) {
        boundary::Task task;
        task.mutable_put()->set_path(std::move(path));
        task.mutable_put()->set_length(body.size());
        body.resize(body.size() - short_by);
        auto pair = boundary::make_stream_pair().value();
        asio::local::stream_protocol::socket writer(io_, asio::local::stream_protocol(), pair.first.release());
        asio::co_spawn(io_, write(std::move(writer), std::move(body)), asio::detached);
        give(std::move(task), std::move(pair.second));
    }
    void get(std::string path) {
        boundary::Task task;
        task.mutable_get()->set_path(std::move(path));
        give(std::move(task), {});
    }
    void leave() { tasks_->close(); }

    std::vector<boundary::TaskResult> results;
    std::vector<std::string> states;
    std::uint64_t written = 0;  // of bodies
    std::uint32_t wait_ms = 0;  // told with the next Taken
    bool takes_no_503 = false;  // it has been told of one, and does not say that it knows
    int questions = 0;
    bool refuse_signatures = false;

private:
    static boundary::Connection mine(boundary::Descriptor descriptor) { return {std::move(descriptor), {}}; }
    static boundary::Connection theirs(boundary::Descriptor descriptor) {
        boundary::PeerRules rules;
        rules.may_pass_descriptors = true;
        return {std::move(descriptor), rules};
    }
    void give(boundary::Task task, boundary::Descriptor descriptor) {
        task.set_task(++last_task_);
        waiting_.emplace_back(std::move(task), std::move(descriptor));
        hand_out();
    }
    void hand_out() {
        if (asked_.empty() || waiting_.empty()) {
            return;
        }
        boundary::CourierReply reply;
        reply.set_id(asked_.front());
        asked_.pop_front();
        *reply.mutable_task() = std::move(waiting_.front().first);
        auto descriptor = std::move(waiting_.front().second);
        waiting_.pop_front();
        asio::co_spawn(io_, send(std::move(reply), std::move(descriptor)), asio::detached);
    }
    asio::awaitable<void> send(boundary::CourierReply reply, boundary::Descriptor descriptor) {
        auto sending = tasks_->send(reply, std::move(descriptor));
        [[maybe_unused]] const auto sent = co_await std::move(sending);  // a courier that is gone ends the reading
    }
    asio::awaitable<void> write(asio::local::stream_protocol::socket writer, std::string body) {
        for (std::size_t at = 0; at < body.size();) {
            auto writing = writer.async_write_some(asio::buffer(body.data() + at, body.size() - at), kAsTuple);
            const auto [error, size] = co_await std::move(writing);
            if (error) {
                co_return;
            }
            at += size;
            written += size;
        }
    }
    asio::awaitable<void> run(boundary::CourierWelcome welcome) {
        auto welcoming = tasks_->send(welcome);
        [[maybe_unused]] const auto welcomed =
            co_await std::move(welcoming);  // a courier that is gone ends the reading
        for (;;) {
            auto receiving = tasks_->receive<boundary::CourierRequest>();
            auto request = co_await std::move(receiving);
            if (!request) {
                co_return;
            }
            if (request->message.has_next_task()) {
                ++questions;
                asked_.push_back(request->message.id());
                hand_out();
            } else if (request->message.has_link_state()) {
                states.push_back(request->message.link_state().state());
            } else {
                results.push_back(request->message.task_result());
                if (takes_no_503 && results.back().http_status() == 503) {
                    continue;
                }
                auto taking = take(request->message.id());
                co_await std::move(taking);
            }
        }
    }
    asio::awaitable<void> take(std::uint64_t request) {
        boundary::CourierReply reply;
        reply.set_id(request);
        reply.mutable_taken()->set_wait_ms(wait_ms);
        auto sending = tasks_->send(reply);
        [[maybe_unused]] const auto sent = co_await std::move(sending);  // a courier that is gone ends the reading
    }
    void sign(const crypto::SigningKey& key) {
        for (;;) {
            auto request = handshakes_->receive<boundary::HandshakeRequest>();
            if (!request) {
                return;
            }
            boundary::HandshakeReply reply;
            reply.set_id(request->message.id());
            const auto signature = crypto::sign_tls13(key, crypto::TlsSide::client,
                                                      as_bytes(request->message.sign().tls13().transcript_digest()));
            if (refuse_signatures || !signature) {
                reply.mutable_problem()->set_code("XF-9001");
            } else {
                reply.set_signature(std::string(as_text(*signature)));
            }
            if (!handshakes_->send(reply)) {
                return;
            }
        }
    }

    asio::io_context& io_;
    std::unique_ptr<boundary::PacketChannel> tasks_;
    std::unique_ptr<boundary::BlockingChannel> handshakes_;
    std::thread signer_;
    std::deque<std::uint64_t> asked_;
    std::deque<std::pair<boundary::Task, boundary::Descriptor>> waiting_;
    std::uint64_t last_task_ = 0;
};

}  // namespace xinfu::test
