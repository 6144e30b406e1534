// WallClock: the time of day, as the vault believes it. When the machine's clock is set by more than five minutes while
// the vault runs, its time goes on as it was until the new one has stood for a quarter of an hour: a slip of the hand,
// or a time server gone mad, then dates no leaf (the log's time never goes back again), expires nobody and forgets
// nothing. A time before the log's is wrong for certain: a step that mends that is believed at once.
//
// Sources: how long the machine has been up (CLOCK_BOOTTIME), which nobody can set, says what a step is.
// Threads: internally locked.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "storage/ledger.hpp"

namespace xinfu::vault {

struct ClockStep {
    enum class What { seen, believed, taken_back };
    What what;
    std::chrono::milliseconds by;  // how far the machine's clock is ahead of the time that went on; behind: negative
};

class WallClock final : public storage::Clock {
public:
    static constexpr std::chrono::minutes kFollowed{5};        // smaller steps, and drift, are believed at once
    static constexpr std::chrono::minutes kBelievedAfter{15};  // how long a larger one has to stand

    struct Reading {
        storage::Milliseconds wall;
        std::chrono::milliseconds up;  // since the machine started; only grows
    };
    static Reading read_machine();

    // What the first reading says is believed.
    explicit WallClock(std::function<Reading()> read = read_machine);

    storage::Milliseconds now() const override;

    // The log has come to this time.
    void reached(storage::Milliseconds time);
    // A step waits to be believed.
    bool is_doubted() const;
    // What happened since this was last asked. Ask every few seconds: steps are seen when the time is asked for.
    std::vector<ClockStep> take_steps();

private:
    // The machine's clock as an offset to how long it has been up: what setting it changes.
    using Offset = std::chrono::milliseconds;
    struct Doubted {
        Offset offset;
        std::chrono::milliseconds since;  // up
    };
    storage::Milliseconds advance() const;  // with `lock_` held

    const std::function<Reading()> read_;
    mutable std::mutex lock_;
    mutable Offset believed_;
    mutable std::optional<Doubted> doubted_;
    storage::Milliseconds reached_{};
    mutable std::vector<ClockStep> steps_;  // at most kStepsMax
};

}  // namespace xinfu::vault
