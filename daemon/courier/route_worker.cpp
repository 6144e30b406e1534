#include "daemon/courier/route_worker.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::courier {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kAskAgainMin{200};      // after "nothing" that came at once
constexpr milliseconds kAfterProblem{5000};    // after a refusal of the vault's
constexpr milliseconds kWaitMax{3600 * 1000};  // whatever the vault says
constexpr std::size_t kTellersMax = 8;  // results that are told at one time: the vault makes them durable together
constexpr std::size_t kPathSizeMax = 1024;
constexpr std::size_t kFailureSizeMax = 400;

// A path that cannot end the request line or begin a header.
bool is_path(const std::string& path) {
    return path.starts_with('/') && path.size() <= kPathSizeMax &&
           std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7f; });
}

// Absent: not a task that can be carried.
std::optional<UpperRequest> to_request(boundary::Task& task, boundary::Descriptor descriptor) {
    UpperRequest request;
    if (task.has_put()) {
        auto& put = *task.mutable_put();
        request.put = true;
        request.path = put.path();
        request.length = put.length();
        if (put.has_body()) {
            request.body = std::move(*put.mutable_body());
            if (request.body.size() != request.length) {
                return std::nullopt;
            }
        } else if (descriptor) {
            request.stream = std::move(descriptor);
            request.streamed = true;
        } else {
            return std::nullopt;
        }
    } else if (task.has_post()) {
        auto& post = *task.mutable_post();
        request.post = true;
        request.path = post.path();
        request.body = std::move(*post.mutable_body());
        request.length = request.body.size();
    } else if (task.has_get()) {
        request.path = task.get().path();
    }
    if (!is_path(request.path)) {
        return std::nullopt;
    }
    return request;
}

}  // namespace

RouteWorker::RouteWorker(asio::any_io_executor executor, std::string route, std::shared_ptr<TaskCaller> tasks,
                         std::unique_ptr<UpperConnection> upper, boundary::Service& service,
                         std::function<void()> on_idle)
    : executor_(std::move(executor)),
      route_(std::move(route)),
      tasks_(std::move(tasks)),
      upper_(std::move(upper)),
      service_(service),
      on_idle_(std::move(on_idle)),
      may_ask_(executor_),
      may_tell_(executor_, Clock::time_point::max()),
      part_ended_(executor_, Clock::time_point::max()) {
    upper_->on_room = [this] { may_ask_.cancel(); };
}

void RouteWorker::stop() {
    stopping_ = true;
    may_ask_.cancel();
}

