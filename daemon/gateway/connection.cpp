#include "daemon/gateway/connection.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
// With unknown clients, where there is no room for others. A client speaks first and at once; then it has to sign.
constexpr std::chrono::milliseconds kGreeting{100};
constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::seconds kLinger{2};  // until the client has closed too
constexpr std::chrono::milliseconds kLingerGivenUp{100};
constexpr std::size_t kFirstReadBytes = 4096;
constexpr std::size_t kWriteBytes = 64 * 1024;  // each has a deadline of its own
constexpr std::chrono::seconds kWriteTimeMax{30};
constexpr std::size_t kBodyBufferBytes = 64 * 1024;  // Beast reads 512 bytes at a time into less
constexpr std::size_t kProofBytesMax = 60 * 1024;    // what fits a packet beside the rest
constexpr std::size_t kTokenBytesMax = 256;
constexpr std::size_t kHandleBytes = 16;
constexpr std::string_view kCookieName = "__Host-xinfu=";

std::string text(const beast::string_view& view) {
    return {view.data(), view.size()};
}

// A person's token, from Authorization or the console's cookie.
std::string find_token(const Request::Parser::value_type& head) {
    const std::string authorization = text(head[http::field::authorization]);
    constexpr std::string_view kBearer = "bearer ";
    std::string token;
    if (authorization.size() > kBearer.size() &&
        beast::iequals(beast::string_view(authorization.data(), kBearer.size()), kBearer)) {
        token = authorization.substr(kBearer.size());
    } else {
        const std::string cookies = text(head[http::field::cookie]);
        for (std::size_t at = 0; at < cookies.size();) {
            const std::size_t end = std::min(cookies.find(';', at), cookies.size());
            std::string_view cookie = std::string_view(cookies).substr(at, end - at);
            cookie.remove_prefix(std::min(cookie.find_first_not_of(' '), cookie.size()));
            if (cookie.starts_with(kCookieName)) {
                token = cookie.substr(kCookieName.size());
            }
            at = end + 1;
        }
    }
    // Anything but printable ASCII is none of ours, and not even fit for a message's text.
    const bool plain = std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
    return plain && token.size() <= kTokenBytesMax ? token : std::string{};
}

// RFC 9110 section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 40> date{};
    const std::size_t length = std::strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {date.data(), length};
}

std::string_view act_name(Act act) {
    switch (act) {
        case Act::put_submission: return "submit";
        case Act::check: return "check";
        case Act::get_submission: return "read_submission";
        case Act::get_receipt: return "read_receipt";
        case Act::get_defects: return "read_defects";
        case Act::get_original: return "read_original";
        case Act::list_catalogs: return "list_catalogs";
        case Act::get_catalog: return "read_catalog";
        case Act::get_template: return "read_template";
        case Act::query_records: return "query";
        case Act::get_route: return "read_route";
        case Act::read_checkpoint: return "read_checkpoint";
        case Act::read_tile: return "read_tile";
        case Act::read_entries: return "read_entries";
        case Act::search_log: return "search_log";
        case Act::trace_record: return "trace_record";
        case Act::open_session: return "open_session";
        case Act::close_session: return "close_session";
        case Act::get_status: return "read_status";
        case Act::read_quality: return "read_quality";
        case Act::get_envelope_certificate: return "read_certificate";
        case Act::describe_uploads: return "describe_uploads";
        case Act::open_upload: return "open_upload";
        case Act::get_upload: return "read_upload";
        case Act::append_upload: return "append_upload";
        case Act::drop_upload: return "drop_upload";
        case Act::list_requests: return "read_requests";
        case Act::open_request: return "request";
        case Act::get_request: return "read_request";
        case Act::get_approval: return "read_approval";
        case Act::decide_request: return "decide";
        case Act::list_accounts: return "read_accounts";
        case Act::get_account: return "read_account";
        case Act::disable_account: return "disable_account";
        case Act::list_policies:
        case Act::get_policy: return "read_policies";
        case Act::get_paths: return "read_paths";
        case Act::add_checkpoint: return "cosign";
        case Act::read_feed: return "read_feed";
    }
    return "other";
}

