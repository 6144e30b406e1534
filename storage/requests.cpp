#include "storage/requests.hpp"

#include <string_view>
#include <vector>

#include "storage/row_codec.hpp"

namespace xinfu::storage {
namespace {

constexpr std::string_view kListed = "requests/listed";
constexpr bool kBackwards = true;

}  // namespace

Result<std::optional<rows::ApprovalRequest>> find_request(const ReadTransaction& transaction, const RequestId& id) {
    return codec::read<rows::ApprovalRequest>(transaction, Table::requests, id);
}

Result<void> put_request(WriteTransaction& transaction, const RequestId& id, const rows::ApprovalRequest& row) {
    const auto listed = row.state() == rows::ApprovalRequest::OPEN
                            ? transaction.put(Table::open_requests, id, as_bytes(row.applicant()))
                            : transaction.erase(Table::open_requests, id);
    return listed ? codec::write(transaction, Table::requests, id, row) : listed;
}

Result<void> visit_open_requests(
    const ReadTransaction& transaction,
    const std::function<bool(const RequestId& id, const rows::ApprovalRequest& row)>& visitor) {
    boost::system::error_code failed;
    const auto visited = transaction.visit(
        Table::open_requests, {}, {},
        [&](ByteView key, ByteView) {
            const auto id = submission_id_from_bytes(key);
            const auto row =
                id ? find_request(transaction, *id) : Result<std::optional<rows::ApprovalRequest>>(Errc::corrupt);
            if (!row || !*row) {
                failed = row ? make_error_code(Errc::corrupt) : row.error();
                return false;
            }
            return visitor(*id, **row);
        },
        kBackwards);
    if (visited && failed) {
        return failed;
    }
    return visited;
}

Result<std::size_t> count_open_requests(const ReadTransaction& transaction, std::string_view applicant,
                                        std::size_t max) {
    std::size_t count = 0;
    const auto visited = transaction.visit(Table::open_requests, {}, {}, [&](ByteView, ByteView value) {
        count += as_text(value) == applicant;
        return count < max;
    });
    if (!visited) {
        return Result<std::size_t>(boost::system::in_place_error, visited.error());
    }
    return count;
}

Result<bool> list_open_requests(WriteTransaction& transaction) {
    const auto failed = [](const auto& result) { return Result<bool>(boost::system::in_place_error, result.error()); };
    const auto listed = transaction.contains(Table::meta, as_bytes(kListed));
    if (!listed || *listed) {
        return listed ? Result<bool>(false) : failed(listed);
    }
    std::vector<std::pair<RequestId, std::string>> open;
    const auto visited = visit_requests(transaction, [&](const RequestId& id, const rows::ApprovalRequest& row) {
        if (row.state() == rows::ApprovalRequest::OPEN) {
            open.emplace_back(id, row.applicant());
        }
        return true;
    });
    if (!visited) {
        return failed(visited);
    }
    for (const auto& [id, applicant] : open) {
        if (const auto put = transaction.put(Table::open_requests, id, as_bytes(applicant)); !put) {
            return failed(put);
        }
    }
    const auto told = transaction.put(Table::meta, as_bytes(kListed), as_bytes(std::string_view("1")));
    return told ? Result<bool>(true) : failed(told);
}

Result<void> visit_requests(const ReadTransaction& transaction,
                            const std::function<bool(const RequestId& id, const rows::ApprovalRequest& row)>& visitor) {
    bool corrupt = false;
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
