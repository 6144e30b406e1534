#include "daemon/vault/operations.hpp"

#include <algorithm>
#include <utility>

#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using storage::rows::Submission;

boundary::Defect defect(const PreparedRecord& record, std::string_view code, std::string_view field = {},
                        std::vector<std::string> arguments = {}) {
    boundary::Defect found;
    found.set_line(record.line);
    found.set_code(std::string(code));
    found.set_field(std::string(field));
    for (auto& argument : arguments) {
        found.add_arguments(std::move(argument));
    }
    return found;
}

// A submission that rows name, opened once.
struct Opened {
    storage::SubmissionId id{};
    Submission row;
    std::optional<storage::RecordSealer> sealer;
};

class Judge {
public:
    Judge(const storage::ReadTransaction& transaction, const OperationsScope& scope, JudgedOperations& judged)
        : transaction_(transaction), scope_(scope), judged_(judged) {}

    Result<void> judge(std::span<const PreparedRecord> records, std::size_t index);

private:
    struct Found {
        crypto::Digest identity{};
        storage::RecordPlace place;
        std::uint64_t named_line = 0;
        storage::SubmissionId named{};
        std::string subject;
        crypto::Digest digest{};
        std::int64_t time_ms = 0;
        ReportTerm term;
    };

    Result<const Opened*> open(const storage::SubmissionId& id);
    Result<const Opened*> open_named(const storage::SubmissionId& name);
    Result<std::optional<Found>> find_by_name(const RecordOperation& operation, const Opened& opened);
    Result<std::optional<Found>> find_by_identity(const PreparedRecord& record);
    Result<Found> describe(const crypto::Digest& identity, const storage::RecordPlace& place);
    Result<void> judge_versions(const PreparedRecord& record, std::size_t index, Found found);

    const storage::ReadTransaction& transaction_;
    const OperationsScope& scope_;
    JudgedOperations& judged_;
    std::map<storage::SubmissionId, Opened> opened_;
    std::map<crypto::Digest, std::size_t> here_;  // identity -> the row of this file that changes it
};

Result<const Opened*> Judge::open(const storage::SubmissionId& id) {
    if (const auto known = opened_.find(id); known != opened_.end()) {
        return &known->second;
    }
    Opened opened{id, {}, std::nullopt};
    const auto row = storage::find_submission(transaction_, id);
    if (!row) {
        return row.error();
    }
    if (*row && storage::claims_count(**row) && (*row)->catalog() == scope_.catalog) {
        opened.row = **row;
        if (opened.row.unit() == scope_.unit) {
            const auto key = scope_.keys.unwrap_data_key(scope_.unit, id, as_bytes(opened.row.wrapped_key()));
            if (!key) {
                return key.error();
            }
            opened.sealer.emplace(id, key->view());
        }
    }
    return &opened_.emplace(id, std::move(opened)).first->second;
}

// Here under the name that the first node gave it, or under its own.
Result<const Opened*> Judge::open_named(const storage::SubmissionId& name) {
    const auto carried = storage::find_origin(transaction_, scope_.keys.index(), scope_.unit, scope_.catalog, name);
    if (!carried) {
        return carried.error();
    }
    return open(carried->value_or(name));
}

Result<Judge::Found> Judge::describe(const crypto::Digest& identity, const storage::RecordPlace& place) {
    const auto opened = open(place.submission);
    if (!opened) {
        return opened.error();
    }
    if (!(*opened)->sealer) {
        return make_error_code(storage::Errc::corrupt);
    }
    const auto record = storage::find_record(transaction_, *(*opened)->sealer, place.submission, place.slot);
    if (!record) {
        return record.error();
    }
    if (!*record) {
        return make_error_code(storage::Errc::corrupt);
    }
    Found found;
    found.identity = identity;
    found.place = place;
    found.subject = (*record)->subject();
    found.digest = crypto::sha256(as_bytes((*record)->canonical()));
    found.time_ms = (*opened)->row.time_ms();
    found.term = report_term(**record, (*opened)->row);
    found.named = place.submission;
    found.named_line = (*record)->line();
    const std::string& name =
        (*record)->version() > 0 ? (*record)->first_submission() : (*opened)->row.origin_submission();
    if (const auto named = storage::submission_id_from_bytes(as_bytes(name))) {
        found.named = *named;
    }
    if ((*record)->version() > 0) {
        found.named_line = (*record)->first_line();
    }
    return found;
}

Result<std::optional<Judge::Found>> Judge::find_by_name(const RecordOperation& operation, const Opened& opened) {
    const auto record =
        storage::find_record_in_line(transaction_, *opened.sealer, opened.id, opened.row.blocks(), operation.line);
    if (!record) {
        return record.error();
    }
    crypto::Digest identity{};
    if (!*record || (*record)->record.identity().size() != identity.size()) {
        return std::optional<Found>{};
    }
    std::ranges::copy(as_bytes((*record)->record.identity()), identity.begin());
    auto found = describe(identity, {opened.id, (*record)->slot});
    if (!found) {
        return found.error();
    }
    return std::optional<Found>(std::move(*found));
}

