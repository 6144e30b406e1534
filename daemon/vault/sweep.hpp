// Sweep: takes away what files that came to nothing left behind: staged rows, and object files that no
// committed row names; and what proves possession of certificates that are long out of date. In small slices between
// other work, from the start on and whenever there is something new.
//
// What belongs to files on their way, and to submissions that wait for approval, is no orphan.
//
// Threads: the vault's `io`; erasing runs on the ledger's thread and on workers.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "daemon/vault/accept_submission.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/uploads.hpp"
#include "storage/submissions.hpp"

namespace xinfu::vault {

class Sweep {
public:
    static constexpr std::size_t kBlocksPerSlice = 16;
    static constexpr std::size_t kProofsPerSlice = 256;

    // `intake` and `uploads` say which files are on their way.
    Sweep(Context& context, const Intake& intake, const Uploads& uploads);

    // Sweeps once, then whenever wake() was called and every hour; returns after stop().
    asio::awaitable<void> run();
    void wake();
    void stop();

    // One whole pass. Errors: storage::Errc.
    asio::awaitable<Result<void>> sweep();

private:
    asio::awaitable<Result<void>> sweep_rows();
    asio::awaitable<Result<void>> sweep_objects();
    asio::awaitable<Result<void>> sweep_proofs();

    Context& context_;
    const Intake& intake_;
    const Uploads& uploads_;
    asio::steady_timer timer_;
    bool wanted_ = true;
    bool stopped_ = false;
};

}  // namespace xinfu::vault
