#include "daemon/vault/submission_under_way.hpp"

#include <algorithm>
#include <utility>

#include "daemon/boundary/error.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/envelope_certificates.hpp"
#include "daemon/vault/exchange.hpp"
#include "daemon/vault/keys.hpp"
#include "daemon/vault/operations.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

// Whether the figures of quality can be those of so many rows.
bool is_possible(const boundary::Verdict& verdict) {
    const auto& counted = verdict.quality();
    return std::max({counted.incomplete(), counted.inaccurate(), counted.unreasonable()}) <= verdict.defective() &&
           counted.coded() <= verdict.records() &&
           std::max(counted.wrong_code(), counted.repeated_code()) <= counted.coded();
}

}  // namespace

SubmissionUnderWay::SubmissionUnderWay(Context& context, std::shared_ptr<Candidate> candidate, crypto::Secret data_key,
                                       bool stores)
    : context_(context),
      candidate_(std::move(candidate)),
      data_key_(std::make_shared<crypto::Secret>(std::move(data_key))),
      stores_(stores),
      tracker_(candidate_->parcel.has_value()),
      body_state_(std::make_shared<crypto::Sha256>()),
      object_(std::make_shared<std::unique_ptr<storage::ObjectWriter>>()) {
    candidate_->sealer = std::make_shared<const storage::RecordSealer>(candidate_->id, data_key_->view());
    make_reader();
}

void SubmissionUnderWay::make_reader() {
    reader_.emplace(*candidate_->catalog, context_.keys.index(), candidate_->parcel ? std::string() : candidate_->unit,
                    candidate_->caller.principal.units);
}

// The header decided which of the versions in force judged the file: known before the first record.
Result<void> SubmissionUnderWay::follow_version(std::string_view version) {
    if (version.empty() || version == candidate_->catalog->version()) {
        return {};
    }
    const auto found =
        std::ranges::find_if(candidate_->versions, [&](const auto* known) { return known->version() == version; });
    if (found == candidate_->versions.end() || reader_->received() > 0 || !reader_->complete()) {
        return boundary::Errc::unexpected;
    }
    candidate_->catalog = *found;
    make_reader();
    return {};
}

asio::awaitable<Result<void>> SubmissionUnderWay::take_body(ByteView bytes) {
    candidate_->body_length += bytes.size();
    auto taking = take(bytes, body_state_, !candidate_->enveloped);
    co_return co_await std::move(taking);
}

void SubmissionUnderWay::begin_envelope() {
    candidate_->enveloped = true;
    candidate_->armoured = false;
    candidate_->body = Bytes();  // a few octets at most: it shows at the beginning
    candidate_->stored_length = 0;
    package_state_ = std::make_shared<crypto::Sha256>();
}

// Armoured: what is stored is the body as PUT, so that the receipt's digest is that of the stored original. Enveloped:
// a cipher text proves nothing to anybody who has not its key, so the signed file inside is stored. What is sent on and
// counted from is the package in both cases.
asio::awaitable<Result<void>> SubmissionUnderWay::take_package(ByteView bytes) {
    if (!package_state_) {
        package_state_ = std::make_shared<crypto::Sha256>();
        candidate_->armoured = true;
    }
    candidate_->package_length += bytes.size();
    auto taking = take(bytes, package_state_, candidate_->enveloped);
    co_return co_await std::move(taking);
}

asio::awaitable<Result<void>> SubmissionUnderWay::take(ByteView bytes, std::shared_ptr<crypto::Sha256> state,
                                                       bool store) {
    candidate_->stored_length += store ? bytes.size() : 0;
    store = store && stores_;
    const bool small = store ? !*object_ && candidate_->stored_length <= kInlineBodySizeBytesMax
                             : bytes.size() <= kInlineBodySizeBytesMax;
    if (small) {
        state->update(bytes);
        if (store) {
            candidate_->body.insert(candidate_->body.end(), bytes.begin(), bytes.end());
        }
        co_return Result<void>{};
    }
    // Sealing and writing a large body is the second core's work. The view stays valid: the pump waits.
    std::function<Result<void>()> work = [this, bytes, store, state = std::move(state),
                                          object = object_]() -> Result<void> {
        state->update(bytes);
        if (!store) {
            return {};
        }
        if (!*object) {
            auto created = context_.objects.create(candidate_->id, candidate_->sealer->object_key());
            if (!created) {
                return created.error();
            }
            *object = std::move(*created);
            if (const auto written = (*object)->write(candidate_->body); !written) {
                return written.error();
            }
            candidate_->body = Bytes();
        }
        return (*object)->write(bytes);
    };
    auto working = run_on_worker<Result<void>>(context_, std::move(work));
    co_return co_await std::move(working);
}

