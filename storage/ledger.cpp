#include "storage/ledger.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "storage/error.hpp"
#include "storage/log_recovery.hpp"
#include "storage/log_rows.hpp"
#include "storage/log_tree.hpp"
#include "storage/tree_reader.hpp"

namespace xinfu::storage {
namespace {

using Steady = std::chrono::steady_clock;

// How often the free space is looked at: far below what fills a reserve of the default size.
constexpr std::chrono::milliseconds kMapLookedAtEvery{100};
// Of a small map, the reserve takes at most this part.
constexpr std::uint64_t kReservePartOfMap = 16;
// Batches started over without one culprit each, before the rest is retried one by one.
constexpr int kRestartsMax = 8;

// Counts what an operation writes and keeps the first failed write, whether the operation told of it or not.
class WatchedTransaction final : public WriteTransaction {
public:
    explicit WatchedTransaction(WriteTransaction& inner) : inner_(inner) {}

    Result<std::optional<Bytes>> get(Table table, ByteView key) const override { return inner_.get(table, key); }
    Result<bool> contains(Table table, ByteView key) const override { return inner_.contains(table, key); }
    Result<void> visit(Table table, ByteView prefix, ByteView from, const Visitor& visitor,
                       bool backwards) const override {
        return inner_.visit(table, prefix, from, visitor, backwards);
    }
    Result<std::uint64_t> count(Table table) const override { return inner_.count(table); }
    Result<void> put(Table table, ByteView key, ByteView value) override {
        return watched(inner_.put(table, key, value));
    }
    Result<void> erase(Table table, ByteView key) override { return watched(inner_.erase(table, key)); }
    Result<void> commit() override { return Errc::misused; }  // the ledger's alone

    std::uint64_t writes() const { return writes_; }
    const boost::system::error_code& error() const { return error_; }

private:
    Result<void> watched(Result<void> result) {
        ++writes_;
        if (!result && !error_) {
            error_ = result.error();
        }
        return result;
    }

    WriteTransaction& inner_;
    std::uint64_t writes_ = 0;
    boost::system::error_code error_;
};

class OpenBatch final : public Batch {
public:
    OpenBatch(WriteTransaction& transaction, RightEdge& edge, Milliseconds time)
        : watched_(transaction), edge_(edge), time_(time) {}

    WriteTransaction& transaction() override { return watched_; }
    Milliseconds time() const override { return time_; }
    std::uint64_t next_index() const override { return edge_.size(); }

    std::uint64_t append_leaf(ByteView entry) override {
        assert(entry.size() <= crypto::kEntrySizeBytesMax);
        const std::uint64_t index = edge_.size();
        // A failed write is kept by the transaction; the batch then does not commit.
        (void)watched_.put(Table::log_entries, index_key(index), entry).has_value();
        edge_.append(crypto::leaf_hash(entry), [this](unsigned level, std::uint64_t tile, const TileNodes& nodes) {
            (void)watched_.put(Table::log_tiles, tile_key(level, tile), nodes.bytes(nodes.width())).has_value();
            completed_.push_back({level, tile, std::make_shared<const TileNodes>(nodes)});
        });
        return index;
    }

    // After the last operation. The partial tile of level 0 is not written: its entries are, and recovery
    // hashes them again; a partial tile above changes only when the one below it was completed.
    void finish(const LogState& state) {
        for (std::size_t level = 1; level < edge_.levels(); ++level) {
            const TileNodes& tile = edge_.tile(level);
            const bool changed =
                std::ranges::any_of(completed_, [level](const FullTile& full) { return full.level + 1 == level; });
            if (changed && tile.width() != 0) {
                (void)watched_
                    .put(Table::log_tiles, tile_key(static_cast<unsigned>(level), edge_.edge_index(level)),
                         tile.bytes(tile.width()))
                    .has_value();
            }
        }
        (void)watched_.put(Table::meta, as_bytes(kLogStateKey), encode_log_state(state)).has_value();
    }

    const WatchedTransaction& watched() const { return watched_; }
    const std::vector<FullTile>& completed() const { return completed_; }

private:
    WatchedTransaction watched_;
    RightEdge& edge_;
    Milliseconds time_;
    std::vector<FullTile> completed_;
};

// A waiting operation and, once it has one, its own error.
struct Member {
    Operation operation;
    std::optional<boost::system::error_code> refused;
};
using Members = std::vector<Member*>;

class LedgerThread final : public Ledger {
public:
    LedgerThread(std::unique_ptr<Engine> engine, Options options, std::shared_ptr<const crypto::NoteSigner> signer,
                 std::shared_ptr<const Clock> clock, RecoveredLog recovered)
        : engine_(std::move(engine)),
          options_(std::move(options)),
          signer_(std::move(signer)),
          clock_(std::move(clock)),
          tree_(*engine_),
          edge_(std::move(recovered.edge)),
          last_time_(recovered.state.time),
          stored_checkpoint_(recovered.checkpoint_size) {
        tree_.publish(edge_, {});
        head_ = sign_head();
        thread_ = std::thread([this] { run(); });
    }

