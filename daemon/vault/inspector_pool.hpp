// Inspectors: processes that read hostile bytes, each for one principal at a time and never for two in its life.
//
// An instance is dialled when it is needed, gets the packs once, and is kept for its principal while that goes on
// handing in files. It ends after a number of files, after some idle time, when the packs change, when another
// principal needs its place, and after anything that was not in order. After a crash that principal alone waits,
// longer each time.
//
// Threads: the vault's `io`.
// Trust:   what an instance says is a claim of whoever's bytes it has read.
// Errors:  boundary::Errc not_running: nobody to dial, or this principal has to wait; connection_lost and timed_out
//          while packs are loaded. storage::Errc::busy: too many wait already.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/boundary/packet_channel.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/inspector_replies.hpp"

namespace xinfu::vault {

struct InspectorLimits {
    std::size_t instances_max = 16;
    std::size_t instances_per_key_max = 4;
    std::chrono::milliseconds idle{30000};
    std::uint32_t files_max = 1024;  // then a fresh address space
    std::size_t waiting_max = 256;
    std::chrono::milliseconds waiting_time_max{30000};
    std::chrono::milliseconds loading_time_max{20000};
    std::chrono::milliseconds back_off_min{100};
    std::chrono::milliseconds back_off_max{30000};
    std::chrono::milliseconds silence_max{60000};  // of an instance that has something to read; then it hangs
};

class Inspectors;

// One inspector for one piece of work. Unless keep() or drop() was called its end counts as a crash.
class InspectorLease {
public:
    InspectorLease() = default;
    InspectorLease(InspectorLease&& other) noexcept;
    InspectorLease& operator=(InspectorLease&& other) noexcept;
    ~InspectorLease();

    boundary::PacketChannel& channel();
    InspectorReplies& replies();
    void keep();   // the work ended in order: the instance may serve its principal again
    void drop();   // the work was given up for a reason outside the instance
    void crash();  // the instance died, hung or said something out of its place

private:
    friend class Inspectors;
    struct Instance;
    InspectorLease(Inspectors* pool, std::unique_ptr<Instance> instance);
    Inspectors* pool_ = nullptr;
    std::unique_ptr<Instance> instance_;
};

class Inspectors {
public:
    using Dial = std::function<asio::awaitable<Result<boundary::Connection>>()>;

    Inspectors(asio::io_context& io, Dial dial, InspectorLimits limits);
    ~Inspectors();
    Inspectors(const Inspectors&) = delete;
    Inspectors& operator=(const Inspectors&) = delete;

    // `key` names whose bytes the instance will read: an account; at upper levels account and unit when the unit is
    // known. `policies`: whose packs it gets; null: none are needed. `most`: instances of this key at one time, if it
    // is less than the limit. Waits its turn when all instances are busy.
    asio::awaitable<Result<InspectorLease>> take(std::string key, std::shared_ptr<const PolicySet> policies,
                                                 std::size_t most = SIZE_MAX);

    // Ends idle instances in time; run it once, spawned on `io`. Returns after stop().
    asio::awaitable<void> run();
    void stop();

    const InspectorLimits& limits() const { return limits_; }
    std::size_t instances() const { return instances_; }
    std::uint64_t crashes() const { return crashes_; }

private:
    friend class InspectorLease;
    struct BackOff {
        std::uint32_t crashes = 0;
        std::chrono::steady_clock::time_point until{};
    };

    std::unique_ptr<InspectorLease::Instance> take_idle(const std::string& key, const crypto::Digest& policies);
    bool make_room();
    void give_back(std::unique_ptr<InspectorLease::Instance> instance);
    void discard(std::unique_ptr<InspectorLease::Instance> instance);
    void note_crash(const std::string& key);
    void wake_waiting();
    asio::awaitable<Result<std::unique_ptr<InspectorLease::Instance>>> start(std::string key,
                                                                             std::shared_ptr<const PolicySet> policies);
    asio::awaitable<Result<void>> load_packs(boundary::PacketChannel& channel, const PolicySet& policies);

    asio::io_context& io_;
    Dial dial_;
    InspectorLimits limits_;
    std::list<std::unique_ptr<InspectorLease::Instance>> idle_;  // longest idle first
    std::map<std::string, std::size_t> per_key_;                 // instances, idle and busy
    std::map<std::string, BackOff> back_off_;
    std::list<asio::steady_timer*> waiting_;
    asio::steady_timer tick_;
    std::size_t instances_ = 0;
    std::uint64_t crashes_ = 0;
    bool stopped_ = false;
};

}  // namespace xinfu::vault
