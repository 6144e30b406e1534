#include "daemon/vault/clock_watch.hpp"

#include <string>
#include <utility>

#include "daemon/vault/metrics.hpp"

namespace xinfu::vault {
namespace {

std::string result_of(ClockStep::What what) {
    switch (what) {
        case ClockStep::What::seen: return "pending";
        case ClockStep::What::believed: return "accepted";
        case ClockStep::What::taken_back: return "refused";
    }
    return {};
}

}  // namespace

bool ClockWatch::is_behind() const {
    return context_.ledger.last_time() - clock_.now() > WallClock::kFollowed;
}

bool ClockWatch::is_wrong() const {
    return clock_.is_doubted() || is_behind();
}

asio::awaitable<void> ClockWatch::look() {
    clock_.reached(context_.ledger.last_time());
    for (const ClockStep& step : clock_.take_steps()) {
        context_.metrics.add("xinfu_clock_steps_total");
        auto telling = tell("clock_step", result_of(step.what), step.by);
        co_await std::move(telling);
    }
    if (!std::exchange(was_behind_, is_behind()) && was_behind_) {
        auto telling = tell("clock_behind", "done", clock_.now() - context_.ledger.last_time());
        co_await std::move(telling);
    }
}

asio::awaitable<void> ClockWatch::tell(std::string action, std::string result, std::chrono::milliseconds by) {
    storage::Leaf leaf;
    leaf.action = std::move(action);
    leaf.result = std::move(result);
    leaf.code = "XF-9004";
    const auto seconds = std::chrono::round<std::chrono::seconds>(by).count();
    leaf.reason = (seconds < 0 ? "" : "+") + std::to_string(seconds) + " s";
    auto recording = record(context_, std::move(leaf), storage::LeafNotes{});
    // What cannot be told on the log is a disk that is full or failed, which has its own alarm.
    static_cast<void>((co_await std::move(recording)).has_value());
}

}  // namespace xinfu::vault
