#include "storage/handshake_proofs.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "storage/account_rows.pb.h"
#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

using Day = std::uint32_t;  // since 1970-01-01, UTC

Day day_of(crypto::UtcSeconds time) {
    const auto days = std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
    return static_cast<Day>(std::max<decltype(days)>(days, 0));
}

// In the order of their keys those come first whose certificate ended first.
Result<std::vector<Bytes>> old_proofs(const ReadTransaction& transaction, crypto::UtcSeconds now, std::size_t max) {
    std::vector<Bytes> keys;
    const Day end = day_of(now - kHandshakeProofMargin);
    const auto visited = transaction.visit(Table::handshake_proofs, {}, {}, [&](ByteView key, ByteView) {
        if (keys.size() == max || key.size() < sizeof(Day) || codec::load_big<Day>(key.data()) >= end) {
            return false;
        }
        keys.emplace_back(key.begin(), key.end());
        return true;
    });
    if (!visited) {
        return visited.error();
    }
    return keys;
}

}  // namespace

Result<bool> take_handshake_proof(WriteTransaction& transaction, crypto::UtcSeconds not_after,
                                  const crypto::Digest& proof, std::chrono::milliseconds taken) {
    Bytes key;
    codec::append_big(key, day_of(not_after));
    codec::append(key, proof);
    const auto known = transaction.contains(Table::handshake_proofs, key);
    if (!known) {
        return Result<bool>(boost::system::in_place_error, known.error());
    }
    if (*known) {
        return false;
    }
    rows::HandshakeProof row;
    row.set_taken_ms(taken.count());
    if (const auto written = codec::write(transaction, Table::handshake_proofs, key, row); !written) {
        return Result<bool>(boost::system::in_place_error, written.error());
    }
    return true;
}

Result<std::size_t> forget_handshake_proofs(WriteTransaction& transaction, crypto::UtcSeconds now, std::size_t max) {
    const auto keys = old_proofs(transaction, now, max);
    if (!keys) {
        return keys.error();
    }
    for (const Bytes& key : *keys) {
        if (const auto erased = transaction.erase(Table::handshake_proofs, key); !erased) {
            return erased.error();
        }
    }
    return keys->size();
}

Result<bool> has_old_handshake_proofs(const ReadTransaction& transaction, crypto::UtcSeconds now) {
    const auto keys = old_proofs(transaction, now, 1);
    if (!keys) {
        return Result<bool>(boost::system::in_place_error, keys.error());
    }
    return !keys->empty();
}

}  // namespace xinfu::storage
