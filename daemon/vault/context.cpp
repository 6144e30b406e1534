#include "daemon/vault/context.hpp"

namespace xinfu::vault {

storage::Leaf leaf_of(const Caller& caller, std::string action) {
    storage::Leaf leaf;
    leaf.action = std::move(action);
    leaf.principal = caller.principal.account;
    leaf.unit = caller.principal.unit;
    leaf.role = caller.role;
    leaf.source = caller.source;
    return leaf;
}

asio::awaitable<Result<storage::Committed>> execute(Context& context,
                                                    std::function<Result<void>(storage::Batch&)> apply,
                                                    std::size_t size_bytes, bool essential) {
    auto outcome = std::make_shared<std::optional<Result<storage::Committed>>>();
    auto initiate = [&context, outcome, apply = std::move(apply), size_bytes, essential](auto handler) mutable {
        auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        asio::io_context& io = context.io;
        storage::Operation operation;
        operation.apply = std::move(apply);
        operation.size_bytes = size_bytes;
        operation.essential = essential;
        operation.done = [&io, outcome, waiting](Result<storage::Committed> committed) {
            outcome->emplace(std::move(committed));
            auto resume = [waiting]() { std::move (*waiting)(); };
            asio::post(io, std::move(resume));
        };
        const auto submitted = context.ledger.submit(std::move(operation));
        if (!submitted) {  // then `done` will not be called
            outcome->emplace(submitted.error());
            auto resume = [waiting]() { std::move (*waiting)(); };
            asio::post(io, std::move(resume));
        }
    };
    auto wait = asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(initiate), asio::use_awaitable);
    co_await std::move(wait);
    co_return std::move(**outcome);
}

asio::awaitable<Result<Recorded>> record(Context& context, storage::Leaf leaf, storage::LeafNotes notes) {
    auto recorded = std::make_shared<Recorded>();
    std::function<Result<void>(storage::Batch&)> apply = [&leaves = context.leaves, recorded, leaf = std::move(leaf),
                                                          notes = std::move(notes)](storage::Batch& batch) {
        recorded->entry.clear();
        recorded->index = leaves.append(batch, leaf, notes, &recorded->entry);
        return Result<void>{};
    };
    auto running = execute(context, std::move(apply), 0, true);
    auto committed = co_await std::move(running);
    if (!committed) {
        co_return committed.error();
    }
    recorded->committed = std::move(*committed);
    co_return std::move(*recorded);
}

}  // namespace xinfu::vault
