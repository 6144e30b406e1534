// StagedRecords: the records of a big file on their way into the store, as blocks that nobody sees yet, and what the
// index will be made of. While one part of them is sealed and written, the next is read.
//
// Rows of the file's id exist from the first part on although no submission does: Table::staged says so in the same
// transaction, and the sweep takes them away when the file comes to nothing.
//
// Threads: the vault's `io`; sealing runs on workers, writing on the ledger's thread.
// Errors:  storage::Errc, each told once: by the add() or settle() that comes next.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/staged_index.hpp"

namespace xinfu::vault {

// Sealed blocks gathered for one operation: each costs a sync and the changed pages of the tables' inner nodes.
inline constexpr std::size_t kGatheredSizeBytesMax = std::size_t{2} << 20;

class StagedRecords : public std::enable_shared_from_this<StagedRecords> {
public:
    // `wrapped_key`: the file's data key, wrapped for `unit`.
    StagedRecords(Context& context, std::shared_ptr<Candidate> candidate, std::string unit, Bytes wrapped_key);

    // Waits for the part before, then takes this one over and returns while it is on its way.
    asio::awaitable<Result<void>> add(std::vector<PreparedRecord> records);
    // Waits for what is on its way. Until it has returned, rows of the file's id may still be written.
    asio::awaitable<Result<void>> settle();
    // The last records, then the index of all; what was found goes into the candidate. Precondition: settle() returned.
    asio::awaitable<Result<void>> finish(std::vector<PreparedRecord> records);

private:
    enum class Rest { comes, was_all };
    asio::awaitable<void> carry();
    asio::awaitable<Result<void>> stage(Rest rest);
    Result<void> seal_blocks(Rest rest);

    Context& context_;
    std::shared_ptr<Candidate> candidate_;
    std::string unit_;
    Bytes wrapped_key_;
    // Of the part on its way alone, while there is one.
    std::vector<PreparedRecord> records_;  // not yet in blocks
    std::vector<Bytes> gathered_;          // sealed blocks behind those that are staged
    std::size_t gathered_size_bytes_ = 0;
    StagedIndex index_;

    bool under_way_ = false;
    asio::steady_timer ended_;
    Result<void> outcome_;  // of the part before
};

}  // namespace xinfu::vault
