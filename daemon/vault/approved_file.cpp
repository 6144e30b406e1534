#include "daemon/vault/approved_file.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/original_reader.hpp"
#include "daemon/vault/request_facts.hpp"
#include "storage/accounts.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using boundary::Problem;
using storage::rows::ApprovalRequest;
using storage::rows::Submission;

constexpr std::size_t kExpiredPerLook = 1000;

template <class Field>
void set_bytes(Field& field, ByteView bytes) {
    field.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// The digest's state over the department's CMS, which the manifest of each parcel continues.
Result<crypto::Sha256> hash_original(Context& context, const storage::SubmissionId& id, const Submission& row) {
    auto reader = open_package(context, id, row);
    if (!reader) {
        return reader.error();
    }
    crypto::Sha256 state;
    std::uint64_t skip = row.original_offset();
    std::uint64_t left = row.original_length();
    while (left > 0) {
        auto piece = reader->next();
        if (!piece) {
            return piece.error();
        }
        if (piece->empty()) {
            return storage::Errc::corrupt;
        }
        const auto skipped = std::min<std::uint64_t>(skip, piece->size());
        skip -= skipped;
        auto rest = piece->subspan(static_cast<std::size_t>(skipped));
        rest = rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, rest.size())));
        state.update(rest);
        left -= rest.size();
    }
    crypto::Sha256 whole = state;
    if (!std::ranges::equal(whole.finish(), as_bytes(row.original_digest()))) {
        return storage::Errc::corrupt;
    }
    return state;
}

}  // namespace

ApprovalRequest approval_request(const Candidate& candidate, std::string_view node, std::string_view act,
                                 const Submission& row) {
    const Principal& principal = candidate.caller.principal;
    const auto valid = candidate.policies->access.approval_of(act)->valid;
    ApprovalRequest request;
    request.set_act(std::string(act));
    request.set_applicant(principal.account);
    request.set_applicant_person(principal.person);
    request.set_unit(row.unit());
    request.set_object(storage::to_text(candidate.id));
    request.set_created_ms(row.time_ms());
    request.set_expires_ms(row.time_ms() + std::chrono::milliseconds(valid).count());
    request.set_leaf(row.leaf());
    auto& change = *request.mutable_submission();
    set_bytes(*change.mutable_submission(), candidate.id);
    change.set_catalog(row.catalog());
    change.set_name(row.name());
    change.set_content_digest(row.content_digest());
    change.set_body_digest(row.body_digest());
    change.set_records_digest(row.records_digest());
    change.set_records(row.counts().records());
    set_bytes(*request.mutable_digest(), crypto::sha256(as_bytes(submission_change_json(change, act, node))));
    return request;
}

std::string submission_change_json(const storage::rows::SubmissionChange& change, std::string_view act,
                                   std::string_view node) {
    crypto::JsonObject json;
    json.text("act", act)
        .text("body_digest", to_hex(as_bytes(change.body_digest())))
        .text("catalog", change.catalog())
        .text("content_digest", to_hex(as_bytes(change.content_digest())))
        .text("name", change.name())
        .text("node", node)
        .number("records", static_cast<std::int64_t>(change.records()))
        .text("records_digest", to_hex(as_bytes(change.records_digest())))
        .text("submission", to_hex(as_bytes(change.submission())));
    return json.encode();
}

void append_asked(const PreparedRecord& record, storage::rows::RecordBlock& block) {
    append_row(record, block);
    auto& row = *block.mutable_records(block.records_size() - 1);
    const RecordOperation& asked = *record.operation;
    set_bytes(*row.mutable_first_submission(), asked.submission);
    row.set_first_line(asked.line);
    row.set_version(asked.version);
    row.set_withdrawal(asked.withdraw);
    row.set_reason(asked.reason);
    row.set_identity_told(asked.identity_told);
}

