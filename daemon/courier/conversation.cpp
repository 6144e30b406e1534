#include "daemon/courier/conversation.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <optional>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
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
constexpr std::chrono::milliseconds kExplanationTimeMax{2000};
constexpr std::chrono::milliseconds kGoodbyeTimeMax{500};
static_assert(kBodyPieceBytes <= tls::kSendBytesMax);

std::uint32_t seconds(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // A date is allowed too (RFC 9110 section 10.2.3), but nobody here sends one.
    return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

std::string head_of(const UpperRequest& request, const std::string& authority, bool expects) {
    std::string head = (request.put    ? "PUT "
                        : request.post ? "POST "
                                       : "GET ") +
                       request.path + " HTTP/1.1\r\nHost: " + authority +
                       "\r\nUser-Agent: xinfu-courier\r\nAccept: */*\r\n";
    if (request.put) {
        head += "Content-Type: application/cms\r\nContent-Length: " + std::to_string(request.length) + "\r\n";
        if (expects) {
            head += "Expect: 100-continue\r\n";
        }
    }
    if (request.post) {
        head += "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(request.length) + "\r\n";
    }
    return head + "\r\n";
}

}  // namespace

bool comes_again(unsigned status) {
    return status == 0 || status >= 500 || status == 429 || status == 401 || status == 403 || status == 408;
}

// What sending, reading and the watch over time share. They all run on one strand.
struct Conversation::State {
    State(std::unique_ptr<tls::Stream> open_stream, std::string host, Errands& of, ConversationLimits with)
        : stream(std::move(open_stream)),
          authority(std::move(host)),
          errands(of),
          limits(with),
          changed(stream->get_executor(), Clock::time_point::max()),
          alarm(stream->get_executor()),
          body(stream->get_executor()) {}

    void close() {
        stream->next_layer().close();
        error_code ignored;
        body.close(ignored);
    }
    // Nothing more is sent. What was answered is told already.
    void end(std::string reason) {
        if (!ended) {
            ended = true;
            why = std::move(reason);
        }
        notify();
    }
    void notify() { changed.cancel(); }
    void expect_progress(std::string what, std::chrono::milliseconds limit) {
        waiting_for = std::move(what);
        progress_until = Clock::now() + limit;
        rearm();
    }
    // The foremost request is another one, or has been sent whole.
    void expect_answer() {
        answer_until = Clock::time_point::max();
        if (begun > 0 && !send_failure.empty() && begun == 1) {
            // What was not sent whole is never mistaken for whole, because its length was announced; the answer that
            // explains why may be on its way.
            answer_until = Clock::now() + std::min(limits.answer, kExplanationTimeMax);
        } else if (begun > 0 && (begun > 1 || !sending)) {
            answer_until = Clock::now() + limits.answer;
        }
        rearm();
    }
    Clock::time_point deadline() const { return std::min(progress_until, answer_until); }
    void rearm() {
        if (deadline() < alarm.expiry()) {
            alarm.cancel();
        }
    }
    asio::awaitable<void> wait_for_change(Clock::time_point until = Clock::time_point::max());

    std::unique_ptr<tls::Stream> stream;
    std::string authority;
    Errands& errands;
    ConversationLimits limits;

    asio::steady_timer changed;  // cancelled when there may be something to do; run() alone waits for it
    asio::steady_timer alarm;
    Clock::time_point progress_until = Clock::time_point::max();
    Clock::time_point answer_until = Clock::time_point::max();
    std::string waiting_for;  // what the first of them is about
    asio::local::stream_protocol::socket body;

    std::size_t begun = 0;     // so many of the foremost errands were sent; of the last of them maybe a part
    bool sending = false;      // the last one of them is being sent
    std::string send_failure;  // why the last one of them cannot be sent whole
    bool go_ahead = false;     // 100 came for the foremost
    bool answered = false;
    bool octets_came = false;
    bool held = false;
    bool ended = false;
    std::string why;
    bool finishing = false;
    bool orderly = false;  // it ends because there is nothing to say
    bool reading = false;
    bool watching = false;
};

asio::awaitable<void> Conversation::State::wait_for_change(Clock::time_point until) {
    changed.expires_at(until);
    auto waiting = changed.async_wait(kAsTuple);
    co_await std::move(waiting);
}

Conversation::Conversation(std::unique_ptr<tls::Stream> stream, std::string authority, Errands& errands,
                           ConversationLimits limits)
    : state_(std::make_shared<State>(std::move(stream), std::move(authority), errands, limits)) {}
Conversation::~Conversation() = default;

