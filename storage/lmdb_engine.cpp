// The LMDB engine. Rules that LMDB does not enforce and storage/lmdb_*.cpp keep: one process and one environment (the
// lock on the directory), reading transactions not tied to threads, writing on one thread, all sub-databases
// opened once, default syncing: data pages, fdatasync, then the meta page through a synchronous descriptor.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <lmdb.h>
#include <unistd.h>

#include "storage/disk_space.hpp"
#include "storage/engine.hpp"
#include "storage/error.hpp"
#include "storage/lmdb_environment.hpp"
#include "storage/lmdb_file.hpp"
#include "storage/lmdb_transactions.hpp"

namespace xinfu::storage {
namespace {

using lmdb::Environment;
using lmdb::to_errc;
using lmdb::to_val;
using lmdb::to_view;

constexpr int kPageCheckAttempts = 1000;
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "xinfu-store-1";

class LmdbEngine final : public Engine {
public:
    explicit LmdbEngine(std::shared_ptr<Environment> environment) : environment_(std::move(environment)) {}

    Result<std::unique_ptr<ReadTransaction>> snapshot() const override { return lmdb::begin_reading(environment_); }

    Result<std::unique_ptr<WriteTransaction>> begin() override { return lmdb::begin_writing(environment_); }

    EngineStatistics statistics() const override {
        EngineStatistics statistics{};
        MDB_envinfo info{};
        MDB_stat status{};
        mdb_env_info(environment_->env, &info);
        mdb_env_stat(environment_->env, &status);
        statistics.map_size_bytes = info.me_mapsize;
        const std::uint64_t pages = std::uint64_t{info.me_last_pgno} + 1;
        statistics.used_bytes = (pages - std::min(pages, free_pages())) * status.ms_psize;
        statistics.disk_free_bytes = disk_free_bytes();
        return statistics;
    }

    std::uint64_t disk_free_bytes() const override { return storage::disk_free_bytes(environment_->directory); }

    std::uint64_t version(Table table) const override {
        return environment_->versions[static_cast<std::size_t>(table)];
    }

    Result<PageCheck> check_pages() const override {
        for (int attempt = 0; attempt < kPageCheckAttempts; ++attempt) {
            MDB_txn* transaction = nullptr;
            if (const int code = mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &transaction); code != 0) {
                return to_errc(code);
            }
            const std::unique_ptr<MDB_txn, decltype(&mdb_txn_abort)> reader(transaction, &mdb_txn_abort);
            const auto walked = walk_lmdb_pages(environment_->directory, mdb_txn_id(reader.get()));
            if (walked) {
                for (const std::string& finding : walked->damaged) {
                    environment_->on_damage(finding);
                }
                return PageCheck{walked->pages, walked->damaged.size()};
            }
            if (walked.error() != Errc::busy) {
                return walked.error();
            }
        }
        return Errc::busy;
    }

    Result<RowCheck> check_rows(Table table, ByteView from, std::uint64_t bytes_max) const override {
        MDB_txn* transaction = nullptr;
        if (const int code = mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &transaction); code != 0) {
            return to_errc(code);
        }
        const std::unique_ptr<MDB_txn, decltype(&mdb_txn_abort)> reader(transaction, &mdb_txn_abort);
        MDB_cursor* opened = nullptr;
        if (const int code = mdb_cursor_open(reader.get(), environment_->table(table), &opened); code != 0) {
            return to_errc(code);
        }
        const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(opened, &mdb_cursor_close);
        RowCheck check;
        MDB_val name = to_val(from);
        MDB_val value{};
        int code = mdb_cursor_get(cursor.get(), &name, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        for (; code == 0; code = mdb_cursor_get(cursor.get(), &name, &value, MDB_NEXT)) {
            const ByteView key = to_view(name);
            if (check.bytes >= bytes_max) {
                check.next.emplace(key.begin(), key.end());
                return check;
            }
            ++check.rows;
            check.bytes += key.size() + value.mv_size;
            if (!environment_->sealer->open(to_view(value), lmdb::Place(table, key).view())) {
                environment_->tell_of_damage(table, key);
                ++check.damaged;
            }
        }
        if (code != MDB_NOTFOUND) {
            return to_errc(code);
        }
        return check;
    }

private:
    // Each row of LMDB's own free list begins with how many pages it names.
    std::uint64_t free_pages() const {
        constexpr MDB_dbi kFreeList = 0;
        MDB_txn* reader = nullptr;
        MDB_cursor* cursor = nullptr;
        std::uint64_t total = 0;
        if (mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &reader) != 0) {
            return 0;
        }
        if (mdb_cursor_open(reader, kFreeList, &cursor) == 0) {
            MDB_val name{};
            MDB_val value{};
            while (mdb_cursor_get(cursor, &name, &value, MDB_NEXT) == 0) {
                std::size_t count = 0;
                if (value.mv_size >= sizeof count) {
                    std::memcpy(&count, value.mv_data, sizeof count);
                    total += count;
                }
            }
            mdb_cursor_close(cursor);
        }
        mdb_txn_abort(reader);
        return total;
    }

    std::shared_ptr<Environment> environment_;
};

// The first row ever written says what wrote it. A wrong store key shows here and not in the middle of work.
Result<void> check_format(Engine& engine, bool created) {
    auto snapshot = engine.snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto format = (*snapshot)->get(Table::meta, as_bytes(kFormatKey));
    if (!format) {
        return format.error();
    }
    if (format->has_value()) {
        return as_text(**format) == kFormat ? Result<void>() : Result<void>(Errc::version_unknown);
    }
    const auto rows = (*snapshot)->count(Table::meta);
    if (!rows || *rows != 0 || !created) {
        return Errc::corrupt;
    }
    snapshot->reset();
    auto transaction = engine.begin();
    if (!transaction) {
        return transaction.error();
    }
    if (const auto put = (*transaction)->put(Table::meta, as_bytes(kFormatKey), as_bytes(kFormat)); !put) {
        return put.error();
    }
    return (*transaction)->commit();
}

}  // namespace

Result<std::unique_ptr<Engine>> open_lmdb_engine(const std::string& directory, const EngineOptions& options,
                                                 std::shared_ptr<const crypto::Sealer> sealer) {
    auto environment = lmdb::open_environment(directory, options, std::move(sealer));
    if (!environment) {
        return environment.error();
    }
    auto engine = std::make_unique<LmdbEngine>(*environment);
    if (const auto format = check_format(*engine, options.create); !format) {
        return format.error();
    }
    // New names in the directory are as durable as what they name.
    if (options.create && ::fsync((*environment)->directory) != 0) {
        return Errc::io_failed;
    }
    return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace xinfu::storage
