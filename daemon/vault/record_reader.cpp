#include "daemon/vault/record_reader.hpp"

#include <algorithm>
#include <charconv>

#include "crypto/canonical_json.hpp"
#include "daemon/boundary/error.hpp"
#include "storage/records.hpp"

namespace xinfu::vault {

using boundary::Errc;

namespace {

constexpr std::size_t kReasonSizeBytesMax = 2000;
constexpr std::uint64_t kNumberMax = (std::uint64_t{1} << 53) - 1;

std::optional<std::uint64_t> number_from_text(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size() && !text.starts_with('0');
    return whole && number <= kNumberMax ? std::optional(number) : std::nullopt;
}

}  // namespace

std::string record_name(const storage::SubmissionId& submission, std::uint64_t line) {
    return storage::to_text(submission) + "-" + std::to_string(line);
}

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

Result<std::shared_ptr<const RecordOperation>> RecordReader::read_operation(const boundary::Record& last) const {
    using Read = std::shared_ptr<const RecordOperation>;
    if (received_ > 1 && last.has_operation() != operations_) {
        return Errc::unexpected;  // the header says it for all rows
    }
    if (!last.has_operation()) {
        return Read{};
    }
    const auto& said = last.operation();
    const std::string_view name = said.record();
    const auto dash = std::min(name.find('-'), name.size());
    const auto submission = storage::submission_id_from_text(name.substr(0, dash));
    const auto line = number_from_text(name.substr(std::min(dash + 1, name.size())));
    const bool known =
        said.kind() == boundary::RecordOperation::CORRECT || said.kind() == boundary::RecordOperation::WITHDRAW;
    if (!known || !submission || !line || said.version() == 0 || said.version() > kNumberMax || said.reason().empty() ||
        said.reason().size() > kReasonSizeBytesMax || !crypto::is_utf8(said.reason()) ||
        record_name(*submission, *line) != name) {
        return Errc::unexpected;
    }
    auto operation = std::make_shared<RecordOperation>();
    operation->withdraw = said.kind() == boundary::RecordOperation::WITHDRAW;
    operation->submission = *submission;
    operation->line = *line;
    operation->version = said.version();
    operation->reason = said.reason();
    const bool whole =
        !last.identity().empty() && std::ranges::none_of(last.identity(), &std::string::empty) && !unit_.empty();
    operation->identity_told = whole || !operation->withdraw;
    return Read(std::move(operation));
}

Result<void> RecordReader::take(const boundary::Record& last, std::vector<PreparedRecord>& records,
                                std::vector<boundary::Defect>& defects) {
    ++received_;
    const bool withdrawal = last.has_operation() && last.operation().kind() == boundary::RecordOperation::WITHDRAW;
    const bool named = !fields_.empty() && !last.identity().empty() && !last.subject().empty();
    if ((!named && !withdrawal) || last.identity_size() > kIdentityPartsMax || !crypto::is_utf8(last.subject())) {
        return Errc::unexpected;
    }
    if (unit_.empty()) {
        // A parcel: every record belongs to the one unit that its manifest will have to name.
        const std::string* said = find(catalog_.deciding_unit_field());
        if (said != nullptr && std::ranges::find(may_speak_for_, *said) != may_speak_for_.end()) {
            unit_ = *said;
        }
    }
    auto operation = read_operation(last);
    if (!operation) {
        return operation.error();
    }
    operations_ = *operation != nullptr;
    const auto own = [&](const std::string& field, std::string_view code) {
        return (withdrawal && find(field) == nullptr) || belongs(field, code, line_, defects);
    };
    const bool from_source = own(catalog_.source_unit_field(), "XF-4070");
    const bool by_decider = own(catalog_.deciding_unit_field(), "XF-4071");
    if (!from_source || !by_decider) {
        ++of_other_units_;
        return {};
    }
    PreparedRecord record;
    record.operation = std::move(*operation);
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
    record.due = last.has_due() ? std::optional(last.due()) : std::nullopt;
    record.due_earliest = last.has_due_earliest() ? std::optional(last.due_earliest()) : std::nullopt;
    record.subject_key = storage::subject_key(index_key_, catalog_.name(), record.subject);
    if (record.operation) {
        // What the file says is the operation too.
        const std::string version = std::to_string(record.operation->version);
        fields.emplace_back("XF_OP", withdrawal ? "withdraw" : "correct");
        fields.emplace_back("XF_RECORD", last.operation().record());
        fields.emplace_back("XF_VERSION", version);
        fields.emplace_back("XF_REASON", record.operation->reason);
        canonical.clear();
        crypto::append_canonical_record(canonical, fields);
        digests_.update(crypto::sha256(as_bytes(canonical)));
    } else {
        digests_.update(record.digest);
    }
    records.push_back(std::move(record));
    return {};
}

}  // namespace xinfu::vault
