#include "storage/requests.hpp"

#include "storage/row_codec.hpp"

namespace xinfu::storage {

Result<std::optional<rows::ApprovalRequest>> find_request(const ReadTransaction& transaction, const RequestId& id) {
    return codec::read<rows::ApprovalRequest>(transaction, Table::requests, id);
}

Result<void> put_request(WriteTransaction& transaction, const RequestId& id, const rows::ApprovalRequest& row) {
    return codec::write(transaction, Table::requests, id, row);
}

Result<void> visit_requests(const ReadTransaction& transaction,
                            const std::function<bool(const RequestId& id, const rows::ApprovalRequest& row)>& visitor) {
    bool corrupt = false;
    constexpr bool kBackwards = true;
    const auto visited = transaction.visit(
        Table::requests, {}, {},
        [&](ByteView key, ByteView value) {
            const auto id = submission_id_from_bytes(key);
            const auto row = codec::parse<rows::ApprovalRequest>(value);
            corrupt = !id || !row;
            return !corrupt && visitor(*id, *row);
        },
        kBackwards);
    if (visited && corrupt) {
        return Errc::corrupt;
    }
    return visited;
}

}  // namespace xinfu::storage
