#include "daemon/vault/inspector_pool.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/boundary/error.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// Crashes this old are forgotten.
constexpr std::chrono::minutes kForgiveAfter{10};

}  // namespace

struct InspectorLease::Instance {
    Instance(std::string principal, boundary::PacketChannel open, boundary::Descriptor copy)
        : key(std::move(principal)), channel(std::move(open)), watched(std::move(copy)) {}

    // An idle inspector has nothing to say: readable means it is gone or out of order.
    bool alive() const {
        pollfd state{watched.get(), POLLIN, 0};
        return channel.is_open() && ::poll(&state, 1, 0) == 0;
    }

    std::string key;
    boundary::PacketChannel channel;
    boundary::Descriptor watched;  // the same connection, to look at without reading
    InspectorReplies replies;
    crypto::Digest policies{};
    std::uint32_t files = 0;
    SteadyClock::time_point idle_since{};
};

InspectorLease::InspectorLease(Inspectors* pool, std::unique_ptr<Instance> instance)
    : pool_(pool), instance_(std::move(instance)) {}
InspectorLease::InspectorLease(InspectorLease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), instance_(std::move(other.instance_)) {}
InspectorLease& InspectorLease::operator=(InspectorLease&& other) noexcept {
    crash();
    pool_ = std::exchange(other.pool_, nullptr);
    instance_ = std::move(other.instance_);
    return *this;
}
InspectorLease::~InspectorLease() {
    crash();
}

boundary::PacketChannel& InspectorLease::channel() {
    return instance_->channel;
}

InspectorReplies& InspectorLease::replies() {
    return instance_->replies;
}

void InspectorLease::keep() {
    if (instance_) {
        std::exchange(pool_, nullptr)->give_back(std::move(instance_));
    }
}

void InspectorLease::drop() {
    if (instance_) {
        std::exchange(pool_, nullptr)->discard(std::move(instance_));
    }
}

void InspectorLease::crash() {
    if (instance_) {
        pool_->note_crash(instance_->key);
        drop();
    }
}

Inspectors::Inspectors(asio::io_context& io, Dial dial, InspectorLimits limits)
    : io_(io), dial_(std::move(dial)), limits_(limits), tick_(io) {}

Inspectors::~Inspectors() = default;

std::unique_ptr<InspectorLease::Instance> Inspectors::take_idle(const std::string& key,
                                                                const crypto::Digest& policies) {
    for (auto at = idle_.begin(); at != idle_.end();) {
        if ((*at)->key != key) {
            ++at;
            continue;
        }
        auto instance = std::move(*at);
        at = idle_.erase(at);
        if (instance->alive() && instance->policies == policies) {
            return instance;
        }
        discard(std::move(instance));
    }
    return nullptr;
}

bool Inspectors::make_room() {
    if (idle_.empty()) {
        return false;
    }
    auto oldest = std::move(idle_.front());
    idle_.pop_front();
    discard(std::move(oldest));
    return true;
}

void Inspectors::give_back(std::unique_ptr<InspectorLease::Instance> instance) {
    back_off_.erase(instance->key);
    if (++instance->files >= limits_.files_max || stopped_ || !instance->alive()) {
        discard(std::move(instance));
        return;
    }
    instance->idle_since = SteadyClock::now();
    idle_.push_back(std::move(instance));
    wake_waiting();
}

void Inspectors::discard(std::unique_ptr<InspectorLease::Instance> instance) {
    const auto count = per_key_.find(instance->key);
    if (--count->second == 0) {
        per_key_.erase(count);
    }
    --instances_;
    instance.reset();  // closes the connection: the inspector ends at its end
    wake_waiting();
}

void Inspectors::note_crash(const std::string& key) {
    ++crashes_;
    auto& state = back_off_[key];
    const auto shift = std::min<std::uint32_t>(state.crashes, 16);
    const auto wait = std::min(limits_.back_off_max, limits_.back_off_min * (1u << shift));
    ++state.crashes;
    state.until = SteadyClock::now() + wait;
}

void Inspectors::wake_waiting() {
    // All of them look again: who finds nothing waits on. They are few, and each is bounded in time.
    for (auto* timer : waiting_) {
        timer->cancel();
    }
}

