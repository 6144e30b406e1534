#include "daemon/courier/route_worker.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace xinfu::courier {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kAskAgainMin{200};      // after "nothing" that came at once
constexpr milliseconds kAfterProblem{5000};    // after a refusal of the vault's
constexpr milliseconds kWaitMax{3600 * 1000};  // whatever the vault says
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
        } else {
            return std::nullopt;
        }
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
      pause_(executor_) {}

void RouteWorker::stop() {
    stopping_ = true;
    pause_.cancel();
}

asio::awaitable<void> RouteWorker::run() {
    while (!stopping_) {
        boundary::CourierRequest request;
        request.mutable_next_task()->set_route(route_);
        const auto asked = Clock::now();
        auto asking = tasks_->ask(std::move(request));
        auto reply = co_await std::move(asking);
        if (!reply) {
            break;  // the vault is gone, and with it whatever this was about
        }
        if (reply->message.has_task()) {
            busy_ = true;
            auto carrying = carry(std::move(*reply));
            const bool told = co_await std::move(carrying);
            busy_ = false;
            on_idle_();
            if (!told) {
                break;
            }
            continue;
        }
        if (reply->message.has_problem()) {
            boundary::LogFields fields;
            fields.code = reply->message.problem().code();
            service_.log(boundary::Level::warning, "route " + route_ + ": the vault has no task for it", fields);
            auto pausing = pause(kAfterProblem);
            co_await std::move(pausing);
        } else if (Clock::now() - asked < kAskAgainMin) {
            auto pausing = pause(kAskAgainMin);
            co_await std::move(pausing);
        }
        if (state_ == "delivering") {
            auto changing = set_state("idle");
            co_await std::move(changing);
        }
    }
    auto closing = upper_->close();
    co_await std::move(closing);
}

// Carries one task and tells its result; false when the vault is gone.
asio::awaitable<bool> RouteWorker::carry(boundary::Envelope<boundary::CourierReply> envelope) {
    auto& task = *envelope.message.mutable_task();
    UpperAnswer answer;
    auto request = to_request(task, std::move(envelope.descriptor));
    if (request) {
        if (state_ == "idle") {
            auto changing = set_state("delivering");
            co_await std::move(changing);
        }
        auto exchanging = upper_->exchange(std::move(*request));
        answer = co_await std::move(exchanging);
    } else {
        answer.failure = "the task cannot be carried: its path or body is not in form";
    }
    if (answer.failure.size() > kFailureSizeMax) {
        answer.failure.resize(kFailureSizeMax);
    }
    auto changing = set_state(answer.status == 0 ? (answer.reached ? "retrying" : "unreachable")
                              : answer.status == 429 || answer.status >= 500 ? "retrying"
                                                                             : "delivering");
    co_await std::move(changing);
    if (answer.failure != last_failure_) {
        service_.log(answer.failure.empty() ? boundary::Level::notice : boundary::Level::warning,
                     "route " + route_ + ": " + (answer.failure.empty() ? "delivers again" : answer.failure));
        last_failure_ = answer.failure;
    }

    boundary::CourierRequest told;
    auto& result = *told.mutable_task_result();
    result.set_task(task.task());
    result.set_http_status(answer.status);
    result.set_failure(answer.failure);
    result.set_body(std::move(answer.body));
    result.set_location(answer.location.substr(0, kPathSizeMax));
    result.set_retry_after_seconds(answer.retry_after_seconds);
    auto telling = tasks_->ask(std::move(told));
    const auto taken = co_await std::move(telling);
    if (!taken) {
        co_return false;
    }
    if (taken->message.has_problem()) {
        auto pausing = pause(kAfterProblem);
        co_await std::move(pausing);
    } else if (taken->message.taken().wait_ms() != 0) {
        busy_ = false;  // done and told: a drain need not wait for the pause
        on_idle_();
        auto pausing = pause(std::min(milliseconds(taken->message.taken().wait_ms()), kWaitMax));
        co_await std::move(pausing);
    }
    co_return true;
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

asio::awaitable<void> RouteWorker::pause(milliseconds time) {
    if (!stopping_) {
        pause_.expires_after(time);
        auto waiting = pause_.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
}

}  // namespace xinfu::courier