Result<std::vector<PreparedRecord>> read_asked(const storage::ReadTransaction& transaction,
                                               const storage::RecordSealer& sealer, ByteView index_key,
                                               const storage::SubmissionId& id, const Submission& row) {
    std::vector<PreparedRecord> records;
    for (std::uint32_t number = 0; number < row.blocks(); ++number) {
        const auto sealed = storage::find_record_block(transaction, id, number);
        if (!sealed) {
            return sealed.error();
        }
        const auto block =
            *sealed ? sealer.open_block(number, **sealed) : Result<storage::rows::RecordBlock>(storage::Errc::corrupt);
        if (!block) {
            return block.error();
        }
        for (const auto& asked : block->records()) {
            const auto named = storage::submission_id_from_bytes(as_bytes(asked.first_submission()));
            if (!named || asked.identity().size() != crypto::Digest{}.size()) {
                return storage::Errc::corrupt;
            }
            PreparedRecord record;
            record.line = asked.line();
            record.canonical = to_bytes(asked.canonical());
            record.digest = crypto::sha256(record.canonical);
            record.identity = to_digest(as_bytes(asked.identity()));
            record.subject = asked.subject();
            record.subject_key = storage::subject_key(index_key, row.catalog(), record.subject);
            if (asked.has_due()) {
                record.due = asked.due();
            }
            if (asked.has_due_earliest()) {
                record.due_earliest = asked.due_earliest();
            }
            record.operation = std::make_shared<RecordOperation>(
                RecordOperation{asked.withdrawal(), *named, asked.first_line(), asked.version(), asked.reason(),
                                asked.identity_told()});
            records.push_back(std::move(record));
        }
    }
    return records;
}

Result<std::variant<std::shared_ptr<Candidate>, Problem>> ApprovedFiles::read(const storage::SubmissionId& id) const {
    using Answer = std::variant<std::shared_ptr<Candidate>, Problem>;
    auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto found = storage::find_submission(**snapshot, id);
    if (!found) {
        return found.error();
    }
    if (!*found || (*found)->state() != Submission::PENDING) {
        return Answer{problem("XF-2021")};
    }
    const Submission& row = **found;
    const auto key = context_.keys.unwrap_data_key(row.unit(), id, as_bytes(row.wrapped_key()));
    if (!key) {
        return key.error();
    }
    auto candidate = std::make_shared<Candidate>();
    candidate->id = id;
    candidate->name = row.name();
    candidate->unit = row.unit();
    candidate->sealer = std::make_shared<const storage::RecordSealer>(id, key->view());
    candidate->records_digest = to_digest(as_bytes(row.records_digest()));
    candidate->original_offset = row.original_offset();
    candidate->original_length = row.original_length();
    candidate->original_digest = to_digest(as_bytes(row.original_digest()));
    candidate->operations = row.changes_records();
    if (row.changes_records()) {
        auto asked = read_asked(**snapshot, *candidate->sealer, context_.keys.index(), id, row);
        if (!asked) {
            return asked.error();
        }
        candidate->records = std::move(*asked);
    }
    if (row.certificate_left_out()) {
        const auto enrolled = storage::find_certificate(**snapshot, to_digest(as_bytes(row.certificate())));
        if (!enrolled) {
            return enrolled.error();
        }
        if (!*enrolled) {
            return storage::Errc::corrupt;
        }
        candidate->certificate_left_out = (*enrolled)->der;
    }
    snapshot->reset();  // a long original must not keep old pages
    for (const auto& [route, upper] : certificates_.upper) {
        auto keys = crypto::EnvelopeKeys::create(upper, context_.random);
        if (!keys) {
            return keys.error();
        }
        candidate->envelopes.insert_or_assign(route, std::move(*keys));
    }
    auto state = hash_original(context_, id, row);
    if (!state) {
        return state.error();
    }
    candidate->original_state = std::move(*state);
    return Answer{std::move(candidate)};
}

