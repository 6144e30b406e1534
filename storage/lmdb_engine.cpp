// The LMDB engine. Rules that LMDB does not enforce and this file keeps: one process and one environment (the
// lock on the directory), reading transactions not tied to threads, writing on one thread, all sub-databases
// opened once, default syncing: data pages, fdatasync, then the meta page through a synchronous descriptor.
#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/seal.hpp"
#include "storage/disk_space.hpp"
#include "storage/engine.hpp"
#include "storage/error.hpp"
#include "storage/lmdb_file.hpp"

namespace xinfu::storage {
namespace {

constexpr unsigned kReadersMax = 512;     // concurrent snapshots; beyond: Errc::busy
constexpr std::size_t kKeySizeMax = 511;  // LMDB's own bound
constexpr std::size_t kIdleReadersMax = 64;
constexpr int kPageCheckAttempts = 1000;
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "xinfu-store-1";

struct NamedTable {
    Table table;
    const char* name;
    bool ascending;  // rows come in the order of their keys: pages are filled whole
};
constexpr NamedTable kTables[] = {
    {Table::meta, "meta", false},
    {Table::log_entries, "log_entries", true},
    {Table::log_tiles, "log_tiles", false},
    {Table::checkpoints, "checkpoints", true},
    {Table::log_notes, "log_notes", true},
    {Table::log_index, "log_index", false},
    {Table::submissions, "submissions", false},
    {Table::submission_names, "submission_names", false},
    {Table::submission_contents, "submission_contents", false},
    {Table::staged, "staged", false},
    {Table::record_blocks, "record_blocks", false},
    {Table::identity_claims, "identity_claims", false},
    {Table::subject_index, "subject_index", false},
    {Table::record_versions, "record_versions", false},
    {Table::feeds, "feeds", false},
    {Table::defects, "defects", false},
    {Table::routes, "routes", false},
    {Table::parcels, "parcels", false},
    {Table::acknowledgements, "acknowledgements", false},
    {Table::incoming, "incoming", false},
    {Table::accounts, "accounts", false},
    {Table::certificates, "certificates", false},
    {Table::persons, "persons", false},
    {Table::handshake_proofs, "handshake_proofs", false},
    {Table::policies, "policies", false},
    {Table::revocations, "revocations", false},
    {Table::keys, "keys", false},
    {Table::objects, "objects", false},
    {Table::uploads, "uploads", false},
    {Table::quality, "quality", false},
    {Table::requests, "requests", false},
};
constexpr auto kTableSlots = static_cast<std::size_t>(Table::count);

Errc to_errc(int code) {
    switch (code) {
        case MDB_MAP_FULL:
        case MDB_TXN_FULL:
        case ENOSPC:
        case EDQUOT: return Errc::store_full;
        case MDB_READERS_FULL: return Errc::busy;
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID: return Errc::corrupt;
        case MDB_VERSION_MISMATCH: return Errc::version_unknown;
        case MDB_PANIC: return Errc::commit_failed;
        case MDB_BAD_VALSIZE: return Errc::too_large;
        case MDB_BAD_TXN: return Errc::misused;
        case MDB_NOTFOUND:
        case ENOENT: return Errc::not_found;
        default: return Errc::io_failed;
    }
}

// Of opening, where whoever reads the message can do something about the cause.
boost::system::error_code open_error(int code) {
    const Errc known = to_errc(code);
    if (known == Errc::io_failed && code > 0) {
        return {code, boost::system::system_category()};
    }
    return known;
}

MDB_val to_val(ByteView bytes) {
    return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}
ByteView to_view(const MDB_val& value) {
    return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

// Where a value lies, as associated data: a value moved to another table or key does not open.
class Place {
public:
    Place(Table table, ByteView key) : size_(1 + key.size()) {
        assert(key.size() <= kKeySizeMax);
        bytes_[0] = static_cast<std::uint8_t>(table);
        std::ranges::copy(key, bytes_.begin() + 1);
    }
    ByteView view() const { return {bytes_.data(), size_}; }

private:
    std::array<std::uint8_t, 1 + kKeySizeMax> bytes_;
    std::size_t size_;
};

// The environment and what must live as long as any transaction of it.
struct Environment {
    Environment() = default;
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() {
        for (MDB_txn* reader : idle_readers) {
            mdb_txn_abort(reader);
        }
        if (env != nullptr) {
            mdb_env_close(env);
        }
        if (directory >= 0) {
            ::close(directory);  // and with it the lock
        }
    }

    int directory = -1;
    MDB_env* env = nullptr;
    std::array<MDB_dbi, kTableSlots> tables{};
    std::array<bool, kTableSlots> known{};
    std::array<bool, kTableSlots> ascending{};
    std::shared_ptr<const crypto::Sealer> sealer;
    std::atomic<bool> failed = false;
    std::array<std::atomic<std::uint64_t>, kTableSlots> versions{};

    std::mutex mutex;  // of the idle readers: reset transactions keep their slot and are cheap to renew
    std::vector<MDB_txn*> idle_readers;

    OnDamage on_damage;
    OnFailure on_failure;
    void tell_of_damage(Table which, ByteView key) const {
        on_damage(std::string(to_text(which)) + ", key " + to_hex(key));
    }

    MDB_dbi table(Table which) const {
        const auto slot = static_cast<std::size_t>(which);
        assert(slot < kTableSlots && known[slot]);
        return tables[slot];
    }
};

// Reading is the same in both kinds of transaction.
template <class Interface>
class Reading : public Interface {
public:
    Reading(std::shared_ptr<Environment> environment, MDB_txn* transaction)
        : environment_(std::move(environment)), transaction_(transaction) {}
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

    Result<std::optional<Bytes>> get(Table table, ByteView key) const override {
        if (key.empty() || key.size() > kKeySizeMax) {
            return Errc::too_large;
        }
        MDB_val name = to_val(key);
        MDB_val value{};
        const int code = mdb_get(transaction_, environment_->table(table), &name, &value);
        if (code == MDB_NOTFOUND) {
            return std::optional<Bytes>{};
        }
        if (code != 0) {
            return to_errc(code);
        }
        auto opened = environment_->sealer->open(to_view(value), Place(table, key).view());
        if (!opened) {
            environment_->tell_of_damage(table, key);
            return Errc::corrupt;
        }
        return std::optional<Bytes>(std::move(*opened));
    }

    Result<bool> contains(Table table, ByteView key) const override {
        if (key.empty() || key.size() > kKeySizeMax) {
            return Errc::too_large;
        }
        MDB_val name = to_val(key);
        MDB_val value{};
        const int code = mdb_get(transaction_, environment_->table(table), &name, &value);
        if (code != 0 && code != MDB_NOTFOUND) {
            return to_errc(code);
        }
        return code == 0;
    }

    Result<void> visit(Table table, ByteView prefix, ByteView from, const ReadTransaction::Visitor& visitor,
                       bool backwards) const override {
        MDB_cursor* cursor = nullptr;
        if (const int code = mdb_cursor_open(transaction_, environment_->table(table), &cursor); code != 0) {
            return to_errc(code);
        }
        const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> closer(cursor, &mdb_cursor_close);
        MDB_val name{};
        MDB_val value{};
        int code =
            backwards ? seek_last(cursor, prefix, from, name, value) : seek_first(cursor, prefix, from, name, value);
        for (; code == 0; code = mdb_cursor_get(cursor, &name, &value, backwards ? MDB_PREV : MDB_NEXT)) {
            const ByteView key = to_view(name);
            if (key.size() < prefix.size() || !std::ranges::equal(prefix, key.first(prefix.size()))) {
                return {};
            }
            const auto opened = environment_->sealer->open(to_view(value), Place(table, key).view());
            if (!opened) {
                environment_->tell_of_damage(table, key);
                return Errc::corrupt;
            }
            if (!visitor(key, *opened)) {
                return {};
            }
        }
        if (code != MDB_NOTFOUND) {
            return to_errc(code);
        }
        return {};
    }

    Result<std::uint64_t> count(Table table) const override {
        MDB_stat status{};
        if (const int code = mdb_stat(transaction_, environment_->table(table), &status); code != 0) {
            return to_errc(code);
        }
        return std::uint64_t{status.ms_entries};
    }

protected:
    static int seek_first(MDB_cursor* cursor, ByteView prefix, ByteView from, MDB_val& name, MDB_val& value) {
        const bool from_later = std::ranges::lexicographical_compare(prefix, from);
        const ByteView start = from_later ? from : prefix;
        if (start.empty()) {
            return mdb_cursor_get(cursor, &name, &value, MDB_FIRST);
        }
        name = to_val(start);
        return mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
    }

    // The last key that is not after `from`, or, without one, the last with the prefix.
    static int seek_last(MDB_cursor* cursor, ByteView prefix, ByteView from, MDB_val& name, MDB_val& value) {
        Bytes bound(prefix.begin(), prefix.end());
        while (!bound.empty() && bound.back() == 0xff) {
            bound.pop_back();
        }
        if (!bound.empty()) {
            ++bound.back();  // the first key after all with the prefix
        }
        const bool at_from = !from.empty() && (bound.empty() || std::ranges::lexicographical_compare(from, bound));
        const ByteView start = at_from ? from : ByteView(bound);
        if (start.empty()) {
            return mdb_cursor_get(cursor, &name, &value, MDB_LAST);
        }
        name = to_val(start);
        const int code = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
        if (code == 0 && at_from && std::ranges::equal(to_view(name), from)) {
            return 0;
        }
        if (code == 0) {
            return mdb_cursor_get(cursor, &name, &value, MDB_PREV);
        }
        return code == MDB_NOTFOUND ? mdb_cursor_get(cursor, &name, &value, MDB_LAST) : code;
    }

    std::shared_ptr<Environment> environment_;
    MDB_txn* transaction_;
};

class Snapshot final : public Reading<ReadTransaction> {
public:
    using Reading::Reading;
    ~Snapshot() override {
        mdb_txn_reset(transaction_);
        {
            const std::lock_guard lock(environment_->mutex);
            if (environment_->idle_readers.size() < kIdleReadersMax) {
                environment_->idle_readers.push_back(transaction_);
                return;
            }
        }
        mdb_txn_abort(transaction_);
    }
};

class Writing final : public Reading<WriteTransaction> {
public:
    using Reading::Reading;
    ~Writing() override {
        if (transaction_ != nullptr) {
            mdb_txn_abort(transaction_);
        }
    }

    Result<void> put(Table table, ByteView key, ByteView value) override {
        if (key.empty() || key.size() > kKeySizeMax) {
            return Errc::too_large;
        }
        const Bytes sealed = environment_->sealer->seal(value, Place(table, key).view());
        MDB_val name = to_val(key);
        MDB_val stored = to_val(sealed);
        int code = MDB_KEYEXIST;
        if (environment_->ascending[static_cast<std::size_t>(table)]) {
            code = mdb_put(transaction_, environment_->table(table), &name, &stored, MDB_APPEND);
        }
        if (code == MDB_KEYEXIST) {  // not after all others: an ordinary row
            code = mdb_put(transaction_, environment_->table(table), &name, &stored, 0);
        }
        return written(table, code);
    }

    Result<void> erase(Table table, ByteView key) override {
        if (key.empty() || key.size() > kKeySizeMax) {
            return Errc::too_large;
        }
        MDB_val name = to_val(key);
        const int code = mdb_del(transaction_, environment_->table(table), &name, nullptr);
        return written(table, code == MDB_NOTFOUND ? 0 : code);
    }

    Result<void> commit() override {
        MDB_txn* const transaction = std::exchange(transaction_, nullptr);
        if (broken_) {
            mdb_txn_abort(transaction);
            return *broken_;
        }
        const int code = mdb_txn_commit(transaction);
        // Durable from here. A process that dies before it could say so finds everything at its next start.
        if (code == 0) {
            for (std::size_t slot = 0; slot < kTableSlots; ++slot) {
                if (touched_.test(slot)) {
                    ++environment_->versions[slot];
                }
            }
            return {};
        }
        if (to_errc(code) == Errc::store_full && writable()) {
            return Errc::store_full;  // data pages did not fit; the meta page, and so the state, is the old
                                      // one
        }
        environment_->on_failure(std::string("the store: ") + mdb_strerror(code));
        environment_->failed = true;
        return Errc::commit_failed;
    }

private:
    Result<void> written(Table table, int code) {
        touched_.set(static_cast<std::size_t>(table));
        if (code == 0) {
            return {};
        }
        broken_ = broken_.value_or(to_errc(code));
        return to_errc(code);
    }

    // LMDB refuses every further transaction once it could not write a meta page.
    bool writable() const {
        MDB_txn* probe = nullptr;
        if (mdb_txn_begin(environment_->env, nullptr, 0, &probe) != 0) {
            return false;
        }
        mdb_txn_abort(probe);
        return true;
    }

    std::bitset<kTableSlots> touched_;
    std::optional<Errc> broken_;  // a write failed: pages of this transaction may be half changed
};

class LmdbEngine final : public Engine {
public:
    explicit LmdbEngine(std::shared_ptr<Environment> environment) : environment_(std::move(environment)) {}

    Result<std::unique_ptr<ReadTransaction>> snapshot() const override {
        MDB_txn* reader = nullptr;
        {
            const std::lock_guard lock(environment_->mutex);
            if (!environment_->idle_readers.empty()) {
                reader = environment_->idle_readers.back();
                environment_->idle_readers.pop_back();
            }
        }
        if (reader != nullptr) {
            if (const int code = mdb_txn_renew(reader); code != 0) {
                mdb_txn_abort(reader);
                return to_errc(code);
            }
        } else if (const int code = mdb_txn_begin(environment_->env, nullptr, MDB_RDONLY, &reader); code != 0) {
            return to_errc(code);
        }
        return std::unique_ptr<ReadTransaction>(std::make_unique<Snapshot>(environment_, reader));
    }

    Result<std::unique_ptr<WriteTransaction>> begin() override {
        if (environment_->failed) {
            return Errc::commit_failed;
        }
        MDB_txn* transaction = nullptr;
        if (const int code = mdb_txn_begin(environment_->env, nullptr, 0, &transaction); code != 0) {
            return to_errc(code);
        }
        return std::unique_ptr<WriteTransaction>(std::make_unique<Writing>(environment_, transaction));
    }

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
            if (!environment_->sealer->open(to_view(value), Place(table, key).view())) {
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

Result<void> open_tables(Environment& environment) {
    MDB_txn* transaction = nullptr;
    if (const int code = mdb_txn_begin(environment.env, nullptr, 0, &transaction); code != 0) {
        return to_errc(code);
    }
    for (const NamedTable& named : kTables) {
        const auto slot = static_cast<std::size_t>(named.table);
        if (const int code = mdb_dbi_open(transaction, named.name, MDB_CREATE, &environment.tables[slot]); code != 0) {
            mdb_txn_abort(transaction);
            return to_errc(code);
        }
        environment.known[slot] = true;
        environment.ascending[slot] = named.ascending;
    }
    if (const int code = mdb_txn_commit(transaction); code != 0) {
        return to_errc(code) == Errc::store_full ? Errc::store_full : Errc::io_failed;
    }
    return {};
}

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

std::span<const Table> all_tables() {
    static const auto tables = [] {
        std::array<Table, std::size(kTables)> all{};
        std::ranges::transform(kTables, all.begin(), &NamedTable::table);
        std::ranges::sort(all);
        return all;
    }();
    return tables;
}

std::string_view to_text(Table table) {
    return std::ranges::find(kTables, table, &NamedTable::table)->name;
}

Result<std::unique_ptr<Engine>> open_lmdb_engine(const std::string& directory, const EngineOptions& options,
                                                 std::shared_ptr<const crypto::Sealer> sealer) {
    auto environment = std::make_shared<Environment>();
    environment->sealer = std::move(sealer);
    environment->on_damage = options.on_damage;
    environment->on_failure = options.on_failure;
    if (options.create && ::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return Errc::io_failed;
    }
    environment->directory = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (environment->directory < 0) {
        return open_error(errno);
    }
    if (::flock(environment->directory, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? Errc::store_in_use : Errc::io_failed;
    }
    const auto checked = check_lmdb_file(environment->directory);
    if (!checked && !(options.create && checked.error() == Errc::not_found)) {
        return checked.error();
    }
    if (mdb_env_create(&environment->env) != 0) {
        environment->env = nullptr;
        return Errc::io_failed;
    }
    if (mdb_env_set_maxdbs(environment->env, static_cast<MDB_dbi>(kTableSlots)) != 0 ||
        mdb_env_set_maxreaders(environment->env, kReadersMax) != 0 ||
        mdb_env_set_mapsize(environment->env, options.map_size_bytes) != 0) {
        return Errc::io_failed;
    }
    if (const int code = mdb_env_open(environment->env, directory.c_str(), MDB_NOTLS, 0600); code != 0) {
        return open_error(code);
    }
    int dead = 0;
    mdb_reader_check(environment->env, &dead);  // slots of readers that were killed
    if (const auto opened = open_tables(*environment); !opened) {
        return opened.error();
    }
    auto engine = std::make_unique<LmdbEngine>(environment);
    if (const auto format = check_format(*engine, options.create); !format) {
        return format.error();
    }
    // New names in the directory are as durable as what they name.
    if (options.create && ::fsync(environment->directory) != 0) {
        return Errc::io_failed;
    }
    return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace xinfu::storage
