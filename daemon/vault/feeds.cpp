#include "daemon/vault/feeds.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "crypto/digest.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/feed_page.hpp"

namespace xinfu::vault {
namespace {

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) {
        out += (out.empty() ? "" : ",") + text;
    }
    return out;
}

// What the page says of itself, before its bytes.
boundary::GatewayReply head_of(const FeedPage& page, std::optional<std::uint64_t> leaf) {
    boundary::GatewayReply reply;
    reply.set_more(!page.text.empty());
    reply.mutable_feed()->set_next(page.next);
    reply.mutable_feed()->set_count(page.count);
    if (leaf) {
        reply.mutable_feed()->set_leaf(*leaf);
    }
    return reply;
}

}  // namespace

asio::awaitable<void> Feeds::read(ExchangePointer exchange) {
    const auto& asked = exchange->request().read_feed();
    const Caller caller = exchange->caller();
    std::function<Result<FeedPage>()> work = [&engine = context_.ledger.engine(), &keys = context_.keys,
                                              places = places_, policies = context_.policies.current(),
                                              principal = caller.principal, catalog = asked.catalog(),
                                              after = asked.after(), limit = asked.limit()]() {
        return make_feed_page(engine, keys, *places, {*policies, principal, catalog, after, limit});
    };
    auto making = run_on_worker<Result<FeedPage>>(context_, std::move(work));
    const auto page = co_await std::move(making);
    if (!page) {
        auto answering = answer_error(exchange, page.error());
        co_await std::move(answering);
        co_return;
    }

    // The leaf first: it is durable before a single version leaves.
    storage::Leaf leaf = leaf_of(caller, "extract");
    leaf.result = "done";
    leaf.catalog = asked.catalog();
    leaf.object.type = "feed";
    leaf.counts.emplace().records = page->count;
    boost::system::error_code failed;
    std::optional<std::uint64_t> index;
    if (page->text.empty()) {
        const std::string key = "extract|" + caller.principal.account + '|' + asked.catalog();
        auto writing = context_.counted_leaves.write(context_, key, std::move(leaf));
        const auto written = co_await std::move(writing);
        failed = written ? failed : written.error();
    } else {
        leaf.object.id = std::to_string(asked.after() + 1) + '-' + std::to_string(page->next);
        leaf.object.digest = crypto::sha256(as_bytes(page->text));
        leaf.reason = joined(page->fields);
        auto recording = record(context_, std::move(leaf), storage::LeafNotes{});
        const auto recorded = co_await std::move(recording);
        if (recorded) {
            index = recorded->index;
        } else {
            failed = recorded.error();
        }
    }
    if (failed) {
        auto answering = answer_error(exchange, failed);
        co_await std::move(answering);
        co_return;
    }
    auto answering = exchange->reply(head_of(*page, index), boundary::Descriptor{});
    if (const auto answered = co_await std::move(answering); !answered || page->text.empty()) {
        co_return;
    }
    auto telling = answer_text(exchange, page->text);
    static_cast<void>((co_await std::move(telling)).has_value());
}

std::size_t Feeds::waiting_of(const std::string& account) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        waiting_, [&account](const Waiting& one) { return one.exchange->caller().principal.account == account; }));
}

asio::awaitable<void> Feeds::watch(ExchangePointer exchange) {
    const auto& asked = exchange->request().watch_feed();
    if (waiting_of(exchange->caller().principal.account) >= kFeedWaitingMax) {
        auto refusing = answer_problem(exchange, problem("XF-1108", {}, 1));
        const auto refused = co_await std::move(refusing);
        static_cast<void>(refused.has_value());
        co_return;
    }
    // In the list before the look: what is committed from now on finds it there.
    const auto place = waiting_.insert(waiting_.end(), Waiting{exchange, asked.catalog(), asked.after(), false});
    look();
    if (!place->arrived) {
        asio::steady_timer timer(context_.io, std::chrono::seconds(asked.seconds()));
        timer.async_wait([exchange](boost::system::error_code cancelled) {
            if (!cancelled) {
                exchange->stop_waiting();
            }
        });
        auto waiting = exchange->finish();
        static_cast<void>((co_await std::move(waiting)).has_value());  // why it ended is in the list
    }
    boundary::GatewayReply reply;
    reply.mutable_feed_news()->set_arrived(place->arrived);
    waiting_.erase(place);
    auto answering = exchange->reply(std::move(reply), boundary::Descriptor{});
    static_cast<void>((co_await std::move(answering)).has_value());
}

void Feeds::look() {
    if (waiting_.empty()) {
        return;
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return;  // they ask again when their time is over
    }
    std::map<std::string_view, std::uint64_t> ends;
    for (auto& one : waiting_) {
        if (one.arrived) {
            continue;
        }
        auto end = ends.find(one.catalog);
        if (end == ends.end()) {
            const auto last = storage::last_of_feed(**snapshot, one.catalog);
            // Of a feed that cannot be read whoever waits is told so by reading it.
            end = ends.emplace(one.catalog, last ? *last : kFeedPositionMax + 1).first;
        }
        if (end->second > one.after) {
            one.arrived = true;
            one.exchange->stop_waiting();
        }
    }
}

}  // namespace xinfu::vault
