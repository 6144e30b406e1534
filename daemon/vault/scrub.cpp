#include "daemon/vault/scrub.hpp"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "crypto/merkle.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/metrics.hpp"
#include "daemon/vault/original_reader.hpp"
#include "storage/error.hpp"
#include "storage/log_rows.hpp"
#include "storage/log_tree.hpp"

namespace xinfu::vault {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kLook{20};  // at the clock, which may be set meanwhile
constexpr std::uint64_t kLeavesPerSlice = 4096;

// Day and hour in Asia/Shanghai, which has no summer time.
std::chrono::sys_time<std::chrono::hours> local_hour(storage::Milliseconds now) {
    return std::chrono::floor<std::chrono::hours>(now + std::chrono::hours{8});
}

}  // namespace

std::string to_text(const ScrubReport& report) {
    return "pages " + std::to_string(report.pages) + ", rows " + std::to_string(report.rows) + ", leaves " +
           std::to_string(report.leaves) + ", originals " + std::to_string(report.originals) + ", damaged " +
           std::to_string(report.damaged);
}

Scrub::Scrub(Context& context, storage::OnDamage on_damage)
    : context_(context), on_damage_(std::move(on_damage)), timer_(context.io) {}

void Scrub::wake() {
    wanted_ = true;
    timer_.cancel();
}

void Scrub::stop() {
    stopped_ = true;
    timer_.cancel();
}

asio::awaitable<void> Scrub::wait(std::chrono::milliseconds time) {
    timer_.expires_after(time);
    auto waiting = timer_.async_wait(kAsTuple);
    static_cast<void>(co_await std::move(waiting));
}

asio::awaitable<void> Scrub::rest(std::uint64_t bytes) {
    const std::uint64_t rate = context_.config.vault.scrub_bytes_per_second;
    auto waiting = wait(std::chrono::milliseconds{bytes * 1000 / rate});
    co_await std::move(waiting);
}

asio::awaitable<void> Scrub::run() {
    {
        ScrubReport report;
        auto looking = look_at_pages(report);
        static_cast<void>((co_await std::move(looking)).has_value());  // what could not be read is read at night
    }
    auto last = local_hour(context_.clock.now());
    while (!stopped_) {
        auto waiting = wait(kLook);
        co_await std::move(waiting);
        const auto now = local_hour(context_.clock.now());
        const auto day = std::chrono::floor<std::chrono::days>(now);
        const bool night = (now - day).count() == context_.config.vault.scrub_hour && now != last;
        if (stopped_ || (!wanted_ && !night)) {
            continue;
        }
        last = now;
        wanted_ = false;
        auto scrubbing = scrub_and_tell();
        co_await std::move(scrubbing);
    }
}

asio::awaitable<void> Scrub::scrub_and_tell() {
    auto scrubbing = scrub();
    const auto report = co_await std::move(scrubbing);
    if (stopped_) {
        co_return;  // no leaf about half of it
    }
    storage::Leaf leaf;
    leaf.action = "scrub";
    leaf.result = "done";
    leaf.reason = report ? to_text(*report) : "ended early: " + report.error().message();
    auto recording = record(context_, std::move(leaf), storage::LeafNotes{});
    static_cast<void>((co_await std::move(recording)).has_value());  // no room for a leaf: the journal has the damage
    if (report) {
        const auto now = std::chrono::duration<double>(context_.clock.now().time_since_epoch());
        context_.metrics.set("xinfu_scrub_finished_time_seconds", now.count());
        context_.metrics.set("xinfu_scrub_damaged_pieces", static_cast<double>(report->damaged));
    }
}

asio::awaitable<Result<ScrubReport>> Scrub::scrub() {
    ScrubReport report;
    auto pages = look_at_pages(report);
    if (const auto looked = co_await std::move(pages); !looked) {
        co_return looked.error();
    }
    if (report.damaged > 0) {
        co_return report;
    }
    auto rows = look_at_rows(report);
    if (const auto looked = co_await std::move(rows); !looked) {
        co_return looked.error();
    }
    auto log = look_at_log(report);
    if (const auto looked = co_await std::move(log); !looked && looked.error() != storage::Errc::corrupt) {
        co_return looked.error();  // a damaged leaf was told of with its row
    }
    auto originals = look_at_originals(report);
    if (const auto looked = co_await std::move(originals); !looked) {
        co_return looked.error();
    }
    co_return report;
}