void Conversation::notify() {
    state_->notify();
}
void Conversation::finish() {
    state_->finishing = true;
    state_->notify();
}
void Conversation::abort() {
    state_->end("given up");
    state_->close();
}
bool Conversation::is_warm() const {
    return state_->answered && !state_->ended;
}

namespace {

// The next answer that is not an interim one; those pass by, and `on_interim` is called.
struct Heard {
    error_code error;
    bool octets_came = false;
    bool keep_alive = false;
    UpperAnswer answer;
};

asio::awaitable<Heard> hear(tls::Stream& stream, beast::flat_buffer& buffer, std::function<void()> on_interim) {
    Heard heard;
    std::optional<http::response_parser<http::buffer_body>> parser;
    do {
        parser.emplace();
        parser->header_limit(kAnswerHeadBytesMax);
        parser->body_limit(boost::none);  // counted below: a limit here would hide what the head says
        auto reading = http::async_read_header(stream, buffer, *parser, kAsTuple);
        const auto [error, size] = co_await std::move(reading);
        heard.octets_came = heard.octets_came || size != 0 || buffer.size() != 0;
        if (error) {
            heard.error = error;
            co_return heard;
        }
        if (parser->get().result_int() / 100 == 1) {
            on_interim();
            parser.reset();
        }
    } while (!parser);
    auto& head = parser->get();
    char piece[8192];
    std::size_t size_so_far = 0;
    while (!parser->is_done() && size_so_far <= kAnswerSizeBytesMax) {
        head.body().data = piece;
        head.body().size = sizeof piece;
        auto reading = http::async_read_some(stream, buffer, *parser, kAsTuple);
        const auto [error, size] = co_await std::move(reading);
        if (error && error != http::error::need_buffer) {
            heard.error = error;  // an answer that broke off is none
            co_return heard;
        }
        const std::size_t got = sizeof piece - head.body().size;
        size_so_far += got;
        heard.answer.body.append(piece, std::min(got, kAnswerKeptBytesMax - heard.answer.body.size()));
    }
    heard.answer.reached = true;
    heard.answer.status = head.result_int();
    heard.answer.location = head[http::field::location];
    heard.answer.retry_after_seconds = seconds(head[http::field::retry_after]);
    heard.keep_alive = parser->is_done() && head.keep_alive();  // too long an answer is an answer, and the last one
    co_return heard;
}

}  // namespace

// Brings each answer to its errand. The connection is read all the time: that it ended is known before anybody relies
// on it.
asio::awaitable<void> Conversation::read(std::shared_ptr<State> state) {
    beast::flat_buffer buffer(kAnswerHeadBytesMax + 16 * 1024);
    buffer.reserve(16 * 1024);  // or the first reads would take 512 bytes each
    std::string why;
    while (!state->ended) {
        const auto go_ahead = [state = state.get()] {
            state->go_ahead = true;
            state->notify();
        };
        auto hearing = hear(*state->stream, buffer, go_ahead);
        auto heard = co_await std::move(hearing);
        if (heard.error || state->begun == 0) {
            state->octets_came = heard.octets_came;
            why = heard.error ? "no answer: " + heard.error.message() : "the upper level said something unasked";
            break;
        }
        const bool whole = state->begun > 1 || (!state->sending && state->send_failure.empty());
        const Errand errand = std::move(state->errands.front());
        state->errands.pop_front();
        --state->begun;
        state->answered = true;
        state->go_ahead = false;
        state->held = errand.request.put && comes_again(heard.answer.status);
        if (state->held || !heard.keep_alive || !whole) {
            state->end("the upper level ended the connection");
        }
        state->expect_answer();
        errand.told(std::move(heard.answer));
        state->notify();
    }
    state->end(std::move(why));
    state->reading = false;
    if (!state->orderly) {
        state->close();  // ends the sending too: nobody listens any more
    }
    state->alarm.cancel();
    state->notify();
}

// Closes everything when a deadline, which moves with progress, has passed.
asio::awaitable<void> Conversation::watch(std::shared_ptr<State> state) {
    while (state->reading) {
        state->alarm.expires_at(state->deadline());
        auto waiting = state->alarm.async_wait(kAsTuple);
        co_await std::move(waiting);
        if (state->reading && Clock::now() >= state->deadline()) {
            const bool answer = state->answer_until <= state->progress_until;
            state->end(!state->send_failure.empty() ? state->send_failure : answer ? "no answer" : state->waiting_for);
            state->close();
            break;
        }
    }
    state->watching = false;
    state->notify();
}

