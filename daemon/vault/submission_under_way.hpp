// SubmissionUnderWay: what is known of a file while it is read: its bytes going into sealed storage, its records into
// blocks. Used by AcceptSubmission alone.
//
// Threads: the vault's `io`; slow parts run on workers while nothing else here moves, but for staging (StagedRecords),
// which goes on while the file is read.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "daemon/vault/body_tracker.hpp"
#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/identity_set.hpp"
#include "daemon/vault/inspection.hpp"
#include "daemon/vault/staged_records.hpp"
#include "storage/object_store.hpp"

namespace xinfu::vault {

// Bodies up to here lie in their row; larger ones are objects.
inline constexpr std::size_t kInlineBodySizeBytesMax = 64 * 1024;
// Records held before they are staged. A file with fewer is written by its commit alone.
inline constexpr std::size_t kUnstagedSizeBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kUnstagedRecordsMax = 4096;

class SubmissionUnderWay : public InspectionSink {
public:
    // `stores` false: nothing of it will be kept, since its name is taken or it is only to be checked.
    SubmissionUnderWay(Context& context, std::shared_ptr<Candidate> candidate, crypto::Secret data_key, bool stores);

    asio::awaitable<Result<void>> take_body(ByteView bytes) override;
    asio::awaitable<Result<void>> take_package(ByteView bytes) override;
    void begin_envelope() override;
    asio::awaitable<Result<crypto::Secret>> unwrap(const boundary::UnwrapContentKey& question) override;
    asio::awaitable<Result<void>> take_records(const boundary::RecordBatch& batch) override;
    Result<void> take_defects(const boundary::DefectBatch& batch) override;

    BodyTracker& tracker() { return tracker_; }
    const std::string& unit() const { return reader_->unit(); }

    // After the inspection: what was counted, into the candidate. Errors: boundary::Errc::unexpected when the verdict
    // does not fit what was told.
    Result<void> settle(const boundary::Verdict& verdict, bool read_to_the_end);
    // What was found in content that nobody in order signed, or that was not authentic, is nobody's to learn.
    void forget_findings();
    // Once the inspection has ended, however: until this has returned, records may still be on their way into the
    // store. Errors: what kept them from getting there.
    asio::awaitable<Result<void>> settle_staging();
    // Of a staged file that may still be accepted, after the inspection: stages the rest of it and makes its index;
    // what was found goes into the candidate.
    asio::awaitable<Result<void>> index();
    // Makes the body durable, when it is an object and will be kept. Discards it otherwise.
    asio::awaitable<Result<void>> finish_body(bool keep);
    Result<Bytes> wrapped_key(const std::string& unit) const;
    bool staged() const { return candidate_->staged; }

private:
    asio::awaitable<Result<void>> take(ByteView bytes, std::shared_ptr<crypto::Sha256> state, bool store);
    Result<void> judge_only();
    bool may_still_be_accepted() const;
    void make_reader();
    Result<void> follow_version(std::string_view version);
    void keep_defect(boundary::Defect defect);

    Context& context_;
    std::shared_ptr<Candidate> candidate_;
    std::shared_ptr<crypto::Secret> data_key_;
    bool stores_;
    BodyTracker tracker_;
    std::optional<RecordReader> reader_;
    std::shared_ptr<crypto::Sha256> body_state_;
    std::shared_ptr<crypto::Sha256> package_state_;  // null: the body is the package
    std::shared_ptr<std::unique_ptr<storage::ObjectWriter>> object_;
    std::size_t unstaged_size_bytes_ = 0;
    std::shared_ptr<StagedRecords> staged_;  // of a big file
    bool too_many_operations_ = false;
    IdentitySet seen_;                 // check_only: of the parts that were judged
    std::uint64_t told_defects_ = 0;   // errors the inspector sent
    std::uint64_t own_defects_ = 0;    // errors found here
    std::uint64_t own_defective_ = 0;  // records with such errors, without those of other units
};

}  // namespace xinfu::vault