bool is_management(Act act) {
    switch (act) {
        case Act::list_requests:
        case Act::open_request:
        case Act::get_request:
        case Act::get_approval:
        case Act::decide_request:
        case Act::list_accounts:
        case Act::get_account:
        case Act::disable_account:
        case Act::list_policies: return true;
        default: return false;
    }
}

}  // namespace

// What a client waits for, while it is looked after whether it still waits.
struct Connection::Arrival {
    Arrival(Connection& of, RequestCaller::Call of_call)
        : connection(of),
          call(std::move(of_call)),
          timer(of.executor(), std::chrono::steady_clock::time_point::max()) {}
    void wake() {
        timer.cancel();
        if (reading) {
            connection.cancel_reading();
        }
    }
    Connection& connection;
    RequestCaller::Call call;
    std::optional<Result<boundary::Envelope<boundary::GatewayReply>>> news;
    asio::steady_timer timer;
    bool reading = false;
};

bool is_malformed(const error_code& error) {
    return error.category() == http::make_error_code(http::error::bad_method).category() &&
           error != http::error::end_of_stream && error != http::error::partial_message;
}

Connection::Connection(Services& services, beast::tcp_stream socket, boundary::SourceAddress source)
    : services_(services), socket_(std::move(socket)), source_(std::move(source)), id_(++services.last_connection) {}

asio::awaitable<void> Connection::run() {
    bool more = true;
    while (more) {
        auto serving = serve_one();
        more = co_await std::move(serving);
    }
    auto ending = stream_->shutdown(given_up_ ? std::chrono::steady_clock::duration(kLingerGivenUp) : kLinger);
    co_await std::move(ending);
    if (const auto vault = caller(); vault && !handle_.empty()) {
        boundary::GatewayRequest request;
        request.set_handle(handle_);
        request.mutable_disconnected();
        auto telling = vault->tell(std::move(request));
        (void)co_await std::move(telling);  // if it cannot be told, the handle is dead anyway
    }
}

bool Connection::may_be_given_up() const {
    if (introduced_) {
        return Clock::now() - *introduced_ >= kPatience;  // a refusal takes no time: the rest was the client's
    }
    return stream_ && stream_->waited() >= (stream_->has_answered() ? kPatience : kGreeting);
}

void Connection::drain() {
    keep_alive_ = false;
    if (idle_) {
        cancel_reading();
    }
    if (arrival_) {
        arrival_->wake();
    }
}

void Connection::abort() {
    broken_ = true;
    keep_alive_ = false;
    (stream_ ? stream_->next_layer() : socket_).close();
    if (arrival_) {
        arrival_->timer.cancel();
    }
}

void Connection::give_up() {
    given_up_ = true;
    if (idle_) {
        drain();
    } else {
        abort();
    }
}

asio::awaitable<bool> Connection::introduce() {
    const auto deadline = Clock::now() + services_.limits.handshake_seconds;
    // While the vault restarts nobody can sign; waiting a moment is better than failing.
    auto waiting = services_.vault.wait(deadline);
    link_ = co_await std::move(waiting);
    if (broken_) {
        co_return false;
    }
    if (!link_) {
        services_.refusals.count("XF-6003", source_);
        services_.metrics.count_refusal("XF-6003");
        co_return false;
    }
    stream_.emplace(std::move(socket_), tls::Engine::server(link_->context, services_.vault.sign_hook(link_, id_)));
    ++services_.metrics.handshakes_open;
    auto shaking = stream_->handshake(services_.workers, deadline - Clock::now());
    const error_code error = co_await std::move(shaking);
    --services_.metrics.handshakes_open;
    if (broken_) {
        co_return false;  // given up meanwhile, and counted by whoever did
    }
    if (error) {
        const std::string_view code = error == tls::Errc::no_client_certificate ? "XF-1113" : "XF-1114";
        services_.refusals.count(code, source_);
        services_.metrics.count_refusal(code);
        auto ending = stream_->shutdown(std::chrono::milliseconds(200));
        co_await std::move(ending);
        co_return false;
    }
    ++services_.metrics.handshakes_total;
    auto proving = prove();
    co_await std::move(proving);
    introduced_ = Clock::now();
    co_return true;
}

