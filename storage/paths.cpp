#include "storage/paths.hpp"

#include <string_view>

#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

constexpr std::string_view kApproved = "paths/approved";
constexpr std::string_view kCheck = "paths/check";

}  // namespace

Result<std::optional<rows::ApprovedPaths>> find_approved_paths(const ReadTransaction& transaction) {
    return codec::read<rows::ApprovedPaths>(transaction, Table::meta, as_bytes(kApproved));
}

Result<void> put_approved_paths(WriteTransaction& transaction, const rows::ApprovedPaths& row) {
    return codec::write(transaction, Table::meta, as_bytes(kApproved), row);
}

Result<std::optional<rows::PathsCheck>> find_paths_check(const ReadTransaction& transaction) {
    return codec::read<rows::PathsCheck>(transaction, Table::meta, as_bytes(kCheck));
}

Result<void> put_paths_check(WriteTransaction& transaction, const rows::PathsCheck& row) {
    return codec::write(transaction, Table::meta, as_bytes(kCheck), row);
}

}  // namespace xinfu::storage
