#include "storage/quality.hpp"

#include <algorithm>

#include "storage/row_codec.hpp"

namespace xinfu::storage {

Result<void> add_quality(WriteTransaction& transaction, Month month, std::string_view unit, std::string_view catalog,
                         const rows::Quality& counted) {
    Bytes key;
    codec::append_big(key, month);
    codec::append_text(key, unit);
    codec::append(key, as_bytes(catalog));
    const auto found = codec::read<rows::Quality>(transaction, Table::quality, key);
    if (!found) {
        return found.error();
    }
    rows::Quality sum = *found ? **found : rows::Quality{};
    sum.set_files_accepted(sum.files_accepted() + counted.files_accepted());
    sum.set_files_refused(sum.files_refused() + counted.files_refused());
    sum.set_records(sum.records() + counted.records());
    sum.set_stored(sum.stored() + counted.stored());
    sum.set_duplicate(sum.duplicate() + counted.duplicate());
    sum.set_changed(sum.changed() + counted.changed());
    sum.set_incomplete(sum.incomplete() + counted.incomplete());
    sum.set_inaccurate(sum.inaccurate() + counted.inaccurate());
    sum.set_unreasonable(sum.unreasonable() + counted.unreasonable());
    sum.set_late(sum.late() + counted.late());
    sum.set_undecided(sum.undecided() + counted.undecided());
    sum.set_coded(sum.coded() + counted.coded());
    sum.set_wrong_code(sum.wrong_code() + counted.wrong_code());
    sum.set_repeated_code(sum.repeated_code() + counted.repeated_code());
    return codec::write(transaction, Table::quality, key, sum);
}

Result<void> visit_quality(const ReadTransaction& transaction, Month month, const QualityVisitor& visitor) {
    Bytes prefix;
    codec::append_big(prefix, month);
    bool malformed = false;
    const auto visit_one = [&](ByteView key, const rows::Quality& counted) {
        const auto end = std::ranges::find(key, std::uint8_t{0});
        if (end == key.end()) {
            malformed = true;
            return false;
        }
        const auto size = static_cast<std::size_t>(end - key.begin());
        return visitor(as_text(key.first(size)), as_text(key.subspan(size + 1)), counted);
    };
    const auto visited = codec::visit<rows::Quality>(transaction, Table::quality, prefix, {}, visit_one);
    if (visited && malformed) {
        return Errc::corrupt;
    }
    return visited;
}

}  // namespace xinfu::storage