asio::awaitable<void> Connection::prove() {
    const tls::PeerProof& proof = *stream_->engine().peer_proof();
    if (proof.signed_bytes.size() + proof.certificate.size() > kProofBytesMax) {
        standing_ = make_problem("XF-1005");
        co_return;
    }
    boundary::HandshakeRequest request;
    auto& prove = *request.mutable_prove();
    prove.set_connection(id_);
    prove.set_certificate(std::string(as_text(proof.certificate)));
    prove.set_tls13(proof.tls13);
    prove.set_signed_bytes(std::string(as_text(proof.signed_bytes)));
    prove.set_padding(proof.padding);
    prove.set_der_encoded(proof.der_encoded);
    prove.set_signature(std::string(as_text(proof.signature)));
    *prove.mutable_source() = source_;
    auto asking = link_->handshakes->ask(std::move(request));
    const auto reply = co_await std::move(asking);
    if (!reply) {
        standing_ = make_problem("XF-6003", {}, 1);
    } else if (reply->message.has_problem()) {
        standing_ = reply->message.problem();
    } else if (!reply->message.has_proven()) {
        standing_ = make_problem("XF-9002");
    } else {
        handle_ = reply->message.proven().handle();
        principal_ = reply->message.proven().principal();
        if (reply->message.proven().has_standing()) {
            standing_ = reply->message.proven().standing();
        } else if (handle_.size() != kHandleBytes) {
            standing_ = make_problem("XF-9002");
        }
    }
}

boundary::GatewayRequest Connection::question(const Request& request) const {
    boundary::GatewayRequest question;
    question.set_handle(handle_);
    *question.mutable_source() = source_;
    question.set_token(request.token);
    return question;
}

std::shared_ptr<RequestCaller> Connection::caller() const {
    // Only the link over which this client was proven knows its handle.
    return link_ && link_->requests->is_open() ? link_->requests : nullptr;
}

