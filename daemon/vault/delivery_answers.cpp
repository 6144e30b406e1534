// What the levels above answered, and what follows from it.
#include <algorithm>
#include <utility>

#include "daemon/boundary/error.hpp"
#include "daemon/vault/ask_inspector.hpp"
#include "daemon/vault/delivery.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/inspector_pool.hpp"
#include "daemon/vault/upper_receipt.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using SteadyClock = std::chrono::steady_clock;
using storage::rows::Acknowledgement;
using storage::rows::Parcel;

constexpr std::size_t kFailureTextSizeMax = 200;
constexpr std::size_t kRequestPartSizeBytes = 48 * 1024;

// Of the courier's own words only what a log line may hold.
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kFailureTextSizeMax)) {
        out += c >= 0x20 && c < 0x7f ? c : '?';
    }
    return out.empty() ? std::string("no answer") : out;
}

// Trouble with the link or the upper node as such, whatever the parcel.
bool concerns_the_link(std::uint32_t status) {
    return status == 0 || status >= 500 || status == 429 || status == 401 || status == 403 || status == 408;
}

// Everything before these is final; bounded, the rest follows with the next answer.
Result<void> advance(storage::WriteTransaction& transaction, std::string_view route, storage::rows::RouteState& state) {
    constexpr int kStepsMax = 512;
    for (int step = 0; step < kStepsMax && state.first_open() < state.next_sequence(); ++step) {
        const auto parcel = storage::find_parcel(transaction, route, state.first_open());
        if (!parcel) {
            return parcel.error();
        }
        if (!*parcel || (*parcel)->state() == Parcel::WAITING) {
            break;
        }
        state.set_first_open(state.first_open() + 1);
    }
    for (int step = 0; step < kStepsMax && state.first_unsettled() < state.first_open(); ++step) {
        const auto parcel = storage::find_parcel(transaction, route, state.first_unsettled());
        if (!parcel) {
            return parcel.error();
        }
        if (!*parcel || !(*parcel)->settled()) {
            break;
        }
        state.set_first_unsettled(state.first_unsettled() + 1);
    }
    return storage::put_route(transaction, route, state);
}

}  // namespace

asio::awaitable<Result<std::chrono::milliseconds>> Delivery::report(boundary::TaskResult result) {
    const auto found = sent_.find(result.task());
    if (found == sent_.end()) {
        co_return std::chrono::milliseconds{0};  // of an earlier connection: it was given up then
    }
    const Sent sent = std::move(found->second);
    sent_.erase(found);
    Route& route = *sent.route;
    take_out(sent);
    if (sent.cosigning) {
        if (result.given_back()) {
            cosignatures_.give_up(route.config.name);
        } else {
            auto taking = take_cosignature(route, std::move(result));
            if (const auto taken = co_await std::move(taking); !taken) {
                route.changed.cancel();
                co_return taken.error();
            }
        }
        route.changed.cancel();
        const auto now = SteadyClock::now();
        co_return std::chrono::ceil<std::chrono::milliseconds>(std::max(route.link_due, now) - now);
    }
    if (result.given_back()) {
        // Behind the one that failed, which was told before it; with that one it comes again.
        auto& retry = (sent.question ? route.asked_after : route.postponed)[sent.sequence];
        const auto now = SteadyClock::now();
        retry.due = std::max(route.link_due, now);
        route.changed.cancel();
        co_return std::chrono::ceil<std::chrono::milliseconds>(retry.due - now);
    }
    auto taking = sent.question ? take_state(route, sent, result) : take_answer(route, sent, result);
    const auto taken = co_await std::move(taking);
    route.changed.cancel();
    if (!taken) {
        // Ours to put right: the parcel is still waiting, and the next try finds the same answer above.
        postpone(sent.question ? route.asked_after : route.postponed, sent.sequence, 1);
        co_return taken.error();
    }
    const auto now = SteadyClock::now();
    const auto wait = route.link_due > now ? route.link_due - now : SteadyClock::duration{0};
    co_return std::chrono::ceil<std::chrono::milliseconds>(wait);
}

