#include "storage/lmdb_environment.hpp"

#include <cerrno>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/lmdb_file.hpp"

namespace xinfu::storage {
namespace {

constexpr unsigned kReadersMax = 512;  // concurrent snapshots; beyond: Errc::busy

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
    {Table::open_requests, "open_requests", false},
    {Table::witnessed_logs, "witnessed_logs", false},
    {Table::cosignatures, "cosignatures", false},
};

// Of opening, where whoever reads the message can do something about the cause.
boost::system::error_code open_error(int code) {
    const Errc known = lmdb::to_errc(code);
    if (known == Errc::io_failed && code > 0) {
        return {code, boost::system::system_category()};
    }
    return known;
}

Result<void> open_tables(lmdb::Environment& environment) {
    MDB_txn* transaction = nullptr;
    if (const int code = mdb_txn_begin(environment.env, nullptr, 0, &transaction); code != 0) {
        return lmdb::to_errc(code);
    }
    for (const NamedTable& named : kTables) {
        const auto slot = static_cast<std::size_t>(named.table);
        if (const int code = mdb_dbi_open(transaction, named.name, MDB_CREATE, &environment.tables[slot]); code != 0) {
            mdb_txn_abort(transaction);
            return lmdb::to_errc(code);
        }
        environment.known[slot] = true;
        environment.ascending[slot] = named.ascending;
    }
    if (const int code = mdb_txn_commit(transaction); code != 0) {
        return lmdb::to_errc(code) == Errc::store_full ? Errc::store_full : Errc::io_failed;
    }
    return {};
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

namespace lmdb {

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

Environment::~Environment() {
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

Result<std::shared_ptr<Environment>> open_environment(const std::string& directory, const EngineOptions& options,
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
    return environment;
}

}  // namespace lmdb
}  // namespace xinfu::storage
