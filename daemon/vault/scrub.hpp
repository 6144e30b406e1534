// Scrub: reads everything stored once a night, so that what a disk lost is known before somebody needs it, and before
// the backups that still have it are gone: the pages of the store (after each start too), every row, every original,
// and the log against its tree. What it finds is told of as when a request meets it (daemon/vault/damage.hpp); what it
// looked at is a leaf of its own.
//
// Threads: the vault's `io`; reading runs on workers, a slice at a time.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "daemon/vault/context.hpp"
#include "storage/damage.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault {

class OriginalReader;

struct ScrubReport {
    std::uint64_t pages = 0;
    std::uint64_t rows = 0;
    std::uint64_t leaves = 0;
    std::uint64_t originals = 0;
    std::uint64_t damaged = 0;  // pieces
};
std::string to_text(const ScrubReport& report);

class Scrub {
public:
    static constexpr std::uint64_t kSliceBytes = 2u << 20;  // between two pauses

    // `on_damage`: of what this finds itself; the engine and the object store have their own.
    Scrub(Context& context, storage::OnDamage on_damage);

    // Looks at the pages once; then scrubs every night at `vault.scrub_hour` and whenever wake() was called. Returns
    // after stop().
    asio::awaitable<void> run();
    void wake();
    void stop();

    // One whole pass, without its leaf. After damaged pages nothing else is read: LMDB would follow them. Stopped: what
    // was looked at until then. Errors: storage::Errc.
    asio::awaitable<Result<ScrubReport>> scrub();

private:
    asio::awaitable<Result<void>> look_at_pages(ScrubReport& report);
    asio::awaitable<Result<void>> look_at_rows(ScrubReport& report);
    asio::awaitable<Result<void>> look_at_log(ScrubReport& report);
    asio::awaitable<Result<void>> look_at_originals(ScrubReport& report);
    asio::awaitable<Result<void>> look_at_original(ScrubReport& report, storage::SubmissionId id,
                                                   storage::rows::Submission row);
    asio::awaitable<void> scrub_and_tell();
    asio::awaitable<void> rest(std::uint64_t bytes);
    asio::awaitable<void> wait(std::chrono::milliseconds time);

    Context& context_;
    storage::OnDamage on_damage_;
    asio::steady_timer timer_;
    bool wanted_ = false;
    bool stopped_ = false;
};

}  // namespace xinfu::vault
