#include "daemon/vault/record_reader.hpp"

#include <algorithm>
#include <charconv>

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

RecordReader::RecordReader(const boundary::CatalogDescription& catalog, ByteView index_key, std::string unit,
                           std::vector<std::string> may_speak_for)
    : catalog_(catalog), index_key_(index_key), unit_(std::move(unit)), may_speak_for_(std::move(may_speak_for)) {
    for (const auto& field : catalog.fields()) {
        codes_.push_back(field.code());
    }
    std::ranges::sort(codes_, crypto::canonical_less);
    codes_.erase(std::unique(codes_.begin(), codes_.end()), codes_.end());
    for (const auto& field : catalog.fields()) {
        places_.push_back(find(field.code()));
    }
    source_unit_ = find(catalog.source_unit_field());
    deciding_unit_ = find(catalog.deciding_unit_field());
    values_.resize(codes_.size());
}

std::size_t RecordReader::find(std::string_view code) const {
    const auto found = std::ranges::lower_bound(codes_, code, crypto::canonical_less);
    return found != codes_.end() && *found == code ? static_cast<std::size_t>(found - codes_.begin()) : kNoField;
}

void RecordReader::begin_record(std::uint64_t line) {
    line_ = line;
    std::ranges::fill(values_, std::string_view());
    kept_.clear();
    told_ = 0;
    size_bytes_ = 0;
}

Result<void> RecordReader::read(const boundary::RecordBatch& batch, std::vector<PreparedRecord>& records,
                                std::vector<boundary::Defect>& defects) {
    for (const auto& part : batch.records()) {
        if (!open_) {
            if (part.line() <= last_line_) {  // records ascend; a line begins at most one of them
                return Errc::unexpected;
            }
            begin_record(part.line());
        } else if (part.line() != line_) {
            return Errc::unexpected;
        }
        if (part.fields_size() != part.values_size()) {
            return Errc::unexpected;
        }
        for (int i = 0; i < part.fields_size(); ++i) {
            const std::string& told = part.values(i);
            if (part.fields(i) >= places_.size()) {
                return Errc::unexpected;
            }
            const std::size_t field = places_[part.fields(i)];
            size_bytes_ += codes_[field].size() + told.size();
            if (told.empty() || size_bytes_ > kRecordSizeBytesMax || !values_[field].empty() ||
                !crypto::is_utf8(told)) {
                return Errc::unexpected;
            }
            values_[field] = told;
            ++told_;
        }
        open_ = part.continued();
        if (!open_) {
            last_line_ = line_;
            if (const auto taken = take(part, records, defects); !taken) {
                return taken.error();
            }
        }
    }
    if (open_) {
        keep_open_record();
    }
    return {};
}

// What was told lies in a batch that is about to go.
void RecordReader::keep_open_record() {
    std::deque<std::string> kept;
    for (auto& value : values_) {
        if (!value.empty()) {
            value = kept.emplace_back(value);
        }
    }
    kept_.swap(kept);
}

bool RecordReader::belongs(std::size_t field, const std::string& name, std::string_view code,
                           std::vector<boundary::Defect>& defects) const {
    const std::string_view said = value(field);
    if (name.empty() || (said == unit_ && !said.empty())) {  // empty: the catalog has no such field
        return true;
    }
    boundary::Defect defect;
    defect.set_line(line_);
    defect.set_field(name);
    defect.set_code(std::string(code));
    defect.set_masked_value(std::string(said));  // a unit's code is public
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
    const bool named = told_ > 0 && !last.identity().empty() && !last.subject().empty();
    if ((!named && !withdrawal) || last.identity_size() > kIdentityPartsMax || !crypto::is_utf8(last.subject())) {
        return Errc::unexpected;
    }
    if (unit_.empty()) {
        // A parcel: every record belongs to the one unit that its manifest will have to name.
        const std::string_view said = value(deciding_unit_);
        if (!said.empty() && std::ranges::find(may_speak_for_, said) != may_speak_for_.end()) {
            unit_ = said;
        }
    }
    auto operation = read_operation(last);
    if (!operation) {
        return operation.error();
    }
    operations_ = *operation != nullptr;
    const auto own = [&](std::size_t field, const std::string& name, std::string_view code) {
        return (withdrawal && value(field).empty()) || belongs(field, name, code, defects);
    };
    const bool from_source = own(source_unit_, catalog_.source_unit_field(), "XF-4070");
    const bool by_decider = own(deciding_unit_, catalog_.deciding_unit_field(), "XF-4071");
    if (!from_source || !by_decider) {
        ++of_other_units_;
        return {};
    }
    PreparedRecord record;
    record.operation = std::move(*operation);
    record.line = line_;
    fields_.clear();
    for (std::size_t field = 0; field < codes_.size(); ++field) {
        if (!values_[field].empty()) {
            fields_.emplace_back(codes_[field], values_[field]);
        }
    }
    canonical_.clear();
    crypto::append_canonical_record(canonical_, fields_);
    record.canonical = to_bytes(canonical_);
    record.digest = crypto::sha256(record.canonical);
    identity_.assign(last.identity().begin(), last.identity().end());
    record.identity = storage::identity_key(index_key_, catalog_.name(), unit_, identity_);
    record.subject = last.subject();
    record.due = last.has_due() ? std::optional(last.due()) : std::nullopt;
    record.due_earliest = last.has_due_earliest() ? std::optional(last.due_earliest()) : std::nullopt;
    record.subject_key = storage::subject_key(index_key_, catalog_.name(), record.subject);
    if (record.operation) {
        // What the file says is the operation too.
        const std::string version = std::to_string(record.operation->version);
        fields_.emplace_back("XF_OP", withdrawal ? "withdraw" : "correct");
        fields_.emplace_back("XF_RECORD", last.operation().record());
        fields_.emplace_back("XF_VERSION", version);
        fields_.emplace_back("XF_REASON", record.operation->reason);
        canonical_.clear();
        crypto::append_canonical_record(canonical_, fields_);
        digests_.update(crypto::sha256(as_bytes(canonical_)));
    } else {
        digests_.update(record.digest);
    }
    records.push_back(std::move(record));
    return {};
}

}  // namespace xinfu::vault