    ~LedgerThread() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    Result<void> submit(Operation operation) override {
        {
            const std::lock_guard lock(mutex_);
            if (failed_) {
                return Errc::commit_failed;
            }
            if (stopping_) {
                return Errc::stopped;
            }
            if (queue_.size() >= options_.queue_max) {
                return Errc::busy;
            }
            queue_.push_back(std::move(operation));
            if (!asleep_) {
                return {};
            }
        }
        wake_.notify_one();
        return {};
    }

    bool failed() const override { return failed_; }
    Committed head() const override {
        const std::lock_guard lock(head_mutex_);
        return head_;
    }
    Milliseconds last_time() const override {
        const std::lock_guard lock(head_mutex_);
        return last_time_;
    }
    const TreeReader& tree() const override { return tree_; }
    Engine& engine() override { return *engine_; }

private:
    void run() {
        for (;;) {
            std::vector<Member> batch = take();
            if (batch.empty()) {
                break;
            }
            process(batch);
            for (Member& member : batch) {
                complete(member);
            }
            if (options_.after_batch) {
                options_.after_batch(edge_->size());
            }
        }
        store_last_checkpoint();
    }

    // What waits, up to a batch's bounds; nothing only when the ledger is stopping and has drained.
    std::vector<Member> take() {
        std::unique_lock lock(mutex_);
        asleep_ = true;
        wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
        asleep_ = false;
        std::vector<Member> batch;
        batch.reserve(std::min(queue_.size(), options_.batch_operations_max));
        std::size_t bytes = 0;
        while (!queue_.empty() && batch.size() < options_.batch_operations_max) {
            bytes += queue_.front().size_bytes;
            if (!batch.empty() && bytes > options_.batch_bytes_max) {
                break;
            }
            batch.push_back({std::move(queue_.front()), std::nullopt});
            queue_.pop_front();
        }
        return batch;
    }

    void process(std::vector<Member>& batch) {
        const Space space = look_at_space();
        Members members;
        members.reserve(batch.size());
        for (Member& member : batch) {
            if (failed_) {
                member.refused = Errc::commit_failed;
            } else if (space == Space::for_nothing) {
                member.refused = Errc::log_full;
            } else if (space == Space::for_essentials && !member.operation.essential) {
                member.refused = Errc::store_full;
            } else {
                members.push_back(&member);
            }
        }
        if (members.empty() || attempt(members)) {
            return;
        }
        // Something failed that cannot be laid at one member's door: each on its own, in their order.
        for (Member* member : members) {
            Members alone{member};
            if (!attempt(alone)) {
                assert(member->refused);
            }
        }
    }

    // One transaction over these operations. Members with an error of their own leave `members`. False:
    // nothing was written and the rest should be tried one by one; of a single member, the error is its own
    // then.
    bool attempt(Members& members) {
        for (int restarts = 0; !members.empty(); ++restarts) {
            if (failed_) {
                refuse(members, Errc::commit_failed);
                return true;
            }
            const auto transaction = engine_->begin();
            if (!transaction) {
                if (transaction.error() == Errc::commit_failed) {
                    fail();
                }
                refuse(members, transaction.error());
                return true;
            }
            working_ = *edge_;
            OpenBatch batch(**transaction, working_, std::max(clock_->now(), last_time_));
            const Applied applied = apply(members, batch);
            if (applied == Applied::failed) {
                return give_up(members, batch.watched().error());
            }
            if (applied == Applied::start_over) {
                if (restarts == kRestartsMax) {
                    return members.empty();
                }
                continue;
            }
            if (batch.watched().writes() == 0) {
                return true;  // checks only, or nobody left: nothing to make durable
            }
            return commit(members, **transaction, batch);
        }
        return true;
    }

    enum class Applied { all, start_over, failed };

    Applied apply(Members& members, OpenBatch& batch) {
        for (auto member = members.begin(); member != members.end();) {
            const std::uint64_t before = batch.watched().writes();
            const Result<void> result = (*member)->operation.apply(batch);
            if (batch.watched().error()) {
                return Applied::failed;
            }
            if (result) {
                ++member;
                continue;
            }
            (*member)->refused = result.error();
            member = members.erase(member);
            if (batch.watched().writes() != before) {
                return Applied::start_over;  // what it wrote must not become visible
            }
        }
        return Applied::all;
    }