asio::awaitable<std::optional<Result<boundary::Envelope<boundary::GatewayReply>>>> Connection::next_while_present(
    RequestCaller::Call call, bool& gone) {
    const auto arrival = std::make_shared<Arrival>(*this, std::move(call));
    auto watching = [](std::shared_ptr<Arrival> waited, std::shared_ptr<Connection>) -> asio::awaitable<void> {
        auto waiting = waited->call.next();
        auto reply = co_await std::move(waiting);
        waited->news.emplace(std::move(reply));
        waited->wake();
    };
    asio::co_spawn(executor(), watching(arrival, shared_from_this()), asio::detached);
    arrival_ = arrival.get();
    waits_since_ = Clock::now();  // others may need the place more
    stream_->next_layer().expires_never();
    if (buffer_.size() == 0 && !arrival->news && !services_.draining) {
        arrival->reading = true;
        auto reading = stream_->async_read_some(buffer_.prepare(kFirstReadBytes), kAsTuple);
        const auto [error, count] = co_await std::move(reading);
        arrival->reading = false;
        buffer_.commit(count);  // of its next request
        gone = error && !arrival->news && !services_.draining;
    }
    while (!gone && !broken_ && !arrival->news && !services_.draining) {
        auto waiting = arrival->timer.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
    waits_since_.reset();
    arrival_ = nullptr;
    gone = gone || broken_;
    co_return std::move(arrival->news);
}

asio::awaitable<bool> Connection::wait_for_request() {
    if (buffer_.size() != 0) {
        co_return true;  // pipelined
    }
    if (!keep_alive_ || services_.draining) {
        co_return false;
    }
    buffer_.shrink_to_fit();
    idle_ = true;
    stream_->next_layer().expires_after(services_.limits.idle_seconds);
    auto reading = stream_->async_read_some(buffer_.prepare(kFirstReadBytes), kAsTuple);
    const auto [error, count] = co_await std::move(reading);
    idle_ = false;
    buffer_.commit(count);
    co_return !error && count != 0;
}

// A head that is acceptable whatever it asks for, or the refusal.
std::optional<Response> Connection::check_head(Request& request) {
    const auto& head = request.parser.get();
    const auto refuse = [](std::string_view code, std::vector<std::string> arguments = {}) {
        auto response = render_problem(make_problem(code, std::move(arguments)));
        response.close = true;
        return response;
    };
    if (head.version() != 11) {
        return refuse("XF-1118");
    }
    if (head.count(http::field::host) != 1 || head.count(http::field::transfer_encoding) > 1) {
        return refuse("XF-1111");
    }
    const auto expect = head[http::field::expect];
    if (!expect.empty()) {
        if (!beast::iequals(expect, "100-continue")) {
            return refuse("XF-1115");
        }
        request.expects = !request.parser.is_done();
    }
    const auto encoding = head[http::field::content_encoding];
    if (!encoding.empty() && !beast::iequals(encoding, "identity")) {
        return refuse("XF-1116");
    }
    request.token = find_token(head);
    return std::nullopt;
}

asio::awaitable<std::optional<Response>> Connection::answer(Request& request, std::string_view& act) {
    act = "other";
    if (auto refusal = check_head(request)) {
        co_return refusal;
    }
    if (standing_) {
        auto refusal = render_problem(*standing_);
        refusal.close = true;
        co_return refusal;
    }
    const auto& head = request.parser.get();
    std::string method = text(head.method_string());
    if (method == "POST" && head.target().starts_with("/v1/uploads/")) {
        // tus 1.0: for clients behind something that knows no PATCH.
        if (const auto meant = head["X-HTTP-Method-Override"]; !meant.empty()) {
            method = text(meant);
        }
    }
    auto found = find_route(method, text(head.target()));
    if (const auto* none = std::get_if<NoRoute>(&found)) {
        auto response = render_problem(make_problem(
            none->code, none->argument.empty() ? std::vector<std::string>{} : std::vector{none->argument}));
        if (!none->allow.empty()) {
            response.headers.emplace_back("Allow", none->allow);
        }
        co_return response;
    }
    Route route = std::move(std::get<Route>(found));
    act = act_name(route.act);
    if (!caller()) {
        auto response = render_problem(make_problem("XF-6003", {}, 1));
        response.close = true;  // a new connection is proven to the vault that runs then
        co_return response;
    }
    switch (route.act) {
        case Act::put_submission:
        case Act::check: {
            auto acting = submit(*this, request, std::move(route));
            co_return co_await std::move(acting);
        }
        case Act::describe_uploads:
        case Act::open_upload:
        case Act::get_upload:
        case Act::append_upload:
        case Act::drop_upload: {
            auto acting = upload(*this, request, std::move(route));
            co_return co_await std::move(acting);
        }
        default: {
            auto waiting = services_.turns.take(principal_, Clock::now() + kTurnTimeMax);
            auto turn = co_await std::move(waiting);
            if (!turn) {
                co_return render_problem(make_problem("XF-1108"));
            }
            request.turn.emplace(std::move(*turn));
            auto acting = is_management(route.act) ? manage(*this, request, std::move(route))
                                                   : read(*this, request, std::move(route));
            co_return co_await std::move(acting);
        }
    }
}

asio::awaitable<bool> Connection::serve_one() {
    waits_since_ = Clock::now();  // until the head is here
    auto waiting = wait_for_request();
    if (!co_await std::move(waiting)) {
        co_return false;
    }
    Request request;
    request.began = Clock::now();
    request.parser.header_limit(static_cast<std::uint32_t>(services_.limits.head_bytes));
    request.parser.body_limit(boost::none);  // each act has its own
    stream_->next_layer().expires_after(services_.limits.head_seconds);
    auto reading = http::async_read_header(*stream_, buffer_, request.parser, kAsTuple);
    const auto [error, count] = co_await std::move(reading);
    waits_since_.reset();
    keep_alive_ = keep_alive_ && ++requests_ < services_.limits.requests_per_connection;
    std::optional<Response> response;
    std::string_view act = "other";
    if (error) {
        if (!is_malformed(error)) {
            co_return false;
        }
        const bool large = error == http::error::header_limit || error == http::error::buffer_overflow;
        response = render_problem(large ? make_problem("XF-1101", {std::to_string(services_.limits.head_bytes)})
                                        : make_problem("XF-1111"));
        response->close = true;
    } else {
        keep_alive_ = keep_alive_ && request.parser.keep_alive();
        window_began_ = Clock::now();
        window_bytes_ = 0;
        auto answering = answer(request, act);
        response = co_await std::move(answering);
    }
    if (response) {
        // What is left of a body cannot be told from a next request; whoever waits for 100 may send it or not.
        if (!request.parser.is_done()) {
            response->close = true;
        }
        auto writing = write(&request, std::move(*response));
        co_await std::move(writing);
    }
    services_.metrics.count_answer(act, status_, Clock::now() - request.began);
    co_return keep_alive_ && !broken_;
}

asio::awaitable<void> Connection::send_continue(Request& request) {
    if (std::exchange(request.expects, false)) {
        auto writing = write_bytes("HTTP/1.1 100 Continue\r\n\r\n");
        co_await std::move(writing);
        window_began_ = Clock::now();
    }
}

asio::awaitable<Result<std::size_t>> Connection::read_body(Request& request, std::span<char> room) {
    auto continuing = send_continue(request);
    co_await std::move(continuing);
    if (broken_) {
        co_return error_code(tls::Errc::closed);
    }
    if (request.parser.is_done()) {
        co_return std::size_t{0};
    }
    buffer_.reserve(kBodyBufferBytes);
    auto& body = request.parser.get().body();
    body.data = room.data();
    body.size = room.size();
    body.more = true;
    const auto& limits = services_.limits;
    while (body.size == room.size() && !request.parser.is_done()) {
        const auto window_ends = window_began_ + limits.body_window_seconds;
        if (limits.body_bytes_per_second == 0) {
            stream_->next_layer().expires_after(limits.idle_seconds);
        } else if (Clock::now() >= window_ends) {
            const auto wanted =
                limits.body_bytes_per_second * static_cast<std::uint64_t>(limits.body_window_seconds.count());
            if (window_bytes_ < wanted) {
                co_return error_code(asio::error::timed_out);
            }
            window_began_ = Clock::now();
            window_bytes_ = 0;
            continue;
        } else {
            stream_->next_layer().expires_at(window_ends);
        }
        waits_since_ = Clock::now();
        auto reading = http::async_read_some(*stream_, buffer_, request.parser, kAsTuple);
        const auto [error, count] = co_await std::move(reading);
        waits_since_.reset();
        if (error == beast::error::timeout) {
            // The window ended in the middle of a read. Beast has closed the socket: there is nobody to answer.
            broken_ = true;
            co_return error_code(asio::error::timed_out);
        }
        if (error && error != http::error::need_buffer) {
            co_return error;
        }
    }
    const std::size_t count = room.size() - body.size;
    window_bytes_ += count;
    services_.metrics.bodies_bytes_total += count;
    co_return count;
}

asio::awaitable<std::optional<std::string>> Connection::read_small_body(Request& request, std::size_t size_max,
                                                                        BodyFailure& failure) {
    const auto refuse = [&failure](boundary::Problem problem) {
        failure.answer = render_problem(problem);
        failure.answer->close = true;
    };
    const auto announced = request.parser.content_length();
    if (announced && *announced > size_max) {
        refuse(make_problem("XF-1102", {std::to_string(size_max)}));
        co_return std::nullopt;
    }
    std::string body;
    std::array<char, 8192> piece;
    for (;;) {
        auto reading = read_body(request, piece);
        const auto count = co_await std::move(reading);
        if (!count) {
            if (count.error() == asio::error::timed_out) {
                refuse(make_problem("XF-1112", {std::to_string(services_.limits.body_bytes_per_second)}));
            } else if (is_malformed(count.error())) {
                refuse(make_problem("XF-1111"));
            } else {
                broken_ = true;
            }
            co_return std::nullopt;
        }
        if (*count == 0) {
            co_return body;
        }
        if (body.size() + *count > size_max) {
            refuse(make_problem("XF-1102", {std::to_string(size_max)}));
            co_return std::nullopt;
        }
        body.append(piece.data(), *count);
    }
}

std::string Connection::head_of(const Request* request, const Response& response, std::optional<std::uint64_t> length,
                                bool chunked) {
    if (response.close || services_.draining || (request && !request->parser.is_done())) {
        keep_alive_ = false;
    }
    status_ = response.status;
    const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
    std::string head =
        "HTTP/1.1 " + std::to_string(response.status) + " " + text(reason) + "\r\nDate: " + http_date() + "\r\n";
    bool cache_said = false;
    for (const auto& [name, value] : response.headers) {
        head += name + ": " + value + "\r\n";
        cache_said = cache_said || name == "Cache-Control";
    }
    if (!response.content_type.empty()) {
        head += "Content-Type: " + response.content_type + "\r\nX-Content-Type-Options: nosniff\r\n";
    }
    if (!cache_said) {
        head += "Cache-Control: no-store\r\n";
    }
    if (chunked) {
        head += "Transfer-Encoding: chunked\r\n";
    } else if (length && response.status != 204) {
        head += "Content-Length: " + std::to_string(*length) + "\r\n";
    }
    head += keep_alive_ ? "\r\n" : "Connection: close\r\n\r\n";
    return head;
}

asio::awaitable<bool> Connection::write_bytes(std::string_view bytes) {
    while (!bytes.empty() && !broken_) {
        const auto some = bytes.substr(0, kWriteBytes);
        stream_->next_layer().expires_after(kWriteTimeMax);
        auto writing = asio::async_write(*stream_, asio::buffer(some), kAsTuple);
        const auto [error, count] = co_await std::move(writing);
        if (error) {
            broken_ = true;
        }
        bytes.remove_prefix(some.size());
    }
    co_return !broken_;
}

asio::awaitable<bool> Connection::write(Request* request, Response response) {
    std::string bytes = head_of(request, response, response.body.size(), false);
    bytes += response.body;
    auto writing = write_bytes(bytes);
    co_return co_await std::move(writing);
}

asio::awaitable<bool> Connection::begin_pieces(Request& request, Response head, std::optional<std::uint64_t> length) {
    chunked_ = !length;
    const std::string bytes = head_of(&request, head, length, chunked_);
    auto writing = write_bytes(bytes);
    co_return co_await std::move(writing);
}

asio::awaitable<bool> Connection::write_piece(std::string_view piece) {
    if (piece.empty()) {
        co_return !broken_;
    }
    std::string bytes;
    if (chunked_) {
        std::array<char, 20> size{};
        std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
        bytes = size.data();
    }
    bytes += piece;
    bytes += chunked_ ? "\r\n" : "";
    auto writing = write_bytes(bytes);
    co_return co_await std::move(writing);
}

asio::awaitable<bool> Connection::end_pieces() {
    auto writing = write_bytes(chunked_ ? std::string_view("0\r\n\r\n") : std::string_view());
    co_return co_await std::move(writing);
}

}  // namespace xinfu::gateway
