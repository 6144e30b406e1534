#include "daemon/courier/conversation.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

namespace xinfu::courier {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBodyPieceBytes = 64 * 1024;
static_assert(kBodyPieceBytes <= tls::kSendBytesMax);

// What sending, reading and the watch over time share. They all run on one strand.
struct Shared {
    Shared(tls::Stream& open_stream, const asio::any_io_executor& executor)
        : stream(open_stream), changed(executor, Clock::time_point::max()), alarm(executor), body(executor) {}

    void close() {
        stream.next_layer().close();
        error_code ignored;
        body.close(ignored);
    }
    void notify() { changed.cancel(); }

    tls::Stream& stream;
    asio::steady_timer changed;  // never expires; cancelled when one of the flags changes
    asio::steady_timer alarm;
    Clock::time_point deadline = Clock::time_point::max();
    asio::local::stream_protocol::socket body;
    UpperAnswer answer;
    error_code read_error;
    std::string too_slow;     // what did not come in time
    std::string waiting_for;  // what is being waited for
    bool go_ahead = false;    // 100 came
    bool request_sent = false;
    bool octets_came = false;
    bool keep_alive = false;
    bool reader_done = false;
    bool watch_done = false;
    bool over = false;
};

std::uint32_t seconds(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // A date is allowed too (RFC 9110 section 10.2.3), but nobody here sends one.
    return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// The answer itself; interim ones pass by.
asio::awaitable<error_code> read_answer(Shared& shared) {
    beast::flat_buffer buffer(kAnswerHeadBytesMax + 16 * 1024);
    buffer.reserve(16 * 1024);  // or the first reads would take 512 bytes each
    std::optional<http::response_parser<http::buffer_body>> parser;
    for (;;) {
        parser.emplace();
        parser->header_limit(kAnswerHeadBytesMax);
        parser->body_limit(boost::none);  // counted below: a limit here would hide what the head says
        auto reading = http::async_read_header(shared.stream, buffer, *parser, kAsTuple);
        const auto [error, size] = co_await std::move(reading);
        shared.octets_came = shared.octets_came || size != 0;
        if (error) {
            co_return error;
        }
        if (parser->get().result_int() / 100 != 1) {
            break;
        }
        shared.go_ahead = true;
        shared.notify();
    }
    auto& head = parser->get();
    char piece[8192];
    std::size_t size_so_far = 0;
    while (!parser->is_done() && size_so_far <= kAnswerSizeBytesMax) {
        head.body().data = piece;
        head.body().size = sizeof piece;
        auto reading = http::async_read_some(shared.stream, buffer, *parser, kAsTuple);
        const auto [error, size] = co_await std::move(reading);
        if (error && error != http::error::need_buffer) {
            co_return error;  // an answer that broke off is none
        }
        const std::size_t got = sizeof piece - head.body().size;
        size_so_far += got;
        auto& body = shared.answer.body;
        body.append(piece, std::min(got, kAnswerKeptBytesMax - body.size()));
    }
    shared.answer.status = head.result_int();
    shared.answer.location = head[http::field::location];
    shared.answer.retry_after_seconds = seconds(head[http::field::retry_after]);
    shared.keep_alive = parser->is_done() && head.keep_alive();  // too long an answer is an answer, and the last one
    co_return error_code{};
}

asio::awaitable<void> run_reader(std::shared_ptr<Shared> shared) {
    auto reading = read_answer(*shared);
    shared->read_error = co_await std::move(reading);
    shared->reader_done = true;
    if (!shared->request_sent) {
        shared->close();  // ends the sending too: nobody listens any more
    }
    shared->notify();
}

// Closes everything when the deadline, which moves with progress, has passed.
asio::awaitable<void> run_watch(std::shared_ptr<Shared> shared) {
    while (!shared->over) {
        shared->alarm.expires_at(shared->deadline);
        auto waiting = shared->alarm.async_wait(kAsTuple);
        co_await std::move(waiting);
        if (!shared->over && Clock::now() >= shared->deadline) {
            shared->too_slow = shared->waiting_for;
            shared->close();
            break;
        }
    }
    shared->watch_done = true;
    shared->notify();
}

asio::awaitable<void> wait_for_change(Shared& shared, Clock::time_point until = Clock::time_point::max()) {
    shared.changed.expires_at(until);
    auto waiting = shared.changed.async_wait(kAsTuple);
    co_await std::move(waiting);
}

void expect(Shared& shared, std::string what, std::chrono::milliseconds limit) {
    shared.waiting_for = std::move(what);
    shared.deadline = Clock::now() + limit;
}

std::string head_of(const UpperRequest& request, const std::string& authority) {
    std::string head = (request.put ? "PUT " : "GET ") + request.path + " HTTP/1.1\r\nHost: " + authority +
                       "\r\nUser-Agent: xinfu-courier\r\nAccept: */*\r\n";
    if (request.put) {
        head += "Content-Type: application/cms\r\nContent-Length: " + std::to_string(request.length) + "\r\n";
        if (request.stream) {
            head += "Expect: 100-continue\r\n";  // a refusal costs no body
        }
    }
    return head + "\r\n";
}

// Sends head and body. Answers why it could not; an early answer is no error.
asio::awaitable<std::string> send_request(Shared& shared, UpperRequest& request, const std::string& authority,
                                          const ConversationLimits& limits) {
    const std::string stalled = "the upper level takes nothing any more";
    expect(shared, stalled, limits.progress);
    const std::string head = head_of(request, authority) + request.body;
    auto sending = asio::async_write(shared.stream, asio::buffer(head), kAsTuple);
    const auto [head_error, head_size] = co_await std::move(sending);
    if (head_error) {
        co_return head_error.message();
    }
    if (!request.stream) {
        shared.request_sent = true;
        co_return std::string{};
    }
    error_code error;
    shared.body.assign(asio::local::stream_protocol(), request.stream.release(), error);
    if (error) {
        co_return "the body's stream cannot be read: " + error.message();
    }
    const auto go_ahead_until = Clock::now() + limits.go_ahead;
    while (!shared.go_ahead && !shared.reader_done && Clock::now() < go_ahead_until) {
        auto waiting = wait_for_change(shared, go_ahead_until);
        co_await std::move(waiting);
    }
    Bytes piece(std::min<std::uint64_t>(kBodyPieceBytes, std::max<std::uint64_t>(request.length, 1)));
    for (std::uint64_t sent = 0; sent < request.length && !shared.reader_done;) {
        expect(shared, "the vault does not bring the body", limits.progress);
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), request.length - sent));
        auto reading = shared.body.async_read_some(asio::buffer(piece.data(), wanted), kAsTuple);
        const auto [read_error, got] = co_await std::move(reading);
        if (read_error) {
            co_return "the body broke off: " + read_error.message();
        }
        expect(shared, stalled, limits.progress);
        auto writing = asio::async_write(shared.stream, asio::buffer(piece.data(), got), kAsTuple);
        const auto [write_error, written] = co_await std::move(writing);
        if (write_error) {
            co_return write_error.message();
        }
        sent += got;
        shared.request_sent = sent == request.length;
    }
    shared.request_sent = shared.request_sent || request.length == 0;
    co_return std::string{};
}

}  // namespace

