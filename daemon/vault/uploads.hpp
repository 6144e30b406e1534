// Uploads: bodies that come in parts over lines that break. What has come is kept sealed; when it is whole it is handed
// in like any other body, by AcceptSubmission, which never learns that it came in parts.
//
// An upload belongs to the account that opened it and to the SHA-256 that was announced. It needs the same right as
// handing in. Parts leave no leaf of their own: they change nothing that anybody can see; opening, dropping, expiry
// and handing in do.
//
// Threads: the vault's `io`.
// Trust:   offsets and parts are hostile; nothing is believed of a part but the bytes that came.
// Errors:  problems XF-112x.
#pragma once

#include <chrono>
#include <functional>
#include <set>

#include "daemon/vault/exchange.hpp"
#include "storage/uploads.hpp"

namespace xinfu::vault {

class Uploads {
public:
    // Of one account, unfinished.
    static constexpr std::size_t kPerAccountMax = 16;
    // A part of a request's body is durable after so many bytes at the latest, however long the request: what a power
    // cut makes a client send again.
    static constexpr std::uint64_t kPartSizeBytesMax = std::uint64_t{64} << 20;
    // After its last part.
    static constexpr std::chrono::hours kLifetime{48};

    // `hand_in` takes a submission: Intake::accept.
    Uploads(Context& context, std::function<asio::awaitable<void>(ExchangePointer)> hand_in)
        : context_(context), hand_in_(std::move(hand_in)) {}

    asio::awaitable<void> open(ExchangePointer exchange);
    asio::awaitable<void> get(ExchangePointer exchange);
    asio::awaitable<void> append(ExchangePointer exchange);
    asio::awaitable<void> finish(ExchangePointer exchange);
    asio::awaitable<void> drop(ExchangePointer exchange);

    // Ends what has expired. Errors: storage::Errc.
    asio::awaitable<Result<void>> expire();

    // Whether a finished file of this id is about to be named by a commit: nothing to sweep.
    bool is_being_written(const storage::ObjectId& id) const { return being_written_.contains(id); }
    // Called on `io` when files have lost their names.
    std::function<void()> on_leftovers = [] {};

private:
    struct Mine {
        storage::UploadId id{};
        storage::rows::Upload row;
        Caller caller;  // with the role that permits handing in
    };
    class Appending;
    friend class Appending;

    Result<std::optional<storage::rows::Upload>> read(const storage::UploadId& id) const;
    // The upload, if it is this caller's and, with `exclusive`, nobody works on it. Empty: the caller was told why not.
    asio::awaitable<std::optional<Mine>> find(ExchangePointer exchange, const std::string& id_text, std::string action,
                                              bool exclusive);
    asio::awaitable<Result<void>> erase(storage::UploadId id, storage::rows::Upload row, storage::Leaf leaf);

    Context& context_;
    std::function<asio::awaitable<void>(ExchangePointer)> hand_in_;
    std::set<storage::UploadId> in_use_;
    std::set<storage::ObjectId> being_written_;
};

}  // namespace xinfu::vault
