#include "storage/uploads.hpp"

#include <algorithm>

#include "storage/row_codec.hpp"

namespace xinfu::storage {

Result<std::optional<rows::Upload>> find_upload(const ReadTransaction& transaction, const UploadId& id) {
    return codec::read<rows::Upload>(transaction, Table::uploads, id);
}

Result<void> put_upload(WriteTransaction& transaction, const UploadId& id, const rows::Upload& row) {
    return codec::write(transaction, Table::uploads, id, row);
}

Result<void> append_upload_part(WriteTransaction& transaction, const UploadId& id, rows::Upload row,
                                const rows::Upload::Part& part, std::int64_t expires_ms) {
    rows::Object object;
    object.set_submission(id.data(), id.size());
    object.set_length(part.length());
    if (const auto named = put_object(transaction, as_bytes(part.object()), object); !named) {
        return named.error();
    }
    *row.add_parts() = part;
    row.set_offset(row.offset() + part.length());
    row.set_expires_ms(expires_ms);
    return put_upload(transaction, id, row);
}

Result<void> erase_upload(WriteTransaction& transaction, const UploadId& id, const rows::Upload& row) {
    for (const auto& part : row.parts()) {
        if (const auto erased = erase_object(transaction, as_bytes(part.object())); !erased) {
            return erased.error();
        }
    }
    return transaction.erase(Table::uploads, id);
}

Result<void> visit_uploads(const ReadTransaction& transaction,
                           const std::function<bool(const UploadId&, const rows::Upload&)>& visitor) {
    const auto visit_one = [&](ByteView key, const rows::Upload& row) {
        UploadId id{};
        if (key.size() != id.size()) {
            return false;
        }
        std::ranges::copy(key, id.begin());
        return visitor(id, row);
    };
    return codec::visit<rows::Upload>(transaction, Table::uploads, {}, {}, visit_one);
}

}  // namespace xinfu::storage
