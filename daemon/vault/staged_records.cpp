#include "daemon/vault/staged_records.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "storage/submissions.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

StagedRecords::StagedRecords(Context& context, std::shared_ptr<Candidate> candidate, std::string unit,
                             Bytes wrapped_key)
    : context_(context),
      candidate_(std::move(candidate)),
      unit_(std::move(unit)),
      wrapped_key_(std::move(wrapped_key)),
      index_(context),
      ended_(context.io) {}

asio::awaitable<Result<void>> StagedRecords::add(std::vector<PreparedRecord> records) {
    auto settling = settle();
    if (const auto settled = co_await std::move(settling); !settled) {
        co_return settled;
    }
    records_.insert(records_.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
    under_way_ = true;
    auto carrying = carry();
    asio::co_spawn(context_.io, std::move(carrying), asio::detached);
    co_return Result<void>{};
}

asio::awaitable<void> StagedRecords::carry() {
    const auto self = shared_from_this();
    auto staging = stage(Rest::comes);
    outcome_ = co_await std::move(staging);
    under_way_ = false;
    ended_.cancel();
}

asio::awaitable<Result<void>> StagedRecords::settle() {
    const auto self = shared_from_this();
    while (under_way_) {
        ended_.expires_at(asio::steady_timer::time_point::max());
        auto waiting = ended_.async_wait(kAsTuple);
        co_await std::move(waiting);
    }
    co_return std::exchange(outcome_, Result<void>{});
}

// Blocks of the records that are here; those that do not fill one stay until the rest was all.
Result<void> StagedRecords::seal_blocks(Rest rest) {
    std::size_t done = 0;
    storage::rows::RecordBlock block;  // cleared, it keeps the memory of its records
    while (records_.size() - done >= storage::kRecordsPerBlock || (rest == Rest::was_all && done < records_.size())) {
        const auto number = static_cast<std::uint32_t>(candidate_->staged_blocks + gathered_.size());
        block.Clear();
        const std::size_t end = std::min(done + storage::kRecordsPerBlock, records_.size());
        for (; done < end; ++done) {
            const auto slot = number * storage::kRecordsPerBlock + static_cast<std::uint32_t>(block.records_size());
            append_row(records_[done], block);
            index_.add(records_[done], slot);
            candidate_->staged_terms.add(records_[done]);
        }
        gathered_.push_back(candidate_->sealer->seal_block(number, block));
        gathered_size_bytes_ += gathered_.back().size();
        if (index_.full()) {
            if (const auto spilled = index_.spill(); !spilled) {
                return spilled;
            }
        }
    }
    candidate_->staged_stored += done;
    records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(done));
    return {};
}

asio::awaitable<Result<void>> StagedRecords::stage(Rest rest) {
    std::function<Result<void>()> work = [this, rest]() { return seal_blocks(rest); };
    auto sealing = run_on_worker<Result<void>>(context_, std::move(work));
    if (const auto sealed = co_await std::move(sealing); !sealed) {
        co_return sealed.error();
    }
    if (gathered_.empty() ||
        (candidate_->staged && rest == Rest::comes && gathered_size_bytes_ < kGatheredSizeBytesMax)) {
        co_return Result<void>{};
    }
    storage::rows::Staging staging;
    if (!candidate_->staged) {
        staging.set_started_ms(context_.clock.now().time_since_epoch().count());
        staging.set_unit(unit_);
        staging.set_catalog(candidate_->catalog->name());
        staging.set_wrapped_key(wrapped_key_.data(), wrapped_key_.size());
    }
    auto blocks = std::make_shared<const std::vector<Bytes>>(std::exchange(gathered_, {}));
    std::function<Result<void>(storage::Batch&)> apply = [blocks, candidate = candidate_,
                                                          staging](storage::Batch& batch) -> Result<void> {
        auto& transaction = batch.transaction();
        if (!candidate->staged) {
            if (const auto put = storage::put_staging(transaction, candidate->id, staging); !put) {
                return put;
            }
        }
        auto number = candidate->staged_blocks;
        for (const auto& block : *blocks) {
            if (const auto put = storage::put_record_block(transaction, candidate->id, number++, block); !put) {
                return put;
            }
        }
        return {};
    };
    auto executing = execute(context_, std::move(apply), std::exchange(gathered_size_bytes_, 0));
    if (const auto done = co_await std::move(executing); !done) {
        co_return done.error();
    }
    candidate_->staged = true;
    candidate_->staged_blocks += static_cast<std::uint32_t>(blocks->size());
    co_return Result<void>{};
}

asio::awaitable<Result<void>> StagedRecords::finish(std::vector<PreparedRecord> records) {
    records_.insert(records_.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
    auto staging = stage(Rest::was_all);
    if (const auto staged = co_await std::move(staging); !staged) {
        co_return staged.error();
    }
    auto writing = index_.write(candidate_);
    auto found = co_await std::move(writing);
    if (!found) {
        co_return found.error();
    }
    Candidate& candidate = *candidate_;
    candidate.staged_stored -= found->duplicates + found->defective;
    candidate.staged_duplicates += found->duplicates;
    candidate.staged_terms = std::move(found->terms);
    candidate.defective += found->defective;
    candidate.defects_total += found->defective;
    auto& defects = candidate.defects;
    defects.insert(defects.end(), std::make_move_iterator(found->defects.begin()),
                   std::make_move_iterator(found->defects.end()));
    std::ranges::stable_sort(defects, {}, &boundary::Defect::line);
    if (defects.size() > kDefectsKeptMax) {
        defects.resize(kDefectsKeptMax);
    }
    co_return Result<void>{};
}

}  // namespace xinfu::vault
