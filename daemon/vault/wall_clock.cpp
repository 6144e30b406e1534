#include "daemon/vault/wall_clock.hpp"

#include <time.h>

#include <algorithm>
#include <utility>

namespace xinfu::vault {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kStepsMax = 64;  // nobody asks: the first are enough

milliseconds read(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::floor<milliseconds>(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

}  // namespace

WallClock::Reading WallClock::read_machine() {
    return {storage::Milliseconds(read(CLOCK_REALTIME)), read(CLOCK_BOOTTIME)};
}

WallClock::WallClock(std::function<Reading()> read) : read_(std::move(read)) {
    const Reading first = read_();
    believed_ = first.wall.time_since_epoch() - first.up;
}

storage::Milliseconds WallClock::advance() const {
    const Reading reading = read_();
    const Offset offset = reading.wall.time_since_epoch() - reading.up;
    const auto tell = [this](ClockStep::What what, milliseconds by) {
        if (steps_.size() < kStepsMax) {
            steps_.push_back({what, by});
        }
    };
    const auto is_possible = [&](Offset at) { return storage::Milliseconds(reading.up + at) + kFollowed >= reached_; };
    if (std::chrono::abs(offset - believed_) <= kFollowed) {
        if (doubted_) {
            tell(ClockStep::What::taken_back, doubted_->offset - believed_);
            doubted_.reset();
        }
        believed_ = offset;
    } else if (!is_possible(believed_) && is_possible(offset)) {
        tell(ClockStep::What::believed, offset - believed_);
        doubted_.reset();
        believed_ = offset;
    } else if (!doubted_ || std::chrono::abs(offset - doubted_->offset) > kFollowed) {
        doubted_ = Doubted{offset, reading.up};
        tell(ClockStep::What::seen, offset - believed_);
    } else if (reading.up - doubted_->since >= kBelievedAfter) {
        tell(ClockStep::What::believed, offset - believed_);
        doubted_.reset();
        believed_ = offset;
    } else {
        doubted_->offset = offset;  // a clock that is being slewed drifts
    }
    return storage::Milliseconds(reading.up + believed_);
}

storage::Milliseconds WallClock::now() const {
    const std::scoped_lock held(lock_);
    return advance();
}

void WallClock::reached(storage::Milliseconds time) {
    const std::scoped_lock held(lock_);
    reached_ = std::max(reached_, time);
}

bool WallClock::is_doubted() const {
    const std::scoped_lock held(lock_);
    return doubted_.has_value();
}

std::vector<ClockStep> WallClock::take_steps() {
    const std::scoped_lock held(lock_);
    advance();
    return std::exchange(steps_, {});
}

}  // namespace xinfu::vault
