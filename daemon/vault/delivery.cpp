#include "daemon/vault/delivery.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "crypto/envelope_key.hpp"
#include "crypto/gcm_stream.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/original_reader.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBodyInTaskSizeBytesMax = 48 * 1024;
constexpr std::size_t kStreamBytes = 256 * 1024;  // in memory of a parcel that is poured: two chunks, two sockets
constexpr std::size_t kScanMax = 4096;            // rows looked at in one search

// What a parcel's envelope contains, in order; without an envelope the parcel itself.
class ParcelContent {
public:
    ParcelContent(const storage::rows::Parcel& parcel, OriginalReader original, std::uint64_t offset,
                  std::uint64_t length)
        : parcel_(parcel), original_(std::move(original)), skip_(offset), left_(length) {}

    // Empty at the end. The view lives until the next call.
    Result<ByteView> next() {
        if (part_ == 0) {
            ++part_;
            return as_bytes(parcel_.prefix());
        }
        while (part_ == 1) {
            if (left_ == 0) {
                ++part_;
                break;
            }
            auto piece = original_.next();
            if (!piece) {
                return piece.error();
            }
            if (piece->empty()) {
                return storage::Errc::corrupt;
            }
            ByteView bytes = *piece;
            const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
            skip_ -= skipped;
            bytes = bytes.subspan(skipped);
            bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
            left_ -= bytes.size();
            if (!bytes.empty()) {
                return bytes;
            }
        }
        if (part_ == 2) {
            ++part_;
            return as_bytes(parcel_.manifest());
        }
        if (part_ == 3) {
            ++part_;
            return as_bytes(parcel_.suffix());
        }
        return ByteView{};
    }

private:
    const storage::rows::Parcel& parcel_;
    OriginalReader original_;
    std::uint64_t skip_;
    std::uint64_t left_;
    int part_ = 0;
};

// A parcel's bytes in order: always the same, since all that is random in them is in its row.
class ParcelBytes {
public:
    ParcelBytes(storage::rows::Parcel parcel, OriginalReader original, std::uint64_t offset, std::uint64_t length)
        : parcel_(std::move(parcel)), content_(parcel_, std::move(original), offset, length) {
        if (!parcel_.content_key().empty()) {
            sealer_.emplace(as_bytes(parcel_.content_key()), as_bytes(parcel_.nonce()));
        }
    }
    ParcelBytes(const ParcelBytes&) = delete;  // content_ refers to parcel_

    // Empty at the end. The view lives until the next call.
    Result<ByteView> next() {
        if (!sealer_ && !ended_) {
            auto piece = content_.next();
            return piece ? Result<ByteView>(take(*piece)) : piece;
        }
        cipher_.clear();
        if (!std::exchange(begun_, true)) {
            return take(as_bytes(parcel_.envelope_prefix()));
        }
        while (cipher_.empty() && !ended_) {
            const auto piece = content_.next();
            if (!piece) {
                return piece.error();
            }
            if (!piece->empty()) {
                sealer_->update(*piece, cipher_);
                continue;
            }
            ended_ = true;
            const auto suffix = crypto::Envelope::suffix(sealer_->finish(cipher_));
            cipher_.insert(cipher_.end(), suffix.begin(), suffix.end());
        }
        return take(cipher_);
    }
    crypto::Digest digest() { return state_.finish(); }

private:
    ByteView take(ByteView bytes) {
        state_.update(bytes);
        return bytes;
    }
    storage::rows::Parcel parcel_;
    ParcelContent content_;
    std::optional<crypto::GcmSealer> sealer_;
    bool begun_ = false;
    bool ended_ = false;
    Bytes cipher_;
    crypto::Sha256 state_;
};

// A parcel too large for a packet. The digest is there once the last byte was handed over.
asio::awaitable<void> pour(asio::io_context& io, std::unique_ptr<ParcelBytes> bytes, boundary::Descriptor stream,
                           std::shared_ptr<std::optional<crypto::Digest>> digest) {
    asio::local::stream_protocol::socket socket(io);
    boost::system::error_code assigned;
    socket.assign(asio::local::stream_protocol(), stream.release(), assigned);
    while (!assigned) {
        const auto piece = bytes->next();
        if (!piece) {
            co_return;  // the stream ends early: the courier knows the length and reports a failure
        }
        if (piece->empty()) {
            *digest = bytes->digest();
            co_return;
        }
        auto writing = asio::async_write(socket, asio::buffer(piece->data(), piece->size()), kAsTuple);
        const auto [error, written] = co_await std::move(writing);
        if (error) {
            co_return;
        }
    }
}

}  // namespace

