#include "storage/lmdb_transactions.hpp"

#include <algorithm>
#include <bitset>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace xinfu::storage::lmdb {
namespace {

constexpr std::size_t kIdleReadersMax = 64;

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

}  // namespace

Result<std::unique_ptr<ReadTransaction>> begin_reading(std::shared_ptr<Environment> environment) {
    MDB_txn* reader = nullptr;
    {
        const std::lock_guard lock(environment->mutex);
        if (!environment->idle_readers.empty()) {
            reader = environment->idle_readers.back();
            environment->idle_readers.pop_back();
        }
    }
    if (reader != nullptr) {
        if (const int code = mdb_txn_renew(reader); code != 0) {
            mdb_txn_abort(reader);
            return to_errc(code);
        }
    } else if (const int code = mdb_txn_begin(environment->env, nullptr, MDB_RDONLY, &reader); code != 0) {
        return to_errc(code);
    }
    return std::unique_ptr<ReadTransaction>(std::make_unique<Snapshot>(std::move(environment), reader));
}

Result<std::unique_ptr<WriteTransaction>> begin_writing(std::shared_ptr<Environment> environment) {
    if (environment->failed) {
        return Errc::commit_failed;
    }
    MDB_txn* transaction = nullptr;
    if (const int code = mdb_txn_begin(environment->env, nullptr, 0, &transaction); code != 0) {
        return to_errc(code);
    }
    return std::unique_ptr<WriteTransaction>(std::make_unique<Writing>(std::move(environment), transaction));
}

}  // namespace xinfu::storage::lmdb