asio::awaitable<Result<crypto::Secret>> SubmissionUnderWay::unwrap(const boundary::UnwrapContentKey& question) {
    constexpr std::size_t kPartSizeBytesMax = 8 * 1024;
    if (question.ByteSizeLong() > kPartSizeBytesMax) {
        co_return boundary::Errc::unexpected;
    }
    const auto octets = [](const std::string& text) { return to_bytes(text); };
    crypto::EnvelopeRecipient recipient{octets(question.issuer()),
                                        octets(question.serial()),
                                        octets(question.subject_key_identifier()),
                                        question.agreement(),
                                        octets(question.originator_point()),
                                        octets(question.user_keying_material()),
                                        octets(question.key_wrap_algorithm()),
                                        octets(question.encrypted_key())};
    const auto& keys = context_.keys.envelopes();
    if (keys.empty()) {
        co_return storage::Errc::not_found;
    }
    const auto key = std::ranges::find_if(
        keys, [&recipient](const crypto::EnvelopeKey& candidate) { return candidate.is_recipient(recipient); });
    if (key == keys.end()) {
        co_return crypto::Errc::envelope_other_recipient;
    }
    const auto until = opens_until(keys, *key, std::chrono::days(context_.config.vault.envelope_overlap_days));
    if (until && context_.clock.now() > *until) {
        co_return crypto::Errc::envelope_key_replaced;
    }
    std::function<Result<crypto::Secret>()> work = [this, &chosen = *key, recipient = std::move(recipient)]() {
        return Result<crypto::Secret>(chosen.unwrap(recipient, context_.random));
    };
    auto working = run_on_worker<Result<crypto::Secret>>(context_, std::move(work));
    co_return co_await std::move(working);
}

bool SubmissionUnderWay::may_still_be_accepted() const {
    return candidate_->catalog->accept_valid() || told_defects_ + own_defects_ == 0;
}

void SubmissionUnderWay::keep_defect(boundary::Defect defect) {
    if (candidate_->defects.size() < kDefectsKeptMax) {
        candidate_->defects.push_back(std::move(defect));
    }
}

asio::awaitable<Result<void>> SubmissionUnderWay::take_records(const boundary::RecordBatch& batch) {
    if (const auto followed = follow_version(batch.catalog_version()); !followed) {
        co_return followed.error();
    }
    std::vector<boundary::Defect> defects;
    const std::size_t before = candidate_->records.size();
    if (const auto read = reader_->read(batch, candidate_->records, defects); !read) {
        co_return read.error();
    }
    own_defects_ += defects.size();
    for (auto& defect : defects) {
        keep_defect(std::move(defect));
    }
    if (!may_still_be_accepted()) {
        candidate_->records.clear();  // nothing more is staged
        unstaged_size_bytes_ = 0;
        co_return Result<void>{};
    }
    for (std::size_t i = before; i < candidate_->records.size(); ++i) {
        unstaged_size_bytes_ += candidate_->records[i].canonical.size() + sizeof(PreparedRecord);
    }
    if (reader_->operations()) {
        candidate_->operations = true;
        if (candidate_->records.size() > kOperationsMax || unstaged_size_bytes_ > kOperationsSizeBytesMax) {
            too_many_operations_ = true;
            candidate_->records.clear();
            unstaged_size_bytes_ = 0;
        }
        co_return Result<void>{};
    }
    if (unstaged_size_bytes_ < kUnstagedSizeBytesMax && candidate_->records.size() < kUnstagedRecordsMax) {
        co_return Result<void>{};
    }
    unstaged_size_bytes_ = 0;
    if (!stores_) {
        const auto judged = judge_only();
        candidate_->records.clear();
        co_return judged;
    }
    if (!staged_) {
        auto wrapped = wrapped_key(reader_->unit());
        if (!wrapped) {
            co_return wrapped.error();
        }
        staged_ = std::make_shared<StagedRecords>(context_, candidate_, reader_->unit(), std::move(*wrapped));
    }
    auto adding = staged_->add(std::exchange(candidate_->records, {}));
    co_return co_await std::move(adding);
}

asio::awaitable<Result<void>> SubmissionUnderWay::settle_staging() {
    if (!staged_) {
        co_return Result<void>{};
    }
    auto settling = staged_->settle();
    co_return co_await std::move(settling);
}

asio::awaitable<Result<void>> SubmissionUnderWay::index() {
    auto finishing = staged_->finish(std::exchange(candidate_->records, {}));
    co_return co_await std::move(finishing);
}

