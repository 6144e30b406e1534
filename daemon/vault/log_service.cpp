#include "daemon/vault/log_service.hpp"

#include <utility>

#include "crypto/merkle.hpp"
#include "storage/error.hpp"
#include "storage/witness.hpp"

namespace xinfu::vault {
namespace {

asio::awaitable<void> answer(ExchangePointer exchange, Result<Bytes> bytes) {
    if (!bytes) {
        auto what = bytes.error() == storage::Errc::not_found ? problem("XF-1119") : problem_of(bytes.error());
        auto refusing = answer_problem(exchange, std::move(what));
        const auto refused = co_await std::move(refusing);
        static_cast<void>(refused.has_value());
        co_return;
    }
    auto answering = answer_text(exchange, std::string(as_text(*bytes)));
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

// A partial tile is served for every size it ever had; a width the tile never had is not in the log.
bool is_in_log(const storage::Ledger& ledger, unsigned level, std::uint64_t index, unsigned width) {
    return width >= 1 && level < 64 && width <= crypto::tile_width(level, index, ledger.head().tree_size);
}

}  // namespace

asio::awaitable<void> read_checkpoint(Context& context, ExchangePointer exchange) {
    const auto head = context.ledger.head();
    const auto snapshot = context.ledger.engine().snapshot();
    const auto cosigned =
        snapshot ? storage::newest_cosigned(**snapshot)
                 : Result<std::optional<storage::Committed>>(boost::system::in_place_error, snapshot.error());
    if (!cosigned) {
        auto refusing = answer_error(exchange, cosigned.error());
        co_await std::move(refusing);
        co_return;
    }
    const bool same = *cosigned && (*cosigned)->tree_size == head.tree_size;
    auto answering = answer_text(exchange, same ? *(*cosigned)->checkpoint : *head.checkpoint);
    const auto answered = co_await std::move(answering);
    static_cast<void>(answered.has_value());
}

asio::awaitable<void> read_tile(Context& context, ExchangePointer exchange) {
    const auto& asked = exchange->request().read_tile();
    Result<Bytes> tile = storage::Errc::not_found;
    if (is_in_log(context.ledger, asked.level(), asked.index(), asked.width())) {
        tile = context.ledger.tree().tile(asked.level(), asked.index(), asked.width());
    }
    auto answering = answer(exchange, std::move(tile));
    co_await std::move(answering);
}

asio::awaitable<void> read_entries(Context& context, ExchangePointer exchange) {
    const auto& asked = exchange->request().read_entries();
    Result<Bytes> bundle = storage::Errc::not_found;
    if (is_in_log(context.ledger, 0, asked.index(), asked.width())) {
        bundle = context.ledger.tree().entries(asked.index(), asked.width());
    }
    auto answering = answer(exchange, std::move(bundle));
    co_await std::move(answering);
}

}  // namespace xinfu::vault