// Of the link it says only whether there is one: what becomes of parcels is theirs to say.
asio::awaitable<Result<void>> Delivery::take_cosignature(Route& route, boundary::TaskResult result) {
    const std::string failure = result.failure();
    auto taking = cosignatures_.take(route.config.name, std::move(result));
    const auto link = co_await std::move(taking);
    if (!link) {
        co_return link.error();
    }
    if (*link == Cosignatures::Link::at_fault) {
        route.unanswered = true;
        link_failed(route, 0, problem("XF-7011", {plain(failure)}), 0);
    } else if (std::exchange(route.unanswered, false)) {
        route.failures = 0;
        if (std::exchange(route.asking_failed, false)) {
            route.last_problem.reset();
        }
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Delivery::take_answer(Route& route, const Sent& sent,
                                                    const boundary::TaskResult& result) {
    const std::uint32_t status = result.http_status();
    const std::uint32_t attempts =
        route.postponed.contains(sent.sequence) ? route.postponed[sent.sequence].attempts : 0;
    route.unanswered = status == 0;
    if (status == 409 || status == 422) {
        route.failures = 0;
        auto marking = mark_refused(route, sent.sequence, problem("XF-7013", {"HTTP " + std::to_string(status)}));
        co_return co_await std::move(marking);
    }
    if (status != 200 && status != 201) {
        auto why =
            status == 0 ? problem("XF-7011", {plain(result.failure())}) : problem("XF-7018", {std::to_string(status)});
        if (concerns_the_link(status)) {
            link_failed(route, sent.sequence, std::move(why), result.retry_after_seconds());
        } else {
            route.last_problem = std::move(why);
            route.asking_failed = false;
            postpone(route.postponed, sent.sequence, attempts + 1);
        }
        co_return Result<void>{};
    }
    if (!*sent.body) {
        // An answer to a body that was never handed over whole.
        link_failed(route, sent.sequence, problem("XF-7014"), 0);
        co_return Result<void>{};
    }
    boundary::InspectorRequest request;
    request.mutable_read_receipt()->set_text(result.body());
    std::vector<boundary::InspectorRequest> parts;
    parts.push_back(std::move(request));
    auto asking = ask_inspector(route, std::move(parts));
    const auto reply = co_await std::move(asking);
    if (!reply) {
        co_return reply.error();
    }
    if (!reply->has_receipt()) {
        link_failed(route, sent.sequence, problem("XF-7016", {"form"}), 0);
        co_return Result<void>{};
    }
    ExpectedReceipt expected;
    {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto parcel = storage::find_parcel(**snapshot, route.config.name, sent.sequence);
        if (!parcel || !*parcel) {
            co_return parcel ? make_error_code(storage::Errc::corrupt) : parcel.error();
        }
        const auto id = storage::submission_id_from_bytes(as_bytes((*parcel)->submission()));
        const auto row = id ? storage::find_submission(**snapshot, *id)
                            : Result<std::optional<storage::rows::Submission>>(storage::Errc::corrupt);
        if (!row || !*row) {
            co_return row ? make_error_code(storage::Errc::corrupt) : row.error();
        }
        expected.origin = (*row)->origin();
    }
    expected.body = *sent.body;
    auto verified = verify_upper_receipt(reply->receipt(), *route.log, expected);
    if (auto* wrong = std::get_if<boundary::Problem>(&verified)) {
        link_failed(route, sent.sequence, std::move(*wrong), 0);
        co_return Result<void>{};
    }
    auto marking =
        mark_delivered(route, sent.sequence, result.body(), std::move(std::get<UpperReceipt>(verified).submission));
    const auto marked = co_await std::move(marking);
    if (marked) {
        route.failures = 0;
        route.last_problem.reset();
    }
    co_return marked;
}

asio::awaitable<Result<void>> Delivery::mark_delivered(Route& route, std::uint64_t sequence, std::string receipt,
                                                       std::string upper_id) {
    std::function<Result<void>(storage::Batch&)> apply =
        [this, &route, sequence, receipt = std::move(receipt),
         upper_id = std::move(upper_id)](storage::Batch& batch) -> Result<void> {
        auto& transaction = batch.transaction();
        auto parcel = storage::find_parcel(transaction, route.config.name, sequence);
        if (!parcel || !*parcel) {
            return parcel ? make_error_code(storage::Errc::corrupt) : parcel.error();
        }
        if ((*parcel)->state() != Parcel::WAITING) {
            return {};
        }
        auto state = storage::find_route(transaction, route.config.name);
        const auto id = storage::submission_id_from_bytes(as_bytes((*parcel)->submission()));
        if (!state || !id) {
            return id ? state.error() : make_error_code(storage::Errc::corrupt);
        }
        const auto now = batch.time().time_since_epoch().count();
        (*parcel)->set_state(Parcel::DELIVERED);
        (*parcel)->set_upper_id(upper_id);
        (*parcel)->set_finished_ms(now);
        (*parcel)->set_settled(route.onward.empty());
        if (const auto put = storage::put_parcel(transaction, route.config.name, sequence, **parcel); !put) {
            return put.error();
        }
        Acknowledgement acknowledgement;
        acknowledgement.set_level(route.config.level);
        acknowledgement.set_node(route.config.node);
        acknowledgement.set_route(route.config.name);
        acknowledgement.set_state(Acknowledgement::DELIVERED);
        acknowledgement.set_time_ms(now);
        acknowledgement.set_receipt(receipt);
        if (const auto put = storage::put_acknowledgement(transaction, *id, acknowledgement); !put) {
            return put.error();
        }
        state->set_delivered(state->delivered() + 1);
        state->set_last_success_ms(now);
        if (const auto advanced = advance(transaction, route.config.name, *state); !advanced) {
            return advanced.error();
        }
        storage::Leaf leaf;
        leaf.action = "deliver";
        leaf.result = "accepted";
        leaf.catalog = (*parcel)->catalog();
        leaf.object = {"parcel", storage::parcel_name(context_.node, route.config.name, sequence), std::nullopt,
                       std::nullopt};
        leaf.reason = route.config.level;
        context_.leaves.append(batch, leaf);
        return {};
    };
    auto executing = execute(context_, std::move(apply), 4096, true);
    const auto done = co_await std::move(executing);
    if (!done) {
        co_return done.error();
    }
    route.postponed.erase(sequence);
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Delivery::mark_refused(Route& route, std::uint64_t sequence, boundary::Problem why) {
    std::function<Result<void>(storage::Batch&)> apply = [this, &route, sequence,
                                                          why](storage::Batch& batch) -> Result<void> {
        auto& transaction = batch.transaction();
        auto parcel = storage::find_parcel(transaction, route.config.name, sequence);
        if (!parcel || !*parcel) {
            return parcel ? make_error_code(storage::Errc::corrupt) : parcel.error();
        }
        if ((*parcel)->state() != Parcel::WAITING) {
            return {};
        }
        auto state = storage::find_route(transaction, route.config.name);
        const auto id = storage::submission_id_from_bytes(as_bytes((*parcel)->submission()));
        if (!state || !id) {
            return id ? state.error() : make_error_code(storage::Errc::corrupt);
        }
        const auto now = batch.time().time_since_epoch().count();
        (*parcel)->set_state(Parcel::REFUSED);
        (*parcel)->set_finished_ms(now);
        (*parcel)->set_settled(true);
        (*parcel)->mutable_reason()->set_code(why.code());
        *(*parcel)->mutable_reason()->mutable_arguments() = why.arguments();
        if (const auto put = storage::put_parcel(transaction, route.config.name, sequence, **parcel); !put) {
            return put.error();
        }
        // What this level refuses never reaches those beyond it.
        Acknowledgement acknowledgement;
        acknowledgement.set_route(route.config.name);
        acknowledgement.set_state(Acknowledgement::REFUSED);
        acknowledgement.set_time_ms(now);
        *acknowledgement.mutable_reason() = (*parcel)->reason();
        acknowledgement.set_level(route.config.level);
        acknowledgement.set_node(route.config.node);
        if (const auto put = storage::put_acknowledgement(transaction, *id, acknowledgement); !put) {
            return put.error();
        }
        for (const auto& onward : route.config.onward) {
            acknowledgement.set_level(onward.level);
            acknowledgement.set_node(onward.node);
            if (const auto put = storage::put_acknowledgement(transaction, *id, acknowledgement); !put) {
                return put.error();
            }
        }
        state->set_refused(state->refused() + 1);
        if (const auto advanced = advance(transaction, route.config.name, *state); !advanced) {
            return advanced.error();
        }
        storage::Leaf leaf;
        leaf.action = "deliver";
        leaf.result = "refused";
        leaf.code = why.code();
        leaf.catalog = (*parcel)->catalog();
        leaf.object = {"parcel", storage::parcel_name(context_.node, route.config.name, sequence), std::nullopt,
                       std::nullopt};
        leaf.reason = route.config.level;
        context_.leaves.append(batch, leaf);
        return {};
    };
    auto executing = execute(context_, std::move(apply), 4096, true);
    const auto done = co_await std::move(executing);
    if (!done) {
        co_return done.error();
    }
    route.postponed.erase(sequence);
    co_return Result<void>{};
}

// The answer to a question: how far a delivered parcel has come beyond the level that has it.
asio::awaitable<Result<void>> Delivery::take_state(Route& route, const Sent& sent, const boundary::TaskResult& result) {
    const std::uint32_t attempts = route.asked_after[sent.sequence].attempts + 1;
    const std::uint32_t status = result.http_status();
    if (status != 200) {
        if (concerns_the_link(status)) {
            route.unanswered = status == 0;
            link_failed(route, 0,
                        status == 0 ? problem("XF-7011", {plain(result.failure())})
                                    : problem("XF-7018", {std::to_string(status)}),
                        result.retry_after_seconds());
        }
        postpone(route.asked_after, sent.sequence, attempts);
        co_return Result<void>{};
    }
    route.failures = 0;
    std::vector<boundary::InspectorRequest> parts;
    std::string_view rest = result.body();
    do {
        const auto part = rest.substr(0, kRequestPartSizeBytes);
        rest.remove_prefix(part.size());
        boundary::InspectorRequest request;
        request.mutable_read_onward()->set_part(part.data(), part.size());
        request.mutable_read_onward()->set_last(rest.empty());
        parts.push_back(std::move(request));
    } while (!rest.empty());
    auto asking = ask_inspector(route, std::move(parts));
    const auto reply = co_await std::move(asking);
    if (!reply) {
        co_return reply.error();
    }
    if (!reply->has_onward()) {
        route.last_problem = problem("XF-7017", {"form"});
        route.asking_failed = true;
        postpone(route.asked_after, sent.sequence, attempts);
        co_return Result<void>{};
    }

    if (std::exchange(route.asking_failed, false)) {
        route.last_problem.reset();
    }

    // What is waiting here and final there.
    storage::SubmissionId id{};
    ExpectedReceipt expected;
    std::vector<Acknowledgement> open;
    {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto parcel = storage::find_parcel(**snapshot, route.config.name, sent.sequence);
        if (!parcel || !*parcel) {
            co_return parcel ? make_error_code(storage::Errc::corrupt) : parcel.error();
        }
        const auto named = storage::submission_id_from_bytes(as_bytes((*parcel)->submission()));
        if (!named) {
            co_return storage::Errc::corrupt;
        }
        id = *named;
        const auto row = storage::find_submission(**snapshot, id);
        if (!row || !*row) {
            co_return row ? make_error_code(storage::Errc::corrupt) : row.error();
        }
        expected.origin = (*row)->origin();
        for (const auto& [onward, key] : route.onward) {
            const auto known = storage::find_acknowledgement(**snapshot, id, onward->level);
            if (!known) {
                co_return known.error();
            }
            if (*known && (*known)->state() == Acknowledgement::WAITING) {
                open.push_back(**known);
            }
        }
    }
    std::vector<Acknowledgement> final;
    for (auto& acknowledgement : open) {
        for (const auto& level : reply->onward().levels()) {
            if (level.level() != acknowledgement.level() || level.node() != acknowledgement.node()) {
                continue;
            }
            if (level.state() == "refused") {
                acknowledgement.set_state(Acknowledgement::REFUSED);
                acknowledgement.mutable_reason()->set_code("XF-7013");
                acknowledgement.mutable_reason()->add_arguments(acknowledgement.level());
                final.push_back(acknowledgement);
            } else if (level.state() == "delivered") {
                boundary::InspectorRequest request;
                request.mutable_read_receipt()->set_text(level.receipt());
                std::vector<boundary::InspectorRequest> receipt_parts;
                receipt_parts.push_back(std::move(request));
                auto reading = ask_inspector(route, std::move(receipt_parts));
                const auto read = co_await std::move(reading);
                if (!read) {
                    co_return read.error();
                }
                const auto key = std::ranges::find_if(route.onward, [&](const auto& configured) {
                    return configured.first->level == acknowledgement.level();
                });
                auto verified = read->has_receipt()
                                    ? verify_upper_receipt(read->receipt(), key->second, expected)
                                    : std::variant<UpperReceipt, boundary::Problem>(problem("XF-7016", {"form"}));
                if (auto* wrong = std::get_if<boundary::Problem>(&verified)) {
                    route.last_problem = std::move(*wrong);
                    continue;
                }
                acknowledgement.set_state(Acknowledgement::DELIVERED);
                acknowledgement.set_receipt(level.receipt());
                final.push_back(acknowledgement);
            }
        }
    }
    if (final.empty() && !open.empty()) {
        postpone(route.asked_after, sent.sequence, attempts);
        co_return Result<void>{};
    }
    const bool settled = final.size() == open.size();
    std::function<Result<void>(storage::Batch&)> apply = [this, &route, id, sequence = sent.sequence, settled,
                                                          final](storage::Batch& batch) -> Result<void> {
        auto& transaction = batch.transaction();
        const std::string name = storage::parcel_name(context_.node, route.config.name, sequence);
        for (Acknowledgement acknowledgement : final) {
            acknowledgement.set_time_ms(batch.time().time_since_epoch().count());
            if (const auto put = storage::put_acknowledgement(transaction, id, acknowledgement); !put) {
                return put.error();
            }
            storage::Leaf leaf;
            leaf.action = "deliver";
            leaf.result = acknowledgement.state() == Acknowledgement::DELIVERED ? "accepted" : "refused";
            leaf.code = acknowledgement.reason().code();
            leaf.object = {"parcel", name, std::nullopt, std::nullopt};
            leaf.reason = acknowledgement.level();
            context_.leaves.append(batch, leaf);
        }
        if (!settled) {
            return {};
        }
        auto parcel = storage::find_parcel(transaction, route.config.name, sequence);
        auto state = storage::find_route(transaction, route.config.name);
        if (!parcel || !*parcel || !state) {
            return !parcel ? parcel.error() : state ? make_error_code(storage::Errc::corrupt) : state.error();
        }
        (*parcel)->set_settled(true);
        if (const auto put = storage::put_parcel(transaction, route.config.name, sequence, **parcel); !put) {
            return put.error();
        }
        return advance(transaction, route.config.name, *state);
    };
    auto executing = execute(context_, std::move(apply), 4096, true);
    const auto done = co_await std::move(executing);
    if (!done) {
        co_return done.error();
    }
    if (settled) {
        route.asked_after.erase(sent.sequence);
    } else {
        postpone(route.asked_after, sent.sequence, 0);  // news: more may follow soon
    }
    co_return Result<void>{};
}

asio::awaitable<Result<boundary::InspectorReply>> Delivery::ask_inspector(
    const Route& route, std::vector<boundary::InspectorRequest> parts) {
    return vault::ask_inspector(context_, "route/" + route.config.name, std::move(parts));
}

}  // namespace xinfu::vault