// Sends the errand behind those that were begun. Answers why it could not; that the conversation ended meanwhile is no
// error.
asio::awaitable<std::string> Conversation::send(std::shared_ptr<State> state) {
    // Moved out: an early answer takes the errand away. A body in memory stays, to be sent again if need be.
    Errand& errand = state->errands[state->begun];
    const std::uint64_t length = errand.request.length;
    boundary::Descriptor stream = std::move(errand.request.stream);
    assert(stream || !errand.request.streamed);
    // A refusal costs no body. A level that has taken parcels on this connection is not asked before each: it would
    // cost a way there and back, and an early refusal ends the sending as well.
    const bool expects = errand.request.streamed && !state->answered;
    const std::string head = head_of(errand.request, state->authority, expects) + errand.request.body;
    ++state->begun;
    state->sending = true;
    const std::string stalled = "the upper level takes nothing any more";
    state->expect_progress(stalled, state->limits.progress);
    auto sending = asio::async_write(*state->stream, asio::buffer(head), kAsTuple);
    const auto [head_error, head_size] = co_await std::move(sending);
    if (head_error) {
        co_return head_error.message();
    }
    if (!stream) {
        co_return std::string{};
    }
    error_code error;
    state->body = asio::local::stream_protocol::socket(state->stream->get_executor());
    state->body.assign(asio::local::stream_protocol(), stream.release(), error);
    if (error) {
        co_return "the body's stream cannot be read: " + error.message();
    }
    const auto go_ahead_until = Clock::now() + state->limits.go_ahead;
    while (expects && !state->go_ahead && !state->ended && Clock::now() < go_ahead_until) {
        auto waiting = state->wait_for_change(go_ahead_until);
        co_await std::move(waiting);
    }
    Bytes piece(std::min<std::uint64_t>(kBodyPieceBytes, std::max<std::uint64_t>(length, 1)));
    for (std::uint64_t sent = 0; sent < length && !state->ended;) {
        state->expect_progress("the vault does not bring the body", state->limits.progress);
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), length - sent));
        auto reading = state->body.async_read_some(asio::buffer(piece.data(), wanted), kAsTuple);
        const auto [read_error, got] = co_await std::move(reading);
        if (read_error) {
            co_return "the body broke off: " + read_error.message();
        }
        state->expect_progress(stalled, state->limits.progress);
        auto writing = asio::async_write(*state->stream, asio::buffer(piece.data(), got), kAsTuple);
        const auto [write_error, written] = co_await std::move(writing);
        if (write_error) {
            co_return write_error.message();
        }
        sent += got;
    }
    state->body.close(error);
    co_return std::string{};
}

asio::awaitable<Conversation::End> Conversation::run() {
    const auto state = state_;
    const auto executor = state->stream->get_executor();
    state->stream->next_layer().expires_never();
    state->reading = state->watching = true;
    asio::co_spawn(executor, read(state), asio::detached);
    asio::co_spawn(executor, watch(state), asio::detached);

    auto idle_since = Clock::now();
    while (!state->ended) {
        const auto& errands = state->errands;
        if (errands.size() > state->begun && (state->answered || state->begun == 0)) {
            auto sending = send(state);
            std::string failure = co_await std::move(sending);
            state->sending = false;
            state->progress_until = Clock::time_point::max();
            if (!failure.empty() && !state->ended) {
                state->send_failure = std::move(failure);
                error_code ignored;
                state->stream->next_layer().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
                state->expect_answer();
                while (!state->ended) {  // those before it are still answered
                    auto waiting = state->wait_for_change();
                    co_await std::move(waiting);
                }
            } else if (state->begun == 1) {
                state->expect_answer();
            }
            idle_since = Clock::now();
            continue;
        }
        if (!errands.empty()) {
            idle_since = Clock::now();
        } else if (state->finishing || Clock::now() - idle_since >= state->limits.idle) {
            state->orderly = true;
            state->end({});
            state->stream->next_layer().cancel();  // the reader's wait
            break;
        }
        auto waiting =
            state->wait_for_change(errands.empty() ? idle_since + state->limits.idle : Clock::time_point::max());
        co_await std::move(waiting);
    }
    if (!state->orderly) {
        state->close();
    }
    while (state->reading || state->watching) {
        auto waiting = state->wait_for_change();
        co_await std::move(waiting);
    }
    if (state->orderly) {
        auto closing = state->stream->shutdown(kGoodbyeTimeMax);
        co_await std::move(closing);
    }
    End end;
    end.begun = state->begun;
    end.answered = state->answered;
    end.octets_came = state->octets_came;
    end.held = state->held;
    end.why = !state->send_failure.empty() && state->begun == 1 ? state->send_failure : state->why;
    co_return end;
}

}  // namespace xinfu::courier