// Takes back a part of what other files overtook; true: there is more.
asio::awaitable<Result<bool>> ApprovedFiles::settle_clashes(std::shared_ptr<const Candidate> candidate) {
    auto more = std::make_shared<bool>(false);
    std::function<Result<void>(storage::Batch&)> apply = [this, candidate,
                                                          more](storage::Batch& batch) -> Result<void> {
        *more = false;
        auto& transaction = batch.transaction();
        auto row = storage::find_submission(transaction, candidate->id);
        if (!row) {
            return row.error();
        }
        if (!*row || (*row)->state() != Submission::PENDING) {
            return {};
        }
        auto overtaken = look_at_clashes(transaction, candidate->id);
        if (!overtaken) {
            return overtaken.error();
        }
        // Those that are known otherwise stay: they refuse the file, and its approver is told their lines.
        if (!overtaken->more || !overtaken->known_otherwise.empty()) {
            return {};
        }
        TermCounts terms;  // counted on the day it was handed in
        const auto taken = take_back(transaction, context_.keys.index(), (*row)->catalog(), *candidate->sealer,
                                     candidate->id, *overtaken, terms);
        if (!taken) {
            return taken.error();
        }
        const auto duplicates = overtaken->duplicates.size();
        (*row)->mutable_counts()->set_stored((*row)->counts().stored() - duplicates);
        (*row)->mutable_counts()->set_duplicate((*row)->counts().duplicate() + duplicates);
        *more = true;
        return storage::put_submission(transaction, candidate->id, **row);
    };
    auto executing = execute(context_, std::move(apply), kClashesMax * 1024);
    if (const auto done = co_await std::move(executing); !done) {
        co_return Result<bool>(boost::system::in_place_error, done.error());
    }
    co_return *more;
}

asio::awaitable<Result<std::variant<std::shared_ptr<const Candidate>, Problem>>> ApprovedFiles::prepare(
    storage::SubmissionId id) {
    using Answer = std::variant<std::shared_ptr<const Candidate>, Problem>;
    using Read = Result<std::variant<std::shared_ptr<Candidate>, Problem>>;
    std::function<Read()> work = [this, id]() { return read(id); };
    auto working = run_on_worker(context_, std::move(work));
    auto made = co_await std::move(working);
    if (!made) {
        co_return made.error();
    }
    if (auto* why = std::get_if<Problem>(&*made)) {
        co_return Answer{std::move(*why)};
    }
    std::shared_ptr<const Candidate> candidate = std::get<std::shared_ptr<Candidate>>(std::move(*made));
    for (bool more = !candidate->operations; more;) {
        auto settling = settle_clashes(candidate);
        const auto settled = co_await std::move(settling);
        if (!settled) {
            co_return settled.error();
        }
        more = *settled;
    }
    co_return Answer{std::move(candidate)};
}

asio::awaitable<Result<void>> ApprovedFiles::expire() {
    using Ids = std::vector<storage::RequestId>;
    std::function<Result<Ids>()> look = [this]() -> Result<Ids> {
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        Ids expired;
        const auto now = context_.clock.now();
        const auto visited =
            storage::visit_open_requests(**snapshot, [&](const storage::RequestId& id, const ApprovalRequest& row) {
                if (state_of(row, now) == "expired") {
                    expired.push_back(id);
                }
                return expired.size() < kExpiredPerLook;
            });
        if (!visited) {
            return visited.error();
        }
        return expired;
    };
    auto looking = run_on_worker(context_, std::move(look));
    const auto expired = co_await std::move(looking);
    if (!expired) {
        co_return expired.error();
    }
    Result<void> ended;
    for (const auto& id : *expired) {
        std::function<Result<void>(storage::Batch&)> apply = [this, id](storage::Batch& batch) -> Result<void> {
            auto row = storage::find_request(batch.transaction(), id);
            if (!row) {
                return row.error();
            }
            if (!*row || (*row)->state() != ApprovalRequest::OPEN) {
                return {};
            }
            if ((*row)->has_submission()) {
                storage::Leaf by;
                by.approval = storage::to_text(id);
                const auto refused = refuse_pending(batch, context_.leaves, context_.keys.index(), id, std::move(by),
                                                    problem("XF-5033"), {});
                if (!refused) {
                    return refused.error();
                }
            }
            (*row)->set_state(ApprovalRequest::EXPIRED);
            return storage::put_request(batch.transaction(), id, **row);
        };
        auto executing = execute(context_, std::move(apply), 0, true);
        if (const auto done = co_await std::move(executing); !done) {
            ended = done.error();  // of this one; the others are none the worse
        }
    }
    if (!expired->empty()) {
        on_leftovers();
    }
    co_return ended;
}

}  // namespace xinfu::vault