Delivery::Delivery(Context& context, Cosignatures& cosignatures) : context_(context), cosignatures_(cosignatures) {}
Delivery::~Delivery() = default;

Result<void> Delivery::start() {
    for (const auto& configured : context_.config.routes) {
        auto route = std::make_unique<Route>(configured, context_.io);
        auto log = crypto::NoteVerifier::parse(configured.log_key);
        if (!log) {
            return log.error();
        }
        route->log.emplace(std::move(*log));
        for (const auto& onward : configured.onward) {
            auto key = crypto::NoteVerifier::parse(onward.log_key);
            if (!key) {
                return key.error();
            }
            route->onward.emplace_back(&onward, std::move(*key));
        }
        routes_.emplace(configured.name, std::move(route));
    }
    // Tasks of an earlier run, reported late, meet no task of this one.
    const auto random = context_.random.array<6>();
    for (const auto octet : random) {
        last_task_ = last_task_ << 8 | octet;
    }
    return {};
}

void Delivery::wake() {
    for (auto& [name, route] : routes_) {
        route->changed.cancel();
    }
}

void Delivery::stop() {
    stopped_ = true;
    wake();
}

asio::awaitable<std::optional<Delivery::Work>> Delivery::next(std::string name) {
    const auto found = routes_.find(name);
    const auto deadline = SteadyClock::now() + kLongPoll;
    while (!stopped_) {
        if (found != routes_.end()) {
            auto work = find_work(*found->second);
            if (work && *work) {
                co_return std::move(**work);
            }
        }
        if (SteadyClock::now() >= deadline) {
            break;
        }
        if (found == routes_.end()) {
            asio::steady_timer idle(context_.io, deadline);
            auto waiting = idle.async_wait(kAsTuple);
            co_await std::move(waiting);
            continue;
        }
        Route& route = *found->second;
        route.changed.expires_at(std::min(deadline, next_due(route)));
        auto waiting = route.changed.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
    co_return std::optional<Work>{};
}

Delivery::SteadyTime Delivery::next_due(const Route& route) const {
    const auto now = SteadyClock::now();
    auto due = SteadyTime::max();
    const auto consider = [&due](SteadyTime time) { due = std::min(due, time); };
    if (route.link_due > now) {
        consider(route.link_due);
    }
    for (const auto& [sequence, retry] : route.postponed) {
        consider(std::max(retry.due, route.link_due));
    }
    for (const auto& [sequence, retry] : route.asked_after) {
        consider(std::max(retry.due, route.link_due));
    }
    consider(std::max(cosignatures_.due(route.config.name), route.link_due));
    if (cosignatures_.holds(route.config.name)) {
        consider(cosignatures_.held_until(route.config.name));
    }
    // Never at once: what is due and was not found waits for a free place, and that wakes us.
    return std::max(due, now + std::chrono::milliseconds{20});
}

Result<std::optional<Delivery::Work>> Delivery::find_work(Route& route) {
    if (SteadyClock::now() < route.link_due) {
        return std::optional<Work>{};
    }
    if (auto post = cosignatures_.next(route.config.name)) {
        Work work;
        *work.task.mutable_post() = std::move(*post);
        work.task.set_task(++last_task_);
        sent_.emplace(last_task_, Sent{.route = &route, .cosigning = true});
        return std::optional<Work>{std::move(work)};
    }
    if (cosignatures_.holds(route.config.name)) {
        return std::optional<Work>{};
    }
    const bool question_first = !route.asked_last;
    for (const bool question : {question_first, !question_first}) {
        auto work = question ? find_question(route) : find_parcel(route);
        if (!work) {
            return work.error();
        }
        if (*work) {
            route.asked_last = question;
            return work;
        }
    }
    return std::optional<Work>{};
}

Result<std::optional<Delivery::Work>> Delivery::find_parcel(Route& route) {
    const std::size_t window = route.failures == 0 ? kSendingMax : 1;
    if (route.sending >= window || route.sending_bytes >= kSendingBytesMax) {
        return std::optional<Work>{};
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto now = SteadyClock::now();
    for (auto at = route.postponed.begin(); at != route.postponed.end(); ++at) {
        if (at->second.due > now) {
            continue;
        }
        const std::uint64_t sequence = at->first;
        const auto parcel = storage::find_parcel(**snapshot, route.config.name, sequence);
        if (!parcel) {
            return parcel.error();
        }
        if (!*parcel || (*parcel)->state() != storage::rows::Parcel::WAITING) {
            route.postponed.erase(at);
            return find_parcel(route);
        }
        auto work = make_put(route, sequence, **parcel, **snapshot);
        if (!work) {
            postpone(route.postponed, sequence, at->second.attempts + 1);
            return work.error();
        }
        at->second.due = SteadyTime::max();  // until it is answered
        return std::optional<Work>{std::move(*work)};
    }
    if (route.postponed.size() >= kPostponedMax) {
        return std::optional<Work>{};
    }
    if (route.next_unseen == 0) {
        const auto state = storage::find_route(**snapshot, route.config.name);
        if (!state) {
            return state.error();
        }
        route.next_unseen = state->first_open();
    }
    std::optional<std::pair<std::uint64_t, storage::rows::Parcel>> chosen;
    std::size_t looked_at = 0;
    const auto look = [&](std::uint64_t sequence, const storage::rows::Parcel& parcel) {
        route.next_unseen = sequence + 1;
        if (parcel.state() == storage::rows::Parcel::WAITING) {
            chosen.emplace(sequence, parcel);
            return false;
        }
        return ++looked_at < kScanMax;
    };
    const auto visited = storage::visit_parcels(**snapshot, route.config.name, route.next_unseen, look);
    if (!visited) {
        return visited.error();
    }
    if (!chosen) {
        return std::optional<Work>{};
    }
    auto work = make_put(route, chosen->first, chosen->second, **snapshot);
    if (!work) {
        postpone(route.postponed, chosen->first, 1);
        return work.error();
    }
    return std::optional<Work>{std::move(*work)};
}

Result<Delivery::Work> Delivery::make_put(Route& route, std::uint64_t sequence, const storage::rows::Parcel& parcel,
                                          const storage::ReadTransaction& transaction) {
    const auto id = storage::submission_id_from_bytes(as_bytes(parcel.submission()));
    if (!id) {
        return storage::Errc::corrupt;
    }
    const auto row = storage::find_submission(transaction, *id);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return storage::Errc::corrupt;
    }
    auto original = open_package(context_, *id, **row);
    if (!original) {
        return original.error();
    }
    auto bytes = std::make_unique<ParcelBytes>(parcel, std::move(*original), (*row)->original_offset(),
                                               (*row)->original_length());
    Work work;
    auto& put = *work.task.mutable_put();
    put.set_path("/v1/submissions/" + parcel.catalog() + "/" +
                 storage::parcel_name(context_.node, route.config.name, sequence));
    put.set_length(parcel.length());
    auto digest = std::make_shared<std::optional<crypto::Digest>>();
    if (parcel.length() <= kBodyInTaskSizeBytesMax) {
        std::string& body = *put.mutable_body();
        for (;;) {
            const auto piece = bytes->next();
            if (!piece) {
                return piece.error();
            }
            if (piece->empty()) {
                break;
            }
            body += as_text(*piece);
        }
        if (body.size() != parcel.length()) {
            return storage::Errc::corrupt;
        }
        *digest = bytes->digest();
    } else {
        auto pair = boundary::make_stream_pair();
        if (!pair) {
            return pair.error();
        }
        work.body = std::move(pair->second);
        auto pouring = pour(context_.io, std::move(bytes), std::move(pair->first), digest);
        asio::co_spawn(context_.io, std::move(pouring), asio::detached);
    }
    work.task.set_task(++last_task_);
    const std::size_t held = put.has_body() ? put.body().size() : kStreamBytes;
    sent_.emplace(last_task_, Sent{.route = &route, .sequence = sequence, .bytes = held, .body = std::move(digest)});
    ++route.sending;
    route.sending_bytes += held;
    return work;
}

// Asks a level above how far a delivered parcel has come beyond it.
Result<std::optional<Delivery::Work>> Delivery::find_question(Route& route) {
    const std::size_t window = route.failures == 0 ? kAskedAfterMax : 1;
    if (route.onward.empty() || route.asking >= window) {
        return std::optional<Work>{};
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    if (route.next_unasked == 0) {
        const auto state = storage::find_route(**snapshot, route.config.name);
        if (!state) {
            return state.error();
        }
        route.next_unasked = state->first_unsettled();
    }
    if (route.asked_after.size() < kAskedAfterMax) {
        std::size_t looked_at = 0;
        const auto look = [&](std::uint64_t sequence, const storage::rows::Parcel& parcel) {
            if (parcel.state() == storage::rows::Parcel::WAITING) {
                return false;  // asked after once it is delivered; those behind it can wait
            }
            route.next_unasked = sequence + 1;
            if (parcel.state() == storage::rows::Parcel::DELIVERED && !parcel.settled()) {
                route.asked_after.emplace(sequence, Retry{SteadyClock::now(), 0});
            }
            return route.asked_after.size() < kAskedAfterMax && ++looked_at < kScanMax;
        };
        const auto visited = storage::visit_parcels(**snapshot, route.config.name, route.next_unasked, look);
        if (!visited) {
            return visited.error();
        }
    }
    const auto now = SteadyClock::now();
    for (auto& [sequence, retry] : route.asked_after) {
        if (retry.due > now) {
            continue;
        }
        const auto parcel = storage::find_parcel(**snapshot, route.config.name, sequence);
        if (!parcel) {
            return parcel.error();
        }
        if (!*parcel || (*parcel)->settled()) {
            route.asked_after.erase(sequence);
            return find_question(route);
        }
        Work work;
        work.task.mutable_get()->set_path("/v1/submissions/" + (*parcel)->upper_id());
        work.task.set_task(++last_task_);
        sent_.emplace(last_task_, Sent{.route = &route, .sequence = sequence, .question = true});
        ++route.asking;
        retry.due = SteadyTime::max();  // until it is answered
        return std::optional<Work>{std::move(work)};
    }
    return std::optional<Work>{};
}

void Delivery::take_out(const Sent& sent) {
    if (sent.cosigning) {
        return;
    }
    --(sent.question ? sent.route->asking : sent.route->sending);
    sent.route->sending_bytes -= sent.bytes;
}

void Delivery::abandon(const std::vector<std::uint64_t>& tasks) {
    for (const std::uint64_t task : tasks) {
        const auto found = sent_.find(task);
        if (found == sent_.end()) {
            continue;
        }
        const Sent sent = std::move(found->second);
        sent_.erase(found);
        take_out(sent);
        if (sent.cosigning) {
            cosignatures_.give_up(sent.route->config.name);
            continue;
        }
        auto& retry = (sent.question ? sent.route->asked_after : sent.route->postponed)[sent.sequence];
        retry.due = SteadyClock::now();  // nobody above said anything: at once, over the next connection
    }
    wake();
}

std::chrono::milliseconds Delivery::wait_after(std::uint32_t attempts) {
    const auto& limits = context_.config.courier;
    const auto doubled = limits.retry_min_ms * (std::int64_t{1} << std::min<std::uint32_t>(attempts, 20));
    const auto whole = std::min<std::chrono::milliseconds>(doubled, limits.retry_max_ms);
    // Half to whole: nodes that lost the same upper level do not come back in step.
    const auto random = context_.random.array<2>();
    const auto part = static_cast<std::int64_t>(random[0]) << 8 | random[1];
    return whole / 2 + whole * part / (2 * 65536);
}

void Delivery::postpone(std::map<std::uint64_t, Retry>& where, std::uint64_t sequence, std::uint32_t attempts) {
    where[sequence] = Retry{SteadyClock::now() + wait_after(attempts), attempts};
}

void Delivery::link_failed(Route& route, std::uint64_t sequence, boundary::Problem why,
                           std::uint32_t retry_after_seconds) {
    constexpr std::uint32_t kRetryAfterMax = 600;
    const auto asked = std::chrono::seconds{std::min(retry_after_seconds, kRetryAfterMax)};
    const auto wait = std::max<std::chrono::milliseconds>(wait_after(route.failures), asked);
    ++route.failures;
    route.link_due = std::max(route.link_due, SteadyClock::now() + wait);
    route.last_problem = std::move(why);
    route.asking_failed = sequence == 0;
    if (sequence != 0) {
        route.postponed[sequence].due = route.link_due;
    }
}

std::vector<boundary::LinkView> Delivery::links() const {
    std::vector<boundary::LinkView> views;
    const auto snapshot = context_.ledger.engine().snapshot();
    for (const auto& [name, route] : routes_) {
        boundary::LinkView view;
        view.set_route(name);
        view.set_node(route->config.node);
        view.set_url(route->config.url);
        view.set_backlog_limit(context_.config.vault.backlog_limit_parcels);
        view.set_state(route->failures >= 2 && route->unanswered ? "unreachable"
                       : route->failures > 0                     ? "retrying"
                       : route->sending > 0                      ? "delivering"
                                                                 : "idle");
        if (route->last_problem) {
            *view.mutable_last_problem() = *route->last_problem;
        }
        if (snapshot) {
            if (const auto state = storage::find_route(**snapshot, name)) {
                view.set_next_sequence(state->next_sequence());
                view.set_delivered(state->delivered());
                view.set_backlog(storage::waiting_parcels(*state));
                view.set_last_success_ms(state->last_success_ms());
                const auto oldest = storage::find_parcel(**snapshot, name, state->first_open());
                if (oldest && *oldest) {
                    view.set_oldest_ms((*oldest)->created_ms());
                }
            }
        }
        views.push_back(std::move(view));
    }
    return views;
}

}  // namespace xinfu::vault