Result<std::optional<Judge::Found>> Judge::find_by_identity(const PreparedRecord& record) {
    std::vector<storage::Claim> claims;
    const auto collect = [&claims](const storage::Claim& claim) {
        claims.push_back(claim);
        return true;
    };
    if (const auto visited = storage::visit_claims(transaction_, record.identity, collect); !visited) {
        return visited.error();
    }
    for (const auto& claim : claims) {
        const auto opened = open(claim.submission);
        if (!opened) {
            return opened.error();
        }
        if ((*opened)->sealer) {
            auto found = describe(record.identity, {claim.submission, claim.slot});
            if (!found) {
                return found.error();
            }
            return std::optional<Found>(std::move(*found));
        }
    }
    return std::optional<Found>{};
}

Result<void> Judge::judge(std::span<const PreparedRecord> records, std::size_t index) {
    const PreparedRecord& record = records[index];
    const RecordOperation& operation = *record.operation;
    const auto opened = open_named(operation.submission);
    if (!opened) {
        return opened.error();
    }
    std::optional<Found> found;
    if ((*opened)->row.state() != Submission::UNKNOWN && !(*opened)->sealer) {
        judged_.defects.push_back(defect(record, "XF-5023", "XF_RECORD"));
        return {};
    }
    if ((*opened)->sealer) {
        auto by_name = find_by_name(operation, **opened);
        if (!by_name) {
            return by_name.error();
        }
        found = std::move(*by_name);
        const bool from_below = !(*opened)->row.origin_submission().empty();
        if (!found && operation.identity_told && from_below) {
            auto by_identity = find_by_identity(record);
            if (!by_identity) {
                return by_identity.error();
            }
            found = std::move(*by_identity);
        }
    }
    if (!found) {
        judged_.ahead = judged_.ahead || (*opened)->row.state() == Submission::UNKNOWN;
        judged_.defects.push_back(defect(record, "XF-5020", "XF_RECORD"));
        return {};
    }
    if (operation.identity_told && found->identity != record.identity) {
        judged_.defects.push_back(defect(record, "XF-5024", "XF_RECORD"));
        return {};
    }
    if (const auto earlier = here_.find(found->identity); earlier != here_.end()) {
        judged_.defects.push_back(
            defect(record, "XF-5028", "XF_RECORD", {std::to_string(records[earlier->second].line)}));
        return {};
    }
    here_.emplace(found->identity, index);
    return judge_versions(record, index, std::move(*found));
}

Result<void> Judge::judge_versions(const PreparedRecord& record, std::size_t index, Found found) {
    const RecordOperation& operation = *record.operation;
    Change change;
    change.record = index;
    change.identity = found.identity;
    change.first = change.current = found.place;
    change.subject = found.subject;
    change.digest = found.digest;
    change.time_ms = found.time_ms;
    change.term = found.term;
    change.named = found.named;
    change.named_line = found.named_line;
    std::uint64_t version = 1;
    bool withdrawn = false;
    const auto head = storage::find_head(transaction_, found.identity);
    if (!head) {
        return head.error();
    }
    if (*head) {
        version = (*head)->version();
        withdrawn = (*head)->withdrawn();
        const auto first = storage::find_version(transaction_, found.identity, 1);
        const auto last = storage::find_version(transaction_, found.identity, version);
        if (!first || !last) {
            return first ? last.error() : first.error();
        }
        if (!*first || !*last) {
            return storage::Errc::corrupt;
        }
        change.first = (*first)->place;
        change.current = (*last)->place;
        change.digest = (*last)->digest;
        change.time_ms = (*last)->time_ms;
        if (!withdrawn && change.current != found.place) {
            auto current = describe(found.identity, change.current);
            if (!current) {
                return current.error();
            }
            change.subject = std::move(current->subject);
            change.term = current->term;
        }
    }
    const auto repeated = [&]() {
        ++judged_.repeated;
        auto warning = defect(record, "XF-5022", "XF_RECORD", {std::to_string(version)});
        warning.set_severity(boundary::SEVERITY_WARNING);
        judged_.warnings.push_back(std::move(warning));
    };
    if (operation.version < version) {
        const auto next = storage::find_version(transaction_, found.identity, operation.version + 1);
        if (!next) {
            return next.error();
        }
        const bool same = *next && (*next)->withdrawal == operation.withdraw &&
                          (operation.withdraw || (*next)->digest == record.digest);
        if (same) {
            repeated();
            return {};
        }
    }
    if (withdrawn) {
        judged_.defects.push_back(defect(record, "XF-5025", "XF_RECORD"));
        return {};
    }
    if (operation.version != version) {
        judged_.ahead = judged_.ahead || operation.version > version;
        judged_.defects.push_back(
            defect(record, "XF-5021", "XF_VERSION", {std::to_string(operation.version), std::to_string(version)}));
        return {};
    }
    if (!operation.withdraw && change.digest == record.digest) {
        repeated();  // nothing would change
        return {};
    }
    change.version = version + 1;
    judged_.changes.push_back(std::move(change));
    return {};
}