asio::awaitable<Result<InspectorLease>> Inspectors::take(std::string key, std::shared_ptr<const PolicySet> policies,
                                                         std::size_t most) {
    most = std::min(most, limits_.instances_per_key_max);
    const crypto::Digest wanted = policies ? policies->digest : crypto::Digest{};
    const auto deadline = SteadyClock::now() + limits_.waiting_time_max;
    for (;;) {
        if (stopped_) {
            co_return boundary::Errc::not_running;
        }
        const auto back_off = back_off_.find(key);
        if (back_off != back_off_.end() && SteadyClock::now() < back_off->second.until) {
            co_return boundary::Errc::not_running;
        }
        if (auto instance = take_idle(key, wanted)) {
            co_return InspectorLease(this, std::move(instance));
        }
        const auto mine = per_key_.find(key);
        const bool may_start = mine == per_key_.end() || mine->second < most;
        if (may_start && (instances_ < limits_.instances_max || make_room())) {
            auto starting = start(key, policies);
            auto started = co_await std::move(starting);
            if (!started) {
                co_return started.error();
            }
            co_return InspectorLease(this, std::move(*started));
        }
        if (waiting_.size() >= limits_.waiting_max || SteadyClock::now() >= deadline) {
            co_return storage::Errc::busy;
        }
        asio::steady_timer turn(io_, deadline);
        const auto place = waiting_.insert(waiting_.end(), &turn);
        auto wait = turn.async_wait(kAsTuple);
        co_await std::move(wait);
        waiting_.erase(place);
    }
}

asio::awaitable<Result<std::unique_ptr<InspectorLease::Instance>>> Inspectors::start(
    std::string key, std::shared_ptr<const PolicySet> policies) {
    // Counted before the first suspension, so that nobody else takes the place.
    ++instances_;
    ++per_key_[key];
    const auto give_up = [this, &key]() {
        const auto count = per_key_.find(key);
        if (--count->second == 0) {
            per_key_.erase(count);
        }
        --instances_;
        wake_waiting();
    };
    auto dialling = dial_();
    auto connection = co_await std::move(dialling);
    if (!connection) {
        give_up();
        co_return connection.error();
    }
    boundary::Descriptor copy(::dup(connection->descriptor.get()));
    if (!copy) {
        give_up();
        co_return boundary::Errc::not_running;
    }
    auto instance = std::make_unique<InspectorLease::Instance>(
        std::move(key), boundary::PacketChannel(io_.get_executor(), std::move(*connection)), std::move(copy));
    if (policies) {
        instance->policies = policies->digest;
        auto loading = load_packs(instance->channel, *policies);
        const auto loaded = co_await std::move(loading);
        if (!loaded) {
            note_crash(instance->key);
            discard(std::move(instance));
            co_return loaded.error();
        }
    }
    co_return std::move(instance);
}

asio::awaitable<Result<void>> Inspectors::load_packs(boundary::PacketChannel& channel, const PolicySet& policies) {
    // A hanging instance is closed from here; whoever waits for it then gets `closed`.
    struct Alarm {
        asio::steady_timer timer;
        boundary::PacketChannel* channel;
    };
    struct Disarm {
        std::shared_ptr<Alarm> alarm;
        ~Disarm() {
            alarm->channel = nullptr;  // also for a handler that is on its way already
            alarm->timer.cancel();
        }
    };
    const Disarm disarm{std::make_shared<Alarm>(Alarm{asio::steady_timer(io_, limits_.loading_time_max), &channel})};
    disarm.alarm->timer.async_wait([alarm = disarm.alarm](const boost::system::error_code& error) {
        if (!error && alarm->channel != nullptr) {
            alarm->channel->close(boundary::Errc::timed_out);
        }
    });
    for (std::size_t place = 0; place < policies.packs.size(); ++place) {
        const auto& pack = policies.packs[place];
        if (pack.kind == storage::PackKind::access) {
            continue;  // no inspector decides who may do what
        }
        auto sending = send_pack(channel, pack, policies.catalog_of[place]);
        if (const auto sent = co_await std::move(sending); !sent) {
            co_return sent.error();
        }
        for (bool more = true; more;) {
            auto receiving = channel.receive<boundary::InspectorReply>();
            const auto reply = co_await std::move(receiving);
            if (!reply) {
                co_return reply.error();
            }
            if (pack.kind == storage::PackKind::calendar ? !reply->message.has_calendar()
                                                         : !reply->message.has_pack_loaded()) {
                channel.close(boundary::Errc::unexpected);
                co_return boundary::Errc::unexpected;
            }
            more = pack.kind == storage::PackKind::catalog && reply->message.pack_loaded().more();
        }
    }
    co_return Result<void>{};
}

asio::awaitable<void> Inspectors::run() {
    while (!stopped_) {
        tick_.expires_after(std::min<std::chrono::milliseconds>(limits_.idle / 2, std::chrono::seconds{5}));
        auto wait = tick_.async_wait(kAsTuple);
        co_await std::move(wait);
        const auto now = SteadyClock::now();
        while (!idle_.empty() && now - idle_.front()->idle_since >= limits_.idle) {
            make_room();
        }
        std::erase_if(back_off_, [now](const auto& entry) { return now - entry.second.until > kForgiveAfter; });
    }
}

void Inspectors::stop() {
    stopped_ = true;
    while (make_room()) {
    }
    wake_waiting();
    tick_.cancel();
}

}  // namespace xinfu::vault