asio::awaitable<void> RouteWorker::run() {
    const auto begin = [this](std::function<asio::awaitable<void>()> part) {
        ++parts_;
        asio::co_spawn(executor_, work(std::move(part)), asio::detached);
    };
    begin([this] { return upper_->run(); });
    for (std::size_t i = 0; i < kTellersMax; ++i) {
        begin([this] { return tell(); });
    }
    auto asking = ask();
    co_await std::move(asking);
    asked_all_ = true;
    vault_gone_ ? upper_->abandon() : upper_->stop();
    may_tell_.cancel();
    while (parts_ > 0) {
        auto waiting = part_ended_.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
}

asio::awaitable<void> RouteWorker::work(std::function<asio::awaitable<void>()> part) {
    auto working = part();
    co_await std::move(working);
    --parts_;
    part_ended_.cancel();
}

asio::awaitable<void> RouteWorker::ask() {
    while (!stopping_ && !vault_gone_) {
        // What follows a failed parcel follows it when it comes again: the vault has to know of it first.
        const bool no_room = upper_->room() == 0 || failing_ > 0;
        if (no_room || Clock::now() < held_until_) {
            auto waiting = wait_until(no_room ? Clock::time_point::max() : held_until_);
            co_await std::move(waiting);
            continue;
        }
        boundary::CourierRequest request;
        request.mutable_next_task()->set_route(route_);
        const auto asked = Clock::now();
        auto asking = tasks_->ask(std::move(request));
        auto reply = co_await std::move(asking);
        if (!reply) {
            vault_gone_ = true;  // and with it whatever this was about
            break;
        }
        if (reply->message.has_task()) {
            take(std::move(*reply));
            continue;
        }
        if (reply->message.has_problem()) {
            boundary::LogFields fields;
            fields.code = reply->message.problem().code();
            service_.log(boundary::Level::warning, "route " + route_ + ": the vault has no task for it", fields);
            hold(kAfterProblem);
        } else if (Clock::now() - asked < kAskAgainMin) {
            hold(kAskAgainMin);
        }
        if (state_ == "delivering" && under_way_ == 0) {
            auto changing = set_state("idle");
            co_await std::move(changing);
        }
    }
}

void RouteWorker::take(boundary::Envelope<boundary::CourierReply> envelope) {
    auto& task = *envelope.message.mutable_task();
    ++under_way_;
    const auto told = [this, number = task.task()](UpperAnswer answer) {
        failing_ += comes_again(answer.status);
        answered_.push_back({number, std::move(answer)});
        may_tell_.cancel();
        may_ask_.cancel();
    };
    auto request = to_request(task, std::move(envelope.descriptor));
    UpperAnswer answer;
    if (failing_ > 0) {
        answer.given_back = true;  // handed out before the vault knew
    } else if (request) {
        upper_->send(std::move(*request), told);
        return;
    } else {
        answer.failure = "the task cannot be carried: its path or body is not in form";
    }
    told(std::move(answer));
}

asio::awaitable<void> RouteWorker::tell() {
    while (!vault_gone_) {
        if (answered_.empty()) {
            if (asked_all_ && under_way_ == 0) {
                break;
            }
            auto waiting = may_tell_.async_wait(kAsTuple);
            co_await std::move(waiting);
            continue;
        }
        Answered answered = std::move(answered_.front());
        answered_.pop_front();
        const bool failed = comes_again(answered.answer.status);
        auto telling = tell_one(std::move(answered));
        co_await std::move(telling);
        if (failed && --failing_ == 0) {
            may_ask_.cancel();
        }
        if (--under_way_ == 0) {
            may_tell_.cancel();
            on_idle_();
        }
    }
}

asio::awaitable<void> RouteWorker::tell_one(Answered answered) {
    UpperAnswer& answer = answered.answer;
    if (answer.failure.size() > kFailureSizeMax) {
        answer.failure.resize(kFailureSizeMax);
    }
    if (!answer.given_back && answer.failure != last_failure_) {
        service_.log(answer.failure.empty() ? boundary::Level::notice : boundary::Level::warning,
                     "route " + route_ + ": " + (answer.failure.empty() ? "delivers again" : answer.failure));
        last_failure_ = answer.failure;
    }
    if (!answer.given_back) {
        auto changing = set_state(answer.status == 0 ? (answer.reached ? "retrying" : "unreachable")
                                  : answer.status == 429 || answer.status >= 500 ? "retrying"
                                                                                 : "delivering");
        co_await std::move(changing);
    }

    boundary::CourierRequest told;
    auto& result = *told.mutable_task_result();
    result.set_task(answered.task);
    result.set_http_status(answer.status);
    result.set_failure(answer.failure);
    result.set_body(std::move(answer.body));
    result.set_location(answer.location.substr(0, kPathSizeMax));
    result.set_retry_after_seconds(answer.retry_after_seconds);
    result.set_given_back(answer.given_back);
    auto telling = tasks_->ask(std::move(told));
    const auto taken = co_await std::move(telling);
    if (!taken) {
        vault_gone_ = true;
        may_ask_.cancel();
        may_tell_.cancel();
    } else if (taken->message.has_problem()) {
        hold(kAfterProblem);
    } else {
        hold(std::min(milliseconds(taken->message.taken().wait_ms()), kWaitMax));
    }
}

// Told without an answer; when it cannot be told, the next question shows why.
asio::awaitable<void> RouteWorker::set_state(std::string state) {
    if (state == state_) {
        co_return;
    }
    state_ = std::move(state);
    boundary::CourierRequest request;
    request.mutable_link_state()->set_route(route_);
    request.mutable_link_state()->set_state(state_);
    auto telling = tasks_->tell(std::move(request));
    const auto told = co_await std::move(telling);
    static_cast<void>(told.has_value());
}

void RouteWorker::hold(milliseconds time) {
    held_until_ = std::max(held_until_, Clock::now() + time);
}

asio::awaitable<void> RouteWorker::wait_until(Clock::time_point time) {
    may_ask_.expires_at(time);
    auto waiting = may_ask_.async_wait(kAsTuple);
    co_await std::move(waiting);
}

}  // namespace xinfu::courier