asio::awaitable<ConversationResult> converse(tls::Stream& stream, std::string authority, UpperRequest request,
                                             ConversationLimits limits) {
    const auto executor = co_await asio::this_coro::executor;
    const auto shared = std::make_shared<Shared>(stream, executor);
    stream.next_layer().expires_never();
    expect(*shared, "no progress", limits.progress);
    asio::co_spawn(executor, run_reader(shared), asio::detached);
    asio::co_spawn(executor, run_watch(shared), asio::detached);

    auto sending = send_request(*shared, request, authority, limits);
    const std::string send_failure = co_await std::move(sending);
    if (!send_failure.empty() && !shared->reader_done) {
        // The answer that explains the failure may be on its way; what was not sent whole is never mistaken for whole,
        // because its length was announced.
        expect(*shared, send_failure, std::min(limits.answer, std::chrono::milliseconds(2000)));
        error_code ignored;
        shared->stream.next_layer().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    } else if (!shared->reader_done) {
        expect(*shared, "no answer", limits.answer);
    }
    shared->alarm.cancel();  // the deadline may have come closer
    while (!shared->reader_done) {
        auto waiting = wait_for_change(*shared);
        co_await std::move(waiting);
    }
    shared->over = true;
    shared->alarm.cancel();
    while (!shared->watch_done) {
        auto waiting = wait_for_change(*shared);
        co_await std::move(waiting);
    }

    ConversationResult result;
    result.answer = std::move(shared->answer);
    result.answer.reached = true;
    result.octets_came = shared->octets_came;
    if (result.answer.status == 0) {
        result.answer.body.clear();
        result.answer.failure = !shared->too_slow.empty() ? shared->too_slow
                                : !send_failure.empty()   ? send_failure
                                                          : "no answer: " + shared->read_error.message();
    }
    result.reusable = result.answer.status != 0 && shared->keep_alive && shared->request_sent;
    if (!result.reusable) {
        shared->close();
    }
    co_return result;
}

}  // namespace xinfu::courier
