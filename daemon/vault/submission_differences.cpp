#include "daemon/vault/submission_differences.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/vault/approved_file.hpp"
#include "daemon/vault/operations.hpp"
#include "daemon/vault/record_text.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using storage::rows::Submission;

constexpr std::size_t kRoomBytes = 32 * 1024;  // of an answer

std::map<std::string, std::string> masked(std::string_view canonical, const CatalogMask& mask) {
    const auto fields = read_record_text(mask_record(canonical, mask));
    return fields ? std::map<std::string, std::string>(fields->begin(), fields->end())
                  : std::map<std::string, std::string>();
}

class Description {
public:
    explicit Description(boundary::RequestView& view) : view_(view) {}
    bool full() const { return room_ == 0; }

    void add(std::string field, std::string before, std::string after) {
        const auto size = field.size() + before.size() + after.size() + 16;
        if (size > room_) {
            room_ = 0;
            return;
        }
        room_ -= size;
        auto& shown = *view_.add_differences();
        shown.set_field(std::move(field));
        shown.set_before(std::move(before));
        shown.set_after(std::move(after));
    }

private:
    boundary::RequestView& view_;
    std::size_t room_ = kRoomBytes;
};

Result<std::string> current_text(const storage::ReadTransaction& transaction, const Keys& keys, const Change& change) {
    const auto row = storage::find_submission(transaction, change.current.submission);
    if (!row || !*row) {
        return row ? make_error_code(storage::Errc::corrupt) : row.error();
    }
    const auto key = keys.unwrap_data_key((*row)->unit(), change.current.submission, as_bytes((*row)->wrapped_key()));
    if (!key) {
        return key.error();
    }
    const storage::RecordSealer sealer(change.current.submission, key->view());
    auto record = storage::find_record(transaction, sealer, change.current.submission, change.current.slot);
    if (!record) {
        return record.error();
    }
    return *record ? (*record)->canonical() : std::string();
}

// Field by field; a record that goes is told in one line.
void describe_change(const PreparedRecord& record, const std::string& before, const CatalogMask& mask,
                     Description& description) {
    const RecordOperation& asked = *record.operation;
    const std::string name = record_name(asked.submission, asked.line);
    if (asked.withdraw) {
        description.add(name, "version " + std::to_string(asked.version), "withdrawn: " + asked.reason);
        return;
    }
    const auto old_fields = masked(before, mask);
    const auto new_fields = masked(as_text(record.canonical), mask);
    description.add(name, "version " + std::to_string(asked.version), "corrected: " + asked.reason);
    const auto value = [](const std::map<std::string, std::string>& fields, const std::string& code) {
        const auto found = fields.find(code);
        return found == fields.end() ? std::string() : found->second;
    };
    std::map<std::string, std::string> all = old_fields;
    all.insert(new_fields.begin(), new_fields.end());
    const auto raw_old = read_record_text(before).value_or(RecordFields());
    const auto raw_new = read_record_text(as_text(record.canonical)).value_or(RecordFields());
    const std::map<std::string, std::string> old_values(raw_old.begin(), raw_old.end());
    const std::map<std::string, std::string> new_values(raw_new.begin(), raw_new.end());
    for (const auto& field : all) {
        const std::string& code = field.first;
        // By what they are, not by what is shown: two names may look alike under their masks.
        if (value(old_values, code) != value(new_values, code)) {
            description.add(name + " " + code, value(old_fields, code), value(new_fields, code));
        }
    }
}

}  // namespace

Result<void> describe_submission(const storage::ReadTransaction& transaction, const Keys& keys,
                                 const PolicySet& policies, const storage::SubmissionId& id,
                                 boundary::RequestView& view) {
    const auto found = storage::find_submission(transaction, id);
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return storage::Errc::corrupt;
    }
    const Submission& row = **found;
    Description description(view);
    description.add("records", "", std::to_string(row.counts().records()));
    description.add("stored", "", std::to_string(row.counts().stored()));
    description.add("duplicate", "", std::to_string(row.counts().duplicate()));
    description.add("defective", "", std::to_string(row.counts().defective()));
    description.add("warned", "", std::to_string(row.counts().warned()));
    if (row.state() != Submission::PENDING || !row.changes_records()) {
        return {};
    }
    const auto key = keys.unwrap_data_key(row.unit(), id, as_bytes(row.wrapped_key()));
    if (!key) {
        return key.error();
    }
    const auto records = read_asked(transaction, storage::RecordSealer(id, key->view()), keys.index(), id, row);
    if (!records) {
        return records.error();
    }
    const auto judged = judge_operations(transaction, {keys, row.catalog(), row.unit()}, *records);
    if (!judged) {
        return judged.error();
    }
    const CatalogMask mask(policies, row.catalog());
    for (const auto& change : judged->changes) {
        if (description.full()) {
            break;
        }
        const auto before = current_text(transaction, keys, change);
        if (!before) {
            return before.error();
        }
        describe_change((*records)[change.record], *before, mask, description);
    }
    return {};
}

}  // namespace xinfu::vault
