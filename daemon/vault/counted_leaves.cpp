#include "daemon/vault/counted_leaves.hpp"

#include <utility>
#include <vector>

namespace xinfu::vault {

asio::awaitable<Result<void>> CountedLeaves::write(Context& context, std::string key, storage::Leaf leaf,
                                                   std::uint64_t times) {
    const auto now = context.clock.now();
    auto found = windows_.find(key);
    if (found != windows_.end() && !found->second.is_over(now)) {
        found->second.repeats += times;
        co_return Result<void>{};
    }
    std::uint64_t carried = 0;
    if (found != windows_.end()) {  // its minute is over, but nobody has flushed it yet
        carried = found->second.repeats;
    }
    windows_[key] = Window{now + kWindow, leaf, 0};
    leaf.count = times + carried;
    auto recording = record(context, std::move(leaf), storage::LeafNotes{});
    const auto recorded = co_await std::move(recording);
    if (!recorded) {
        // The next one tries again instead of being counted behind a leaf that is not there.
        const auto failed = windows_.find(key);
        if (failed != windows_.end()) {
            failed->second.ends = now;
            failed->second.repeats += times + carried;
        }
        co_return recorded.error();
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> CountedLeaves::flush(Context& context, bool all) {
    const auto now = context.clock.now();
    std::vector<storage::Leaf> leaves;
    for (auto window = windows_.begin(); window != windows_.end();) {
        if (!all && !window->second.is_over(now)) {
            ++window;
            continue;
        }
        if (window->second.repeats > 0) {
            window->second.leaf.count = window->second.repeats;
            leaves.push_back(std::move(window->second.leaf));
        }
        window = windows_.erase(window);
    }
    if (leaves.empty()) {
        co_return Result<void>{};
    }
    std::function<Result<void>(storage::Batch&)> apply = [&writer = context.leaves,
                                                          leaves = std::move(leaves)](storage::Batch& batch) {
        for (const auto& leaf : leaves) {
            writer.append(batch, leaf);
        }
        return Result<void>{};
    };
    auto running = execute(context, std::move(apply), 0, true);
    const auto committed = co_await std::move(running);
    if (!committed) {
        co_return committed.error();
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> record_refusal(Context& context, const Caller& caller, std::string action,
                                             std::string code, std::string catalog) {
    std::string key = caller.principal.account + '|' + action + '|' + code + '|' + catalog;
    storage::Leaf leaf = leaf_of(caller, std::move(action));
    leaf.result = "refused";
    leaf.code = std::move(code);
    leaf.catalog = std::move(catalog);
    auto writing = context.counted_leaves.write(context, std::move(key), std::move(leaf));
    co_return co_await std::move(writing);
}

}  // namespace xinfu::vault