// For files that are only checked: against what is committed, and against the parts before.
Result<void> SubmissionUnderWay::judge_only() {
    if (!candidate_->check_only) {
        return {};
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    auto judged = judge(**snapshot, *candidate_->sealer, candidate_->id, candidate_->records);
    if (!judged) {
        return judged.error();
    }
    std::vector<std::uint64_t> earlier_lines;
    auto here = judged->earlier_lines.begin();
    for (std::size_t i = 0; i < candidate_->records.size(); ++i) {
        const auto& record = candidate_->records[i];
        Fate& fate = judged->fates[i];
        if (fate == Fate::twice_otherwise) {
            earlier_lines.push_back(*here++);
        } else if (fate == Fate::fresh) {
            if (const auto earlier = seen_.insert(record.identity, record.digest, record.line)) {
                --judged->fresh;
                fate = earlier->same ? Fate::duplicate : Fate::twice_otherwise;
                judged->duplicates += earlier->same;
                if (!earlier->same) {
                    earlier_lines.push_back(earlier->line);
                }
            }
        }
    }
    judged->earlier_lines = std::move(earlier_lines);
    candidate_->staged_stored += judged->fresh;
    candidate_->staged_duplicates += judged->duplicates;
    std::vector<boundary::Defect> defects;
    append_defects(*judged, candidate_->records, defects);
    own_defects_ += defects.size();
    own_defective_ += defects.size();
    for (auto& defect : defects) {
        keep_defect(std::move(defect));
    }
    return {};
}

Result<void> SubmissionUnderWay::take_defects(const boundary::DefectBatch& batch) {
    for (const auto& defect : batch.defects()) {
        if (defect.code().size() > 16 || defect.field().size() > 64 || defect.masked_value().size() > 4096 ||
            defect.arguments_size() > 16) {
            return boundary::Errc::unexpected;
        }
        told_defects_ += defect.severity() == boundary::SEVERITY_ERROR;
        keep_defect(defect);
    }
    return {};
}

Result<void> SubmissionUnderWay::settle(const boundary::Verdict& verdict, bool read_to_the_end) {
    Candidate& candidate = *candidate_;
    if (const auto followed = follow_version(verdict.catalog_version()); !followed) {
        return followed;
    }
    if (!verdict.has_problem()) {
        const bool fits = read_to_the_end && reader_->complete() && verdict.defective() <= verdict.records() &&
                          reader_->received() == verdict.records() - verdict.defective() &&
                          verdict.warned() <= verdict.records() && verdict.defects_total() >= told_defects_ &&
                          (verdict.defective() == 0 || verdict.defects_total() > 0) && is_possible(verdict);
        if (!fits) {
            return boundary::Errc::unexpected;
        }
    }
    if (!seen_.empty() && !candidate.records.empty()) {
        // The last part too is compared with those before it.
        if (const auto judged = judge_only(); !judged) {
            return judged;
        }
        candidate.records.clear();
    }
    if (too_many_operations_) {
        candidate.problem = problem("XF-5027", {std::to_string(kOperationsMax)});
    }
    candidate.rows = verdict.records();
    candidate.defective_themselves = verdict.defective() + reader_->of_other_units();
    candidate.defective = candidate.defective_themselves + own_defective_;
    if (verdict.has_quality()) {
        const auto& counted = verdict.quality();
        candidate.quality.records = verdict.records();
        candidate.quality.incomplete = counted.incomplete();
        candidate.quality.inaccurate = counted.inaccurate() + reader_->of_other_units();
        candidate.quality.unreasonable = counted.unreasonable();
        candidate.quality.coded = counted.coded();
        candidate.quality.wrong_code = counted.wrong_code();
        candidate.quality.repeated_code = counted.repeated_code();
    }
    candidate.warned = verdict.warned();
    candidate.defects_total = verdict.defects_total() + own_defects_;
    candidate.warnings_total = verdict.warnings_total();
    candidate.records_digest = reader_->records_digest();
    crypto::Sha256 body = *body_state_;
    candidate.body_digest = body.finish();
    candidate.package_state = package_state_ ? *package_state_ : *body_state_;
    if (!package_state_) {
        candidate.package_length = candidate.body_length;
    }
    std::ranges::stable_sort(candidate.defects, {}, &boundary::Defect::line);
    return {};
}

void SubmissionUnderWay::forget_findings() {
    candidate_->defects.clear();
    candidate_->rows = 0;
    candidate_->defective = 0;
    candidate_->warned = 0;
    candidate_->defects_total = 0;
    candidate_->warnings_total = 0;
    candidate_->quality = {};
}

asio::awaitable<Result<void>> SubmissionUnderWay::finish_body(bool keep) {
    if (!*object_) {
        co_return Result<void>{};
    }
    if (!keep) {
        std::function<Result<void>()> discard = [object = object_]() -> Result<void> {
            object->reset();
            return {};
        };
        auto discarding = run_on_worker<Result<void>>(context_, std::move(discard));
        co_return co_await std::move(discarding);
    }
    std::function<Result<void>()> work = [object = object_]() -> Result<void> { return (*object)->finish(); };
    auto working = run_on_worker<Result<void>>(context_, std::move(work));
    const auto finished = co_await std::move(working);
    if (finished) {
        candidate_->object = true;
        object_->reset();
    }
    co_return finished;
}

Result<Bytes> SubmissionUnderWay::wrapped_key(const std::string& unit) const {
    return context_.keys.wrap_data_key(unit, candidate_->id, data_key_->view());
}

}  // namespace xinfu::vault