// The first submission's own count of what it lost; when all is gone, its state.
Result<void> count_withdrawal(storage::WriteTransaction& transaction, const storage::SubmissionId& id) {
    auto row = storage::find_submission(transaction, id);
    if (!row) {
        return row.error();
    }
    if (!*row) {
        return storage::Errc::corrupt;
    }
    (*row)->set_withdrawn((*row)->withdrawn() + 1);
    if ((*row)->withdrawn() >= (*row)->counts().stored()) {
        (*row)->set_state(Submission::WITHDRAWN);
    }
    return storage::put_submission(transaction, id, **row);
}

}  // namespace

Result<JudgedOperations> judge_operations(const storage::ReadTransaction& transaction, const OperationsScope& scope,
                                          std::span<const PreparedRecord> records) {
    JudgedOperations judged;
    Judge judge(transaction, scope, judged);
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (const auto done = judge.judge(records, i); !done) {
            return done.error();
        }
    }
    return judged;
}

namespace {

// The version's row in the block, and everything that leads to it.
Result<void> apply_change(storage::WriteTransaction& transaction, const OperationsScope& scope,
                          const storage::SubmissionId& self, std::int64_t time_ms, const PreparedRecord& record,
                          const Change& change, std::uint32_t slot, storage::rows::RecordBlock::Record& row) {
    const RecordOperation& operation = *record.operation;
    row.set_position(slot % storage::kRecordsPerBlock);
    row.set_line(record.line);
    row.set_identity(change.identity.data(), change.identity.size());
    row.set_first_submission(change.named.data(), change.named.size());
    row.set_first_line(change.named_line);
    row.set_version(change.version);
    row.set_withdrawal(operation.withdraw);
    row.set_reason(operation.reason);
    if (change.term.due) {
        row.set_due(*change.term.due);
        row.set_reported_day(change.term.reported_day);
    }
    if (change.term.due_earliest) {
        row.set_due_earliest(*change.term.due_earliest);
    }
    row.set_subject(operation.withdraw ? change.subject : record.subject);
    if (!operation.withdraw) {
        row.set_canonical(record.canonical.data(), record.canonical.size());
    }
    if (change.version == 2) {
        const storage::RecordVersion first{change.first, change.digest, false, change.time_ms};
        if (const auto put = storage::put_version(transaction, change.identity, 1, first); !put) {
            return put.error();
        }
    }
    storage::RecordVersion next;
    next.place = {self, slot};
    next.digest = record.digest;
    next.withdrawal = operation.withdraw;
    next.time_ms = time_ms;
    if (const auto put = storage::put_version(transaction, change.identity, change.version, next); !put) {
        return put.error();
    }
    // The claim's digest is the newest version's; of a withdrawn record it is no record's.
    const storage::Claim claim{change.first.submission, change.first.slot,
                               operation.withdraw ? crypto::Digest{} : record.digest};
    if (const auto put = storage::put_claim(transaction, change.identity, claim); !put) {
        return put.error();
    }
    const auto subject = storage::subject_key(scope.keys.index(), scope.catalog, change.subject);
    if (const auto erased = storage::erase_subject_entry(transaction, subject, change.current); !erased) {
        return erased.error();
    }
    return operation.withdraw ? count_withdrawal(transaction, change.first.submission)
                              : storage::put_subject_entry(transaction, record.subject_key, next.place);
}

}  // namespace

Result<void> apply_operations(storage::WriteTransaction& transaction, const OperationsScope& scope,
                              const storage::RecordSealer& sealer, const storage::SubmissionId& self,
                              std::int64_t time_ms, std::span<const PreparedRecord> records,
                              const JudgedOperations& judged, std::uint32_t& next_block) {
    storage::rows::RecordBlock block;
    for (std::size_t i = 0; i < judged.changes.size(); ++i) {
        const Change& change = judged.changes[i];
        const auto slot = next_block * storage::kRecordsPerBlock + static_cast<std::uint32_t>(block.records_size());
        const auto applied =
            apply_change(transaction, scope, self, time_ms, records[change.record], change, slot, *block.add_records());
        if (!applied) {
            return applied.error();
        }
        if (block.records_size() == static_cast<int>(storage::kRecordsPerBlock) || i + 1 == judged.changes.size()) {
            const auto put =
                storage::put_record_block(transaction, self, next_block, sealer.seal_block(next_block, block));
            if (!put) {
                return put.error();
            }
            block.Clear();
            ++next_block;
        }
    }
    return {};
}

}  // namespace xinfu::vault
