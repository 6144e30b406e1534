// Caller: the asking side of a connection: gives requests their ids, keeps several in flight, and brings each
// reply to the call it belongs to. Requests and replies are messages with `id`; a reply whose `more` is set
// is followed by another with the same id.
//
// Threads: one strand, that of the channel.
// Trust:   a reply with an id that was never given out, or after the last one, closes the connection.
// Errors:  returned. When the connection ends, every pending call answers connection_lost (retryable).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/packet_channel.hpp"

namespace xinfu::boundary {

// Replies of one call that wait unread: 16 MiB at most. A reader that slow loses its call, not the others.
inline constexpr std::size_t kUnreadRepliesMax = 256;

template <class Request, class Reply>
class Caller {
    struct Pending {
        explicit Pending(const asio::any_io_executor& executor) : arrival(executor) {
            arrival.expires_at(asio::steady_timer::time_point::max());
        }
        std::deque<Envelope<Reply>> replies;
        boost::system::error_code error;  // of the call, once `replies` is empty
        bool last_arrived = false;
        bool abandoned = false;
        asio::steady_timer arrival;  // cancelled when something arrives
    };
    struct State {
        explicit State(PacketChannel open_channel) : channel(std::move(open_channel)) {}
        PacketChannel channel;
        std::uint64_t last_id = 0;
        std::unordered_map<std::uint64_t, std::shared_ptr<Pending>> pending;
    };

public:
    // A question under way. Dropping it before the last reply is allowed: what still comes is discarded.
    class Call {
    public:
        Call() = default;
        Call(std::uint64_t id, std::shared_ptr<Pending> pending) : id_(id), pending_(std::move(pending)) {}
        Call(Call&&) noexcept = default;
        Call& operator=(Call&& other) noexcept {
            abandon();
            id_ = other.id_;
            pending_ = std::move(other.pending_);
            return *this;
        }
        ~Call() { abandon(); }

        std::uint64_t id() const { return id_; }
        // A reply is here already, or the call has failed: next() will not wait.
        bool has_news() const { return !pending_->replies.empty() || pending_->error || pending_->last_arrived; }
        // The next reply. Safe to cancel: then no reply is lost. Errors: connection_lost, overrun; `closed`
        // after the last reply was taken.
        asio::awaitable<Result<Envelope<Reply>>> next() {
            auto pending = pending_;
            while (pending->replies.empty()) {
                if (pending->error) {
                    co_return pending->error;
                }
                if (pending->last_arrived) {
                    co_return Errc::closed;
                }
                constexpr auto token = asio::as_tuple(asio::use_awaitable);
                co_await pending->arrival.async_wait(token);
                const auto cancelled = co_await asio::this_coro::cancellation_state;
                if (cancelled.cancelled() != asio::cancellation_type::none) {
                    co_return asio::error::operation_aborted;
                }
            }
            Envelope<Reply> envelope = std::move(pending->replies.front());
            pending->replies.pop_front();
            co_return envelope;
        }

    private:
        void abandon() {
            if (pending_) {
                pending_->abandoned = true;
                pending_->replies.clear();
            }
        }
        std::uint64_t id_ = 0;
        std::shared_ptr<Pending> pending_;
    };

    explicit Caller(PacketChannel channel) : state_(std::make_shared<State>(std::move(channel))) {}
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { state_->channel.close(); }

    // Brings replies to their calls until the connection ends; answers why it did. Run it once, spawned on
    // the channel's executor; the Caller may be destroyed meanwhile, which ends it.
    asio::awaitable<boost::system::error_code> run() { return run(state_); }

    // Sends a question. Errors: connection_lost, too_large.
    asio::awaitable<Result<Call>> start(Request request) {
        auto state = state_;
        if (!state->channel.is_open()) {
            co_return Errc::connection_lost;
        }
        const std::uint64_t id = ++state->last_id;
        request.set_id(id);
        auto pending = std::make_shared<Pending>(state->channel.executor());
        // Registered before the send: the answer may be here before the send's coroutine resumes.
        state->pending.emplace(id, pending);
        Call call(id, pending);
        auto sending = state->channel.send(request);
        const auto sent = co_await std::move(sending);
        if (!sent) {
            state->pending.erase(id);
            co_return sent.error() == Errc::too_large ? sent.error() : make_error_code(Errc::connection_lost);
        }
        co_return call;
    }

    // A question with exactly one reply. Errors: as start and next; `unexpected` when more follow.
    asio::awaitable<Result<Envelope<Reply>>> ask(Request request) {
        auto starting = start(std::move(request));
        auto call = co_await std::move(starting);
        if (!call) {
            co_return call.error();
        }
        auto waiting = call->next();
        auto envelope = co_await std::move(waiting);
        if (!envelope) {
            co_return envelope.error();
        }
        if (more(envelope->message)) {
            co_return Errc::unexpected;
        }
        co_return envelope;
    }

    // Says something that has no reply. Errors: as start.
    asio::awaitable<Result<void>> tell(Request request) {
        auto state = state_;
        request.set_id(++state->last_id);
        auto sending = state->channel.send(request);
        const auto sent = co_await std::move(sending);
        if (!sent && sent.error() != Errc::too_large) {
            co_return Errc::connection_lost;
        }
        co_return sent;
    }

    bool is_open() const { return state_->channel.is_open(); }
    std::size_t pending() const { return state_->pending.size(); }
    void close() { state_->channel.close(); }

private:
    static bool more(const Reply& reply) {
        if constexpr (requires { reply.more(); }) {
            return reply.more();
        } else {
            return false;
        }
    }

    static asio::awaitable<boost::system::error_code> run(std::shared_ptr<State> state) {
        for (;;) {
            auto receiving = state->channel.template receive<Reply>();
            auto envelope = co_await std::move(receiving);
            if (!envelope) {
                fail_all(*state);
                co_return envelope.error();
            }
            const auto found = state->pending.find(envelope->message.id());
            if (found == state->pending.end()) {
                state->channel.close(Errc::unexpected);
                fail_all(*state);
                co_return Errc::unexpected;
            }
            const auto pending = found->second;
            if (!more(envelope->message)) {
                pending->last_arrived = true;
                state->pending.erase(found);
            }
            if (!pending->abandoned && !pending->error) {
                if (pending->replies.size() == kUnreadRepliesMax) {
                    pending->replies.clear();
                    pending->error = Errc::overrun;
                } else {
                    pending->replies.push_back(std::move(*envelope));
                }
                pending->arrival.cancel();
            }
        }
    }

    static void fail_all(State& state) {
        for (auto& [id, pending] : std::exchange(state.pending, {})) {
            pending->error = Errc::connection_lost;
            pending->arrival.cancel();
        }
    }

    std::shared_ptr<State> state_;
};

}  // namespace xinfu::boundary
