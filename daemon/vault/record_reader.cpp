#include "daemon/vault/record_reader.hpp"

#include <algorithm>

#include "crypto/canonical_json.hpp"
#include "daemon/boundary/error.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {

using boundary::Errc;

RecordReader::RecordReader(const boundary::CatalogDescription& catalog, Bytes index_key, std::string unit,
                           std::vector<std::string> may_speak_for)
    : catalog_(catalog),
      index_key_(std::move(index_key)),
      unit_(std::move(unit)),
      may_speak_for_(std::move(may_speak_for)) {
    for (const auto& field : catalog.fields()) {
        codes_.insert(field.code());
    }
}

Result<void> RecordReader::read(const boundary::RecordBatch& batch, std::vector<PreparedRecord>& records,
                                std::vector<boundary::Defect>& defects) {
    for (const auto& part : batch.records()) {
        if (!open_) {
            if (part.line() <= last_line_) {  // records ascend; a line begins at most one of them
                return Errc::unexpected;
            }
            line_ = part.line();
            fields_.clear();
            size_bytes_ = 0;
        } else if (part.line() != line_) {
            return Errc::unexpected;
        }
        for (const auto& field : part.fields()) {
            size_bytes_ += field.code().size() + field.value().size();
            if (field.value().empty() || size_bytes_ > kRecordSizeBytesMax || !codes_.contains(field.code()) ||
                find(field.code()) != nullptr || !crypto::is_utf8(field.value())) {
                return Errc::unexpected;
            }
            fields_.emplace_back(field.code(), field.value());
        }
        open_ = part.continued();
        if (!open_) {
            last_line_ = line_;
            if (const auto taken = take(part, records, defects); !taken) {
                return taken.error();
            }
        }
    }
    return {};
}

const std::string* RecordReader::find(std::string_view code) const {
    const auto found = std::ranges::find(fields_, code, &std::pair<std::string, std::string>::first);
    return found == fields_.end() ? nullptr : &found->second;
}

bool RecordReader::belongs(std::string_view field, std::string_view code, std::uint64_t line,
                           std::vector<boundary::Defect>& defects) const {
    if (field.empty()) {
        return true;  // the catalog has no such field
    }
    const std::string* value = find(field);
    if (value != nullptr && *value == unit_) {
        return true;
    }
    boundary::Defect defect;
    defect.set_line(line);
    defect.set_field(std::string(field));
    defect.set_code(std::string(code));
    defect.set_masked_value(value == nullptr ? std::string() : *value);  // a unit's code is public
    defects.push_back(std::move(defect));
    return false;
}

Result<void> RecordReader::take(const boundary::Record& last, std::vector<PreparedRecord>& records,
                                std::vector<boundary::Defect>& defects) {
    ++received_;
    if (fields_.empty() || last.identity().empty() || last.subject().empty() ||
        last.identity_size() > kIdentityPartsMax || !crypto::is_utf8(last.subject())) {
        return Errc::unexpected;
    }
    if (unit_.empty()) {
        // A parcel: every record belongs to the one unit that its manifest will have to name.
        const std::string* said = find(catalog_.deciding_unit_field());
        if (said != nullptr && std::ranges::find(may_speak_for_, *said) != may_speak_for_.end()) {
            unit_ = *said;
        }
    }
    const bool from_source = belongs(catalog_.source_unit_field(), "XF-4070", line_, defects);
    const bool by_decider = belongs(catalog_.deciding_unit_field(), "XF-4071", line_, defects);
    if (!from_source || !by_decider) {
        ++of_other_units_;
        return {};
    }
    PreparedRecord record;
    record.line = line_;
    std::vector<crypto::TextField> fields;
    fields.reserve(fields_.size());
    for (const auto& [code, value] : fields_) {
        fields.emplace_back(code, value);
    }
    std::string canonical;
    crypto::append_canonical_record(canonical, fields);
    record.canonical = to_bytes(canonical);
    record.digest = crypto::sha256(record.canonical);
    const std::vector<std::string> identity(last.identity().begin(), last.identity().end());
    record.identity = storage::identity_key(index_key_, catalog_.name(), unit_, identity);
    record.subject = last.subject();
    record.subject_key = storage::subject_key(index_key_, catalog_.name(), record.subject);
    digests_.update(record.digest);
    records.push_back(std::move(record));
    return {};
}

}  // namespace xinfu::vault
