#include "daemon/vault/log_indexer.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>

#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::seconds kAfterFailure{5};
constexpr std::uint64_t kSegment = storage::LogIndex::kSegmentLeaves;

using Rows = storage::LogIndex::Rows;

}  // namespace

LogIndexer::LogIndexer(Context& context, ByteView index_key)
    : context_(context), index_(index_key), timer_(context.io) {}

void LogIndexer::stop() {
    stopped_ = true;
    timer_.cancel();
}

void LogIndexer::renew(const std::vector<std::uint64_t>& segments) {
    for (const std::uint64_t segment : segments) {
        if (known_ && segment < next_ && !unreadable_.contains(segment)) {
            missing_.insert(segment);
        }
    }
}

asio::awaitable<void> LogIndexer::wait(std::chrono::milliseconds time) {
    timer_.expires_after(time);
    auto waiting = timer_.async_wait(kAsTuple);
    static_cast<void>(co_await std::move(waiting));
}

asio::awaitable<void> LogIndexer::run() {
    while (!stopped_) {
        auto catching_up = catch_up();
        const auto caught_up = co_await std::move(catching_up);
        // A full queue or disk: later. Until then searches read the leaves themselves.
        auto waiting = wait(caught_up ? kLook : kAfterFailure);
        co_await std::move(waiting);
    }
}

asio::awaitable<Result<void>> LogIndexer::catch_up() {
    if (!known_) {
        auto finding = find_missing();
        if (const auto found = co_await std::move(finding); !found) {
            co_return found.error();
        }
    }
    while (!stopped_) {
        const bool fresh = (next_ + 1) * kSegment <= context_.ledger.head().tree_size;
        if (!fresh && missing_.empty()) {
            break;
        }
        // The newest first: that is what searches begin with.
        const std::uint64_t segment = fresh ? next_ : *missing_.rbegin();
        const auto began = std::chrono::steady_clock::now();
        auto making = make(segment);
        const auto made = co_await std::move(making);
        if (!made && made.error() != storage::Errc::corrupt) {
            co_return made.error();
        }
        if (!made) {
            unreadable_.insert(segment);
        }
        missing_.erase(segment);
        if (segment == next_) {
            ++next_;
        }
        const auto took = std::chrono::steady_clock::now() - began;
        auto resting = wait(std::chrono::ceil<std::chrono::milliseconds>(took * 2));
        co_await std::move(resting);
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> LogIndexer::find_missing() {
    const storage::Engine& engine = context_.ledger.engine();
    using Missing = std::pair<std::vector<std::uint64_t>, std::uint64_t>;  // segments, and how many are whole
    std::function<Result<Missing>()> look = [&engine]() -> Result<Missing> {
        const auto snapshot = engine.snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        auto missing = storage::LogIndex::missing(**snapshot);
        const auto size = storage::log_size(**snapshot);
        if (!missing || !size) {
            return missing ? size.error() : missing.error();
        }
        return Missing(std::move(*missing), *size / kSegment);
    };
    auto looking = run_on_worker(context_, std::move(look));
    auto looked = co_await std::move(looking);
    if (!looked) {
        co_return looked.error();
    }
    missing_.insert(looked->first.begin(), looked->first.end());
    next_ = looked->second;
    known_ = true;
    co_return Result<void>{};
}

asio::awaitable<Result<void>> LogIndexer::make(std::uint64_t segment) {
    const storage::Engine& engine = context_.ledger.engine();
    const storage::LogIndex& index = index_;
    using Made = std::shared_ptr<const Rows>;
    std::function<Result<Made>()> read = [&engine, &index, segment]() -> Result<Made> {
        const auto snapshot = engine.snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        auto rows = index.make_rows(**snapshot, segment);
        return rows ? Result<Made>(std::make_shared<const Rows>(std::move(*rows))) : Result<Made>(rows.error());
    };
    auto reading = run_on_worker(context_, std::move(read));
    const auto rows = co_await std::move(reading);
    if (!rows) {
        co_return rows.error();
    }
    std::size_t size = 0;
    for (const Bytes& row : **rows) {
        size += row.size();
    }
    std::function<Result<void>(storage::Batch&)> apply = [rows = *rows, segment](storage::Batch& batch) {
        return storage::LogIndex::put(batch.transaction(), segment, *rows);
    };
    auto executing = execute(context_, std::move(apply), size);
    const auto done = co_await std::move(executing);
    co_return done ? Result<void>{} : Result<void>(done.error());
}

}  // namespace xinfu::vault
