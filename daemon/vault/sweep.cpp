#include "daemon/vault/sweep.hpp"

#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/vault/keys.hpp"
#include "storage/error.hpp"
#include "storage/handshake_proofs.hpp"
#include "storage/object_store.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kIdsPerLook = 64;

}  // namespace

Sweep::Sweep(Context& context, const Intake& intake, const Uploads& uploads)
    : context_(context), intake_(intake), uploads_(uploads), timer_(context.io) {}

void Sweep::wake() {
    wanted_ = true;
    timer_.cancel();
}

void Sweep::stop() {
    stopped_ = true;
    timer_.cancel();
}

asio::awaitable<void> Sweep::run() {
    while (!stopped_) {
        if (!wanted_) {
            timer_.expires_after(std::chrono::hours{1});
            auto waiting = timer_.async_wait(kAsTuple);
            co_await std::move(waiting);
            if (stopped_) {
                break;
            }
        }
        // The file that woke us ends first.
        timer_.expires_after(std::chrono::milliseconds{200});
        auto pausing = timer_.async_wait(kAsTuple);
        co_await std::move(pausing);
        wanted_ = false;
        auto sweeping = sweep();
        const auto swept = co_await std::move(sweeping);
        if (!swept && !stopped_) {
            // A full queue or disk: later. What is left stays invisible.
            timer_.expires_after(std::chrono::seconds{5});
            auto waiting = timer_.async_wait(kAsTuple);
            co_await std::move(waiting);
            wanted_ = true;
        }
    }
}

asio::awaitable<Result<void>> Sweep::sweep() {
    auto rows = sweep_rows();
    if (const auto swept = co_await std::move(rows); !swept) {
        co_return swept.error();
    }
    auto objects = sweep_objects();
    if (const auto swept = co_await std::move(objects); !swept) {
        co_return swept.error();
    }
    auto proofs = sweep_proofs();
    co_return co_await std::move(proofs);
}

asio::awaitable<Result<void>> Sweep::sweep_proofs() {
    const auto now = std::chrono::floor<std::chrono::seconds>(context_.clock.now());
    while (!stopped_) {
        {
            const auto snapshot = context_.ledger.engine().snapshot();
            if (!snapshot) {
                co_return snapshot.error();
            }
            const auto found = storage::has_old_handshake_proofs(**snapshot, now);
            if (!found) {
                co_return found.error();
            }
            if (!*found) {
                break;
            }
        }
        std::function<Result<void>(storage::Batch&)> apply = [now](storage::Batch& batch) -> Result<void> {
            const auto forgotten = storage::forget_handshake_proofs(batch.transaction(), now, kProofsPerSlice);
            return forgotten ? Result<void>{} : Result<void>(forgotten.error());
        };
        auto executing = execute(context_, std::move(apply), kProofsPerSlice * 64, true);
        if (const auto done = co_await std::move(executing); !done) {
            co_return done.error();
        }
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Sweep::sweep_rows() {
    storage::SubmissionId from{};
    for (;;) {
        std::vector<storage::SubmissionId> ids;
        {
            const auto snapshot = context_.ledger.engine().snapshot();
            if (!snapshot) {
                co_return snapshot.error();
            }
            auto found = storage::staged_submissions(**snapshot, from, kIdsPerLook);
            if (!found) {
                co_return found.error();
            }
            ids = std::move(*found);
        }
        if (ids.empty()) {
            co_return Result<void>{};
        }
        for (const auto& id : ids) {
            auto slice = std::make_shared<storage::Sweep>(storage::Sweep::more);
            while (*slice == storage::Sweep::more && !intake_.is_under_way(id)) {
                if (stopped_) {
                    co_return Result<void>{};
                }
                std::function<Result<void>(storage::Batch&)> apply = [this, id,
                                                                      slice](storage::Batch& batch) -> Result<void> {
                    auto& transaction = batch.transaction();
                    const auto row = storage::find_submission(transaction, id);
                    const auto staging = storage::find_staging(transaction, id);
                    if (!row || !staging) {
                        return row ? staging.error() : row.error();
                    }
                    using storage::rows::Submission;
                    const bool stays = *row && (*row)->state() != Submission::REFUSED;
                    if (stays && (*row)->state() == Submission::PENDING) {
                        *slice = storage::Sweep::finished;  // its notes are looked at by the commit of its approval
                        return {};
                    }
                    auto swept = Result<storage::Sweep>(storage::Sweep::finished);
                    if (stays || !*staging) {
                        // Notes that others left for a file that is committed, or gone already.
                        swept = storage::sweep_notes(transaction, id, kBlocksPerSlice * storage::kRecordsPerBlock);
                    } else {
                        const auto key =
                            context_.keys.unwrap_data_key((*staging)->unit(), id, as_bytes((*staging)->wrapped_key()));
                        if (!key) {
                            return key.error();
                        }
                        swept = storage::sweep_staged(transaction, context_.keys.index(), (*staging)->catalog(),
                                                      storage::RecordSealer(id, key->view()), id, kBlocksPerSlice);
                    }
                    if (!swept) {
                        return swept.error();
                    }
                    *slice = *swept;
                    return {};
                };
                auto executing = execute(context_, std::move(apply), 1u << 20, true);
                if (const auto done = co_await std::move(executing); !done) {
                    co_return done.error();
                }
            }
        }
        from = ids.back();
        if (!storage::advance(from)) {
            co_return Result<void>{};
        }
    }
}

asio::awaitable<Result<void>> Sweep::sweep_objects() {
    std::function<Result<std::vector<storage::ObjectId>>()> list = [this]() -> Result<std::vector<storage::ObjectId>> {
        std::vector<storage::ObjectId> orphans;
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        boost::system::error_code failed;
        const auto look = [&](const storage::ObjectId& id, std::uint64_t) {
            const auto named = storage::object_is_named(**snapshot, id);
            if (!named) {
                failed = named.error();
                return false;
            }
            if (!*named) {
                orphans.push_back(id);
            }
            return orphans.size() < 4096;
        };
        const auto visited = context_.objects.visit(look);
        if (!visited) {
            return visited.error();
        }
        if (failed) {
            return failed;
        }
        return orphans;
    };
    auto listing = run_on_worker<Result<std::vector<storage::ObjectId>>>(context_, std::move(list));
    const auto orphans = co_await std::move(listing);
    if (!orphans) {
        co_return orphans.error();
    }
    for (const auto& id : *orphans) {
        // On `io`, where files begin and end: what is on its way now was not committed when we looked.
        if (stopped_ || intake_.is_under_way(id) || uploads_.is_being_written(id)) {
            continue;
        }
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            co_return snapshot.error();
        }
        const auto named = storage::object_is_named(**snapshot, id);
        if (!named) {
            co_return named.error();
        }
        if (*named) {
            continue;  // committed meanwhile
        }
        std::function<Result<void>()> erase = [this, id]() { return context_.objects.erase(id); };
        auto erasing = run_on_worker<Result<void>>(context_, std::move(erase));
        const auto erased = co_await std::move(erasing);
        if (!erased && erased.error() != storage::Errc::not_found) {
            co_return erased.error();
        }
    }
    co_return Result<void>{};
}

}  // namespace xinfu::vault