asio::awaitable<Result<void>> Scrub::look_at_pages(ScrubReport& report) {
    const storage::Engine& engine = context_.ledger.engine();
    std::function<Result<storage::PageCheck>()> look = [&engine] { return engine.check_pages(); };
    auto looking = run_on_worker(context_, std::move(look));
    const auto looked = co_await std::move(looking);
    if (!looked) {
        co_return looked.error();
    }
    report.pages = looked->pages;
    report.damaged += looked->damaged;
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Scrub::look_at_rows(ScrubReport& report) {
    const storage::Engine& engine = context_.ledger.engine();
    for (const storage::Table table : storage::all_tables()) {
        std::optional<Bytes> from = Bytes{};
        while (from && !stopped_) {
            std::function<Result<storage::RowCheck>()> look = [&engine, table, key = std::move(*from)] {
                return engine.check_rows(table, key, kSliceBytes);
            };
            auto looking = run_on_worker(context_, std::move(look));
            auto looked = co_await std::move(looking);
            if (!looked) {
                co_return looked.error();
            }
            report.rows += looked->rows;
            report.damaged += looked->damaged;
            from = std::move(looked->next);
            auto resting = rest(looked->bytes);
            co_await std::move(resting);
        }
    }
    co_return Result<void>{};
}

// The tree is built again from its entries, as an auditor would.
asio::awaitable<Result<void>> Scrub::look_at_log(ScrubReport& report) {
    const std::uint64_t size = context_.ledger.head().tree_size;
    const auto rebuilt = std::make_shared<storage::RightEdge>();
    const storage::Engine& engine = context_.ledger.engine();
    while (rebuilt->size() < size && !stopped_) {
        std::function<Result<std::uint64_t>()> look = [&engine, rebuilt, size]() -> Result<std::uint64_t> {
            const auto snapshot = engine.snapshot();
            if (!snapshot) {
                return snapshot.error();
            }
            const std::uint64_t from = rebuilt->size();
            const std::uint64_t until = std::min(size, from + kLeavesPerSlice);
            std::uint64_t bytes = 0;
            const auto visited = (*snapshot)->visit(storage::Table::log_entries, {}, storage::index_key(from),
                                                    [&](ByteView, ByteView entry) {
                                                        rebuilt->append(crypto::leaf_hash(entry), {});
                                                        bytes += entry.size();
                                                        return rebuilt->size() < until;
                                                    });
            if (!visited) {
                return visited.error();
            }
            return rebuilt->size() == until ? Result<std::uint64_t>(bytes)
                                            : Result<std::uint64_t>(storage::Errc::corrupt);
        };
        auto looking = run_on_worker(context_, std::move(look));
        const auto looked = co_await std::move(looking);
        if (!looked) {
            co_return looked.error();
        }
        auto resting = rest(*looked);
        co_await std::move(resting);
    }
    report.leaves = rebuilt->size();
    const auto root = context_.ledger.tree().root(rebuilt->size());
    if (!root || *root != rebuilt->root()) {
        ++report.damaged;
        on_damage_("the log's tree up to entry " + std::to_string(rebuilt->size()));
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Scrub::look_at_originals(ScrubReport& report) {
    storage::SubmissionId from{};
    while (!stopped_) {
        std::optional<storage::IdentifiedSubmission> found;
        {
            const auto snapshot = context_.ledger.engine().snapshot();
            if (!snapshot) {
                co_return snapshot.error();
            }
            auto next = storage::first_submission(**snapshot, from);
            if (!next) {
                co_return next.error();
            }
            found = std::move(*next);
        }
        if (!found) {
            break;
        }
        from = found->id;
        auto looking = look_at_original(report, found->id, std::move(found->row));
        if (const auto looked = co_await std::move(looking); !looked) {
            co_return looked.error();
        }
        if (!storage::advance(from)) {
            break;
        }
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> Scrub::look_at_original(ScrubReport& report, storage::SubmissionId id,
                                                      storage::rows::Submission row) {
    if (row.object().empty() && row.body().empty()) {
        co_return Result<void>{};  // nothing was kept
    }
    ++report.originals;
    auto opened = open_original(context_, id, row);
    if (!opened) {
        ++report.damaged;
        on_damage_("the original of submission " + storage::to_text(id) + ": " + opened.error().message());
        co_return Result<void>{};
    }
    const auto reader = std::make_shared<OriginalReader>(std::move(*opened));
    bool ended = false;
    while (!ended && !stopped_) {
        std::function<Result<std::uint64_t>()> look = [reader]() -> Result<std::uint64_t> {
            std::uint64_t bytes = 0;
            while (bytes < kSliceBytes) {
                const auto piece = reader->next();
                if (!piece) {
                    return piece.error();
                }
                if (piece->empty()) {
                    break;
                }
                bytes += piece->size();
            }
            return bytes;
        };
        auto looking = run_on_worker(context_, std::move(look));
        const auto looked = co_await std::move(looking);
        if (!looked) {
            ++report.damaged;
            on_damage_("the original of submission " + storage::to_text(id) + ": " + looked.error().message());
            co_return Result<void>{};
        }
        ended = *looked < kSliceBytes;
        auto resting = rest(*looked);
        co_await std::move(resting);
    }
    co_return Result<void>{};
}

}  // namespace xinfu::vault
