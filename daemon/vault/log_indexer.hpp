// LogIndexer: keeps the log's search index (storage/log_index.hpp) behind the log: each segment once it is whole, those
// that have no rows of this version, and those that a search found damaged. Never in the way of a commit: rows are made
// on a worker from a snapshot, and what a store of an older build lacks is made with rests between.
//
// Threads: the vault's `io`; reading runs on workers, writing on the ledger's thread.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "daemon/vault/context.hpp"
#include "storage/log_index.hpp"

namespace xinfu::vault {

class LogIndexer {
public:
    LogIndexer(Context& context, ByteView index_key);

    const storage::LogIndex& index() const { return index_; }

    // Returns after stop().
    asio::awaitable<void> run();
    void stop();

    // These have no usable rows.
    void renew(const std::vector<std::uint64_t>& segments);

    // Makes what is missing, as far as it can be made now. Errors: storage::Errc.
    asio::awaitable<Result<void>> catch_up();

private:
    asio::awaitable<Result<void>> find_missing();
    asio::awaitable<Result<void>> make(std::uint64_t segment);
    asio::awaitable<void> wait(std::chrono::milliseconds time);

    Context& context_;
    storage::LogIndex index_;
    asio::steady_timer timer_;
    std::set<std::uint64_t> missing_;
    std::set<std::uint64_t>
        unreadable_;          // a leaf of theirs is damaged: they stay without an index until the next start
    std::uint64_t next_ = 0;  // all whole segments before it are indexed, missing or unreadable
    bool known_ = false;
    bool stopped_ = false;
};

}  // namespace xinfu::vault
