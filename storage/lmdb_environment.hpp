// lmdb::Environment: the open store file with its tables, and what must live as long as any transaction of it. Only
// storage/lmdb_*.cpp see it; everybody else sees storage/engine.hpp.
//
// Threads: the idle readers are locked, `failed` and `versions` are atomic, the rest is set while it is opened.
// Errors:  storage::Errc.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <lmdb.h>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "crypto/seal.hpp"
#include "storage/engine.hpp"
#include "storage/error.hpp"

namespace xinfu::storage::lmdb {

inline constexpr std::size_t kKeySizeMax = 511;  // LMDB's own bound
inline constexpr auto kTableSlots = static_cast<std::size_t>(Table::count);

Errc to_errc(int code);

inline MDB_val to_val(ByteView bytes) {
    return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}
inline ByteView to_view(const MDB_val& value) {
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

struct Environment {
    Environment() = default;
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment();

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

// With the lock on the directory, all tables and no reader of a process that died. Does not look at what is in them.
Result<std::shared_ptr<Environment>> open_environment(const std::string& directory, const EngineOptions& options,
                                                      std::shared_ptr<const crypto::Sealer> sealer);

}  // namespace xinfu::storage::lmdb
