// Ledger: the single writer. Everything that changes state is an operation here; whatever waits is taken into
// one transaction (natural batching: while one batch syncs, the next gathers), and its audit leaves join the
// one Merkle tree in that same transaction.
//
// Commit point: `done` is called with a Committed only after the transaction is synced; the checkpoint is
// signed after that. No signature leaves for a tree that is not on disk.
//
// Threads: submit() from any thread; apply and done run on the writer thread.
// Errors:  an operation's own error refuses that operation alone. A failed commit ends the ledger
//          (`failed()` becomes true, every waiting operation gets Errc::commit_failed) and the process exits.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/note.hpp"
#include "crypto/result.hpp"
#include "storage/engine.hpp"

namespace xinfu::storage {

using Milliseconds = std::chrono::sys_time<std::chrono::milliseconds>;

// Time as an argument, so that tests need no sleeping.
class Clock {
public:
    virtual ~Clock() = default;
    virtual Milliseconds now() const = 0;  // UTC
};

// A durable batch: the tree it ended with, and the checkpoint over it.
struct Committed {
    std::uint64_t tree_size;
    std::shared_ptr<const std::string> checkpoint;  // signed note, C2SP tlog-checkpoint
};

class Batch {
public:
    virtual ~Batch() = default;
    virtual WriteTransaction& transaction() = 0;
    // The leaf time of this batch: never before that of an earlier batch.
    virtual Milliseconds time() const = 0;
    // Appends one entry (at most 65 535 bytes, C2SP tlog-tiles) and returns its index. The builder gets the
    // index the entry will have.
    virtual std::uint64_t append_leaf(ByteView entry) = 0;
    virtual std::uint64_t next_index() const = 0;
};

struct Operation {
    // Runs inside the open transaction; may run again when the batch fails and its members are retried one by
    // one, so it changes nothing but the transaction and values it overwrites. It checks first and writes
    // afterwards: an error returned after a first write makes the whole batch start over without it.
    std::function<Result<void>(Batch&)> apply;
    std::function<void(Result<Committed>)> done;
    std::size_t size_bytes = 0;  // what it will roughly write: bounds a batch
    bool essential = false;      // may use the disk reserve: readings, refusals, what frees space
};

class TreeReader;

class Ledger {
public:
    struct Options {
        std::string origin;            // "<node>/log"
        std::size_t queue_max = 4096;  // waiting operations; beyond: Errc::busy
        std::size_t batch_operations_max = 512;
        std::size_t batch_bytes_max = 4u << 20;
        // Free disk below which operations that are not `essential` get Errc::store_full,
        std::uint64_t disk_reserve_bytes = std::uint64_t{256} << 20;
        // and below which all get Errc::log_full.
        std::uint64_t leaf_reserve_bytes = 0;
        // After each batch, durable or refused, when its operations were told: the size of the durable tree.
        std::function<void(std::uint64_t tree_size)> after_batch;
    };
    virtual ~Ledger() = default;

    // Errc::busy when the queue is full, Errc::commit_failed after a failure; otherwise `done` will be
    // called.
    virtual Result<void> submit(Operation operation) = 0;
    virtual bool failed() const = 0;

    // The newest durable checkpoint.
    virtual Committed head() const = 0;
    // The time of the newest durable batch with leaves: none of a later one is before it.
    virtual Milliseconds last_time() const = 0;
    virtual const TreeReader& tree() const = 0;
    virtual Engine& engine() = 0;
};

// Proofs and tiles over what is durable. Thread-safe.
class TreeReader {
public:
    virtual ~TreeReader() = default;
    virtual Result<std::vector<crypto::Digest>> inclusion_proof(std::uint64_t index, std::uint64_t size) const = 0;
    virtual Result<std::vector<crypto::Digest>> consistency_proof(std::uint64_t old_size, std::uint64_t size) const = 0;
    virtual Result<crypto::Digest> root(std::uint64_t size) const = 0;
    // `width` hashes of a tile (C2SP tlog-tiles); Errc::not_found when the tree has not grown so far.
    virtual Result<Bytes> tile(unsigned level, std::uint64_t index, unsigned width) const = 0;
    // An entry bundle: each entry behind its u16 BE length.
    virtual Result<Bytes> entries(std::uint64_t index, unsigned width) const = 0;
    virtual Result<Bytes> entry(std::uint64_t index) const = 0;
};

// Recovers the tree from the engine, signs the checkpoint of what is durable again (the same bytes: Ed25519
// over origin, size and root is deterministic) and starts the writer thread. The ledger owns the engine.
Result<std::unique_ptr<Ledger>> open_ledger(std::unique_ptr<Engine> engine, Ledger::Options options,
                                            std::shared_ptr<const crypto::NoteSigner> signer,
                                            std::shared_ptr<const Clock> clock);

}  // namespace xinfu::storage
