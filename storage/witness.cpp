#include "storage/witness.hpp"

#include <memory>
#include <string>

#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

constexpr std::string_view kRolledBack = "rolled_back";

}  // namespace

Result<std::optional<rows::WitnessedLog>> find_witnessed_log(const ReadTransaction& transaction,
                                                             std::string_view origin) {
    return codec::read<rows::WitnessedLog>(transaction, Table::witnessed_logs, as_bytes(origin));
}

Result<void> put_witnessed_log(WriteTransaction& transaction, std::string_view origin, const rows::WitnessedLog& row) {
    return codec::write(transaction, Table::witnessed_logs, as_bytes(origin), row);
}

Result<std::optional<rows::Cosignature>> find_cosignature(const ReadTransaction& transaction,
                                                          std::string_view witness) {
    return codec::read<rows::Cosignature>(transaction, Table::cosignatures, as_bytes(witness));
}

Result<void> put_cosignature(WriteTransaction& transaction, std::string_view witness, const rows::Cosignature& row) {
    return codec::write(transaction, Table::cosignatures, as_bytes(witness), row);
}

Result<std::optional<rows::RolledBack>> find_rolled_back(const ReadTransaction& transaction) {
    return codec::read<rows::RolledBack>(transaction, Table::meta, as_bytes(kRolledBack));
}

Result<void> put_rolled_back(WriteTransaction& transaction, const rows::RolledBack& row) {
    return codec::write(transaction, Table::meta, as_bytes(kRolledBack), row);
}

Result<void> erase_rolled_back(WriteTransaction& transaction) {
    return transaction.erase(Table::meta, as_bytes(kRolledBack));
}

Result<std::optional<Committed>> newest_cosigned(const ReadTransaction& transaction) {
    std::optional<Committed> newest;
    boost::system::error_code failed;
    const auto visited = transaction.visit(Table::cosignatures, {}, {}, [&](ByteView, ByteView value) {
        rows::Cosignature row;
        if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
            failed = Errc::corrupt;
            return false;
        }
        if (!newest || row.size() > newest->tree_size) {
            newest = Committed{row.size(), std::make_shared<const std::string>(row.note())};
        }
        return true;
    });
    if (!visited || failed) {
        return Result<std::optional<Committed>>(boost::system::in_place_error, visited ? failed : visited.error());
    }
    return newest;
}

}  // namespace xinfu::storage
