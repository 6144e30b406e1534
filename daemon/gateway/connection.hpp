// Connection: one client, from its handshake to its end: proves it to the vault, reads its requests one after the
// other, and writes the answers. What a request means is in reading.cpp and submitting.cpp.
//
// Threads: one strand; the handshake's messages are processed on `workers`.
// Trust:   the client is hostile. Whether it may do what it asks is the vault's decision, every time.
// Errors:  one ends this connection alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "daemon/config/config.hpp"
#include "daemon/gateway/metrics.hpp"
#include "daemon/gateway/refusals.hpp"
#include "daemon/gateway/response.hpp"
#include "daemon/gateway/routes.hpp"
#include "daemon/gateway/turns.hpp"
#include "daemon/gateway/vault_link.hpp"
#include "daemon/tls/stream.hpp"

namespace xinfu::gateway {

// What all connections share.
struct Services {
    config::GatewayLimits limits;
    VaultLink& vault;
    Metrics& metrics;
    Refusals& refusals;
    Turns& turns;
    asio::any_io_executor workers;  // handshakes
    bool draining = false;          // answer what was begun, then close
    std::uint64_t last_connection = 0;
};

// One request under way.
struct Request {
    using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
    Parser parser;
    std::chrono::steady_clock::time_point began;
    std::string token;                // of a person's session
    std::optional<Turns::Turn> turn;  // of a reading, until its answer is written
    bool expects = false;             // 100 (Continue) is waited for and not sent yet
};

// The body did not arrive: the connection is of no further use, or there is an answer that says so.
struct BodyFailure {
    std::optional<Response> answer;
};

// The client's bytes are not HTTP, as opposed to a connection that ended.
bool is_malformed(const boost::system::error_code& error);

class Connection : public std::enable_shared_from_this<Connection> {
public:
    using Clock = std::chrono::steady_clock;

    Connection(Services& services, boost::beast::tcp_stream socket, boundary::SourceAddress source);

    // The handshake, and who the client is. False: there is nobody to serve.
    asio::awaitable<bool> introduce();
    // The client is a principal in good standing. What others ask is only refused.
    bool is_known() const { return !handle_.empty() && !standing_; }
    const std::string& principal() const { return principal_; }  // empty until introduced
    // An unknown client that has kept us waiting for longer than an honest one does. Never while it waits for us.
    bool may_be_given_up() const;
    // Since when a known client has kept us waiting for octets; empty while it waits for us.
    std::optional<Clock::time_point> waits_since() const { return waits_since_; }
    bool is_idle() const { return idle_; }  // between two requests
    std::uint64_t id() const { return id_; }
    const std::string& handle() const { return handle_; }  // empty until introduced
    const boundary::SourceAddress& source() const { return source_; }
    // Its requests, until the connection ends.
    asio::awaitable<void> run();
    // Ends the connection if it waits for a request; else after the answer under way.
    void drain();
    // Ends it now.
    void abort();
    // Ends it for the sake of others: in order if it waits for a request, else now.
    void give_up();

    // ---- for the acts ----
    Services& services() { return services_; }
    asio::any_io_executor executor() { return stream_->get_executor(); }
    bool broken() const { return broken_; }
    // A question to the vault in this client's name.
    boundary::GatewayRequest question(const Request& request) const;
    // Null when the vault that knows this client is gone.
    std::shared_ptr<RequestCaller> caller() const;

    // A call's next reply, however long it takes. `gone`: the client went away meanwhile. Empty without that: this
    // gateway stops.
    asio::awaitable<std::optional<Result<boundary::Envelope<boundary::GatewayReply>>>> next_while_present(
        RequestCaller::Call call, bool& gone);
    // Sends 100 (Continue) where it is waited for and not sent yet.
    asio::awaitable<void> send_continue(Request& request);
    // The next piece of the body, into `room`; 0 at its end. Sends 100 (Continue) first where it is waited for. Keeps
    // to the minimum rate. Errors: those of the stream; timed_out; of Beast for a malformed body.
    asio::awaitable<Result<std::size_t>> read_body(Request& request, std::span<char> room);
    // The whole body, at most `size_max`. Otherwise a BodyFailure is in `failure`.
    asio::awaitable<std::optional<std::string>> read_small_body(Request& request, std::size_t size_max,
                                                                BodyFailure& failure);
    void cancel_reading() { stream_->next_layer().cancel(); }
    // Time spent waiting for ourselves does not count against the sender's rate.
    void pause_rate(std::chrono::steady_clock::duration spent) { window_began_ += spent; }

    // Answers in pieces: a head with neither Content-Length nor end, pieces, and the end. After `length` bytes were
    // announced, exactly so many follow; else chunks.
    asio::awaitable<bool> begin_pieces(Request& request, Response head, std::optional<std::uint64_t> length);
    asio::awaitable<bool> write_piece(std::string_view bytes);
    asio::awaitable<bool> end_pieces();

private:
    struct Arrival;
    struct Answered {
        unsigned status = 0;
        bool keep = false;
    };
    asio::awaitable<void> prove();
    asio::awaitable<bool> wait_for_request();
    asio::awaitable<bool> serve_one();
    asio::awaitable<std::optional<Response>> answer(Request& request, std::string_view& act);
    std::optional<Response> check_head(Request& request);
    asio::awaitable<bool> write(Request* request, Response response);
    asio::awaitable<bool> write_bytes(std::string_view bytes);
    std::string head_of(const Request* request, const Response& response, std::optional<std::uint64_t> length,
                        bool chunked);

    Services& services_;
    boost::beast::tcp_stream socket_;  // until the handshake begins
    std::optional<tls::Stream> stream_;
    boundary::SourceAddress source_;
    LinkPointer link_;
    std::string handle_;
    std::string principal_;
    std::optional<boundary::Problem> standing_;  // every request is answered with it
    boost::beast::flat_buffer buffer_;
    std::uint64_t id_;  // later ones have greater ones
    std::optional<Clock::time_point> introduced_;
    std::optional<Clock::time_point> waits_since_;
    std::uint32_t requests_ = 0;
    Arrival* arrival_ = nullptr;  // while one is waited for
    bool idle_ = false;           // waits for a request
    bool keep_alive_ = true;      // after the answer under way
    bool broken_ = false;         // nothing can be written any more
    bool given_up_ = false;       // others wait for its place
    bool chunked_ = false;        // of the pieces under way
    unsigned status_ = 0;         // of the last answer
    Clock::time_point window_began_;
    std::uint64_t window_bytes_ = 0;
};

}  // namespace xinfu::gateway