    bool commit(Members& members, WriteTransaction& transaction, OpenBatch& batch) {
        const bool grown = working_.size() != edge_->size();
        if (grown) {
            batch.finish({working_.size(), batch.time(), working_.root()});
        }
        const std::uint64_t signed_size = edge_->size();
        const bool checkpoint_due = signed_size != stored_checkpoint_;
        if (checkpoint_due) {
            put_checkpoint(batch.transaction());
        }
        if (batch.watched().error()) {
            return give_up(members, batch.watched().error());
        }
        if (const auto committed = transaction.commit(); !committed) {
            if (committed.error() == Errc::store_full) {
                return give_up(members, committed.error());
            }
            fail();
            refuse(members, Errc::commit_failed);
            return true;
        }
        // Durable from here. If the process dies now, the next start finds this tree and signs the same
        // checkpoint; nobody has a receipt yet, and the same request again gets it.
        if (checkpoint_due) {
            stored_checkpoint_ = signed_size;
        }
        if (grown) {
            edge_ = std::make_shared<const RightEdge>(working_);
            tree_.publish(edge_, batch.completed());
            Committed head = sign_head();
            const std::lock_guard lock(head_mutex_);
            head_ = std::move(head);
            last_time_ = batch.time();
        }
        return true;
    }

    // The checkpoint signed after the last batch goes with this one; the one before it has done its work,
    // since any checkpoint can be made again from the tree.
    void put_checkpoint(WriteTransaction& transaction) {
        const Committed signed_head = head();
        if (stored_checkpoint_ != 0) {
            (void)transaction.erase(Table::checkpoints, index_key(stored_checkpoint_)).has_value();
        }
        (void)transaction.put(Table::checkpoints, index_key(signed_head.tree_size), as_bytes(*signed_head.checkpoint))
            .has_value();
    }

    // Only of a tree that is synced.
    Committed sign_head() const {
        const std::string text = crypto::encode_checkpoint({options_.origin, edge_->size(), edge_->root()});
        return {edge_->size(), std::make_shared<const std::string>(signer_->sign(text))};
    }

    static bool give_up(Members& members, const boost::system::error_code& error) {
        if (members.size() == 1) {
            members.front()->refused = error;
        }
        return false;
    }
    static void refuse(Members& members, const boost::system::error_code& error) {
        for (Member* member : members) {
            member->refused = error;
        }
    }

    void complete(Member& member) {
        if (!member.operation.done) {
            return;
        }
        if (member.refused) {
            member.operation.done(*member.refused);
        } else {
            member.operation.done(head());
        }
    }

    // The state on disk is unknown. Nothing is acknowledged any more; whoever watches failed() ends the
    // process.
    void fail() {
        const std::lock_guard lock(mutex_);
        failed_ = true;
    }

    enum class Space { for_all, for_essentials, for_nothing };

    // The disk is looked at each time: big files fill it faster than one would think. The map costs more to look at.
    Space look_at_space() {
        const auto now = Steady::now();
        if (now >= map_due_) {
            map_due_ = now + kMapLookedAtEvery;
            const EngineStatistics statistics = engine_->statistics();
            const std::uint64_t map_free =
                statistics.map_size_bytes - std::min(statistics.used_bytes, statistics.map_size_bytes);
            map_is_scarce_ =
                map_free < std::min(options_.disk_reserve_bytes, statistics.map_size_bytes / kReservePartOfMap);
        }
        const std::uint64_t disk_free = engine_->disk_free_bytes();
        if (disk_free < options_.leaf_reserve_bytes) {
            return Space::for_nothing;
        }
        return disk_free < options_.disk_reserve_bytes || map_is_scarce_ ? Space::for_essentials : Space::for_all;
    }

    // A clean end leaves nothing to sign again. Failing here loses nothing.
    void store_last_checkpoint() {
        if (failed_ || edge_->size() == stored_checkpoint_) {
            return;
        }
        const auto transaction = engine_->begin();
        if (transaction) {
            put_checkpoint(**transaction);
            if (const auto committed = (*transaction)->commit(); !committed) {
                return;
            }
            stored_checkpoint_ = edge_->size();
        }
    }

    const std::unique_ptr<Engine> engine_;
    const Options options_;
    const std::shared_ptr<const crypto::NoteSigner> signer_;
    const std::shared_ptr<const Clock> clock_;
    DurableTree tree_;

    // The writer thread's own, after construction.
    std::shared_ptr<const RightEdge> edge_;  // of what is durable
    RightEdge working_;                      // of the batch at hand
    Milliseconds last_time_;
    std::uint64_t stored_checkpoint_;  // tree size
    Steady::time_point map_due_{};
    bool map_is_scarce_ = false;

    mutable std::mutex head_mutex_;
    Committed head_;

    std::mutex mutex_;  // of what follows
    std::condition_variable wake_;
    std::deque<Operation> queue_;
    bool asleep_ = false;
    bool stopping_ = false;
    std::atomic<bool> failed_ = false;

    std::thread thread_;  // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<Ledger>> open_ledger(std::unique_ptr<Engine> engine, Ledger::Options options,
                                            std::shared_ptr<const crypto::NoteSigner> signer,
                                            std::shared_ptr<const Clock> clock) {
    auto recovered = recover_log(*engine, options.origin, *signer);
    if (!recovered) {
        return recovered.error();
    }
    return std::unique_ptr<Ledger>(std::make_unique<LedgerThread>(
        std::move(engine), std::move(options), std::move(signer), std::move(clock), std::move(*recovered)));
}

}  // namespace xinfu::storage
