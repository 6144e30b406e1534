#include "storage/packs.hpp"

#include <algorithm>

#include "storage/account_rows.pb.h"
#include "storage/error.hpp"

namespace xinfu::storage {
namespace {

constexpr std::string_view kActive = "policy/active";

rows::ActivePacks::Kind to_row(PackKind kind) {
    switch (kind) {
        case PackKind::catalog: return rows::ActivePacks::CATALOG;
        case PackKind::access: return rows::ActivePacks::ACCESS;
        case PackKind::calendar: return rows::ActivePacks::CALENDAR;
    }
    return rows::ActivePacks::CATALOG;
}

}  // namespace

Result<void> put_active_packs(WriteTransaction& transaction, const std::vector<Pack>& packs) {
    rows::ActivePacks active;
    for (const Pack& pack : packs) {
        const crypto::Digest digest = crypto::sha256(pack.bytes);
        if (const auto put = transaction.put(Table::policies, digest, pack.bytes); !put) {
            return put.error();
        }
        auto* row = active.add_packs();
        row->set_kind(to_row(pack.kind));
        row->set_digest(digest.data(), digest.size());
    }
    const std::string bytes = active.SerializeAsString();
    return transaction.put(Table::meta, as_bytes(kActive), as_bytes(bytes));
}

Result<std::vector<Pack>> active_packs(const ReadTransaction& transaction) {
    const auto value = transaction.get(Table::meta, as_bytes(kActive));
    if (!value) {
        return value.error();
    }
    std::vector<Pack> packs;
    if (!*value) {
        return packs;
    }
    rows::ActivePacks active;
    if (!active.ParseFromArray((*value)->data(), static_cast<int>((*value)->size()))) {
        return Errc::corrupt;
    }
    for (const auto& row : active.packs()) {
        auto bytes = transaction.get(Table::policies, as_bytes(row.digest()));
        if (!bytes) {
            return bytes.error();
        }
        if (!*bytes || !std::ranges::equal(crypto::sha256(**bytes), as_bytes(row.digest()))) {
            return Errc::corrupt;
        }
        Pack pack;
        switch (row.kind()) {
            case rows::ActivePacks::CATALOG: pack.kind = PackKind::catalog; break;
            case rows::ActivePacks::ACCESS: pack.kind = PackKind::access; break;
            case rows::ActivePacks::CALENDAR: pack.kind = PackKind::calendar; break;
            default: return Errc::corrupt;
        }
        pack.bytes = std::move(**bytes);
        packs.push_back(std::move(pack));
    }
    return packs;
}

crypto::Digest policy_digest(const std::vector<Pack>& packs) {
    crypto::Sha256 whole;
    for (const Pack& pack : packs) {
        const auto kind = static_cast<std::uint8_t>(to_row(pack.kind));
        whole.update({&kind, 1});
        whole.update(crypto::sha256(pack.bytes));
    }
    return whole.finish();
}

Result<crypto::Digest> active_policy_digest(const ReadTransaction& transaction) {
    const auto value = transaction.get(Table::meta, as_bytes(kActive));
    if (!value) {
        return value.error();
    }
    rows::ActivePacks active;
    if (*value && !active.ParseFromArray((*value)->data(), static_cast<int>((*value)->size()))) {
        return Errc::corrupt;
    }
    crypto::Sha256 whole;
    for (const auto& row : active.packs()) {
        const auto kind = static_cast<std::uint8_t>(row.kind());
        whole.update({&kind, 1});
        whole.update(as_bytes(row.digest()));
    }
    return whole.finish();
}

}  // namespace xinfu::storage
