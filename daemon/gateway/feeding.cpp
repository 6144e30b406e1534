// A page of a feed, and waiting for one. Whoever waits has no turn, so that its other readings and everybody else's go
// on; what it waited for is read as any other page is.
#include <string>
#include <utility>

#include "daemon/gateway/acts.hpp"
#include "daemon/gateway/questions.hpp"
#include "daemon/gateway/render.hpp"

namespace xinfu::gateway {
namespace {

enum class News { arrived, none, answered };

Response feed_answer(std::uint64_t next, std::string page = {}) {
    return {.status = 200,
            .content_type = "application/jsonl",
            .body = std::move(page),
            .headers = {{"XF-Next", std::to_string(next)}},
            .close = false};
}

// `answered`: `response` says why there is no more to do.
asio::awaitable<News> wait_for_news(Connection& connection, Request& request, const std::string& catalog,
                                    const FeedQuery& query, Answer& response) {
    request.turn.reset();
    const auto caller = connection.caller();
    if (!caller) {
        response = vault_gone();
        co_return News::answered;
    }
    auto question = connection.question(request);
    question.mutable_watch_feed()->set_catalog(catalog);
    question.mutable_watch_feed()->set_after(query.after);
    question.mutable_watch_feed()->set_seconds(query.wait_seconds);
    auto starting = caller->start(std::move(question));
    auto call = co_await std::move(starting);
    if (!call) {
        response = vault_gone();
        co_return News::answered;
    }
    bool gone = false;
    auto waiting = connection.next_while_present(std::move(*call), gone);
    const auto reply = co_await std::move(waiting);
    if (gone) {
        connection.abort();
        co_return News::answered;
    }
    if (!reply) {
        co_return News::none;  // this gateway stops: what is left of the wait is the next one's
    }
    if (!*reply) {
        response = vault_gone();
        co_return News::answered;
    }
    const auto& message = (*reply)->message;
    if (!message.has_feed_news()) {
        response = message.has_problem() ? render_problem(message.problem()) : disagreement();
        co_return News::answered;
    }
    if (!message.feed_news().arrived()) {
        co_return News::none;
    }
    auto& turns = connection.services().turns;
    auto taking = turns.take(connection.principal(), Connection::Clock::now() + kTurnTimeMax);
    auto turn = co_await std::move(taking);
    if (!turn) {
        response = render_problem(make_problem("XF-1108"));
        co_return News::answered;
    }
    request.turn.emplace(std::move(*turn));
    co_return News::arrived;
}

}  // namespace

asio::awaitable<Answer> read_feed(Connection& connection, Request& request, Route route) {
    std::string fault;
    const auto query = parse_feed_query(route.query, fault);
    if (!query) {
        co_return render_problem(make_problem("XF-1117", {fault}));
    }
    Answer response;
    if (query->wait_seconds != 0) {
        auto waiting = wait_for_news(connection, request, route.first, *query, response);
        const auto news = co_await std::move(waiting);
        if (news == News::answered) {
            co_return response;
        }
        if (news == News::none) {
            co_return feed_answer(query->after);
        }
    }
    auto question = connection.question(request);
    question.mutable_read_feed()->set_catalog(route.first);
    question.mutable_read_feed()->set_after(query->after);
    question.mutable_read_feed()->set_limit(query->limit);
    Call call;
    auto asking = ask(connection, std::move(question), call, response);
    auto reply = co_await std::move(asking);
    if (!reply) {
        co_return response;
    }
    if (!reply->message.has_feed()) {
        co_return disagreement();
    }
    const boundary::FeedPage page = reply->message.feed();
    // Held whole, so that a page is never half there: a length goes before it.
    auto collecting = collect_texts(call, reply->message.more());
    const auto parts = co_await std::move(collecting);
    if (!parts) {
        co_return disagreement();
    }
    std::string text;
    for (const auto& part : *parts) {
        text += part;
    }
    Response answer = feed_answer(page.next(), std::move(text));
    if (page.has_leaf()) {
        answer.headers.emplace_back("XF-Leaf", std::to_string(page.leaf()));
    }
    co_return answer;
}

}  // namespace xinfu::gateway
