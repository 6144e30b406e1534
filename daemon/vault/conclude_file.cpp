#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/vault/submission_intake.hpp"

namespace xinfu::vault {

asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::conclude(SubmissionUnderWay& under_way) {
    Candidate& candidate = *candidate_;
    if (inspection_->verdict().has_problem()) {
        candidate.problem = inspection_->verdict().problem();
    }
    auto concluding = candidate.parcel ? conclude_parcel(under_way) : conclude_file(under_way);
    auto trouble = co_await std::move(concluding);
    if (trouble) {
        co_return trouble;
    }
    // Whoever sends somebody else's envelope shall not learn from its defects what is inside.
    if (candidate.enveloped && !candidate.content_digest) {
        under_way.forget_findings();
    }
    const auto acceptable = [this, &candidate]() {
        return !candidate.problem && stores_ && (candidate.defects_total == 0 || candidate.catalog->accept_valid());
    };
    if (candidate.staged && acceptable()) {
        auto indexing = under_way.index();
        if (const auto indexed = co_await std::move(indexing); !indexed) {
            co_return std::optional<boundary::Problem>{problem_of(indexed.error())};
        }
    } else if (candidate.staged) {
        candidate.records.clear();  // it will be refused: nothing more is staged
    }
    const bool keep = acceptable();
    if (keep && !intake_.certificates_.upper.empty()) {
        std::function<Result<void>()> work = [this]() { return make_envelopes(); };
        auto making = run_on_worker<Result<void>>(context_, std::move(work));
        if (const auto made = co_await std::move(making); !made) {
            co_return std::optional<boundary::Problem>{problem_of(made.error())};
        }
    }
    if (keep) {
        const auto wrapped = under_way.wrapped_key(candidate.unit);
        if (!wrapped) {
            co_return std::optional<boundary::Problem>{problem_of(wrapped.error())};
        }
        candidate.wrapped_key = *wrapped;
    }
    auto finishing = under_way.finish_body(keep);
    if (const auto finished = co_await std::move(finishing); !finished) {
        co_return std::optional<boundary::Problem>{problem_of(finished.error())};
    }
    co_return std::optional<boundary::Problem>{};
}

Result<void> Intake::Submission::make_envelopes() {
    for (const auto& [route, upper] : intake_.certificates_.upper) {
        auto keys = crypto::EnvelopeKeys::create(upper, context_.random);
        if (!keys) {
            return keys.error();
        }
        candidate_->envelopes.insert_or_assign(route, std::move(*keys));
    }
    return {};
}

asio::awaitable<Result<SignerVerdict>> Intake::Submission::check_signer(unsigned layer, std::optional<Bytes> digest,
                                                                        std::string carried_unit,
                                                                        crypto::UtcSeconds time) {
    std::function<Result<SignerVerdict>()> work = [this, layer, digest = std::move(digest),
                                                   carried_unit = std::move(carried_unit),
                                                   time]() -> Result<SignerVerdict> {
        const boundary::SignerFound& found = *inspection_->signer(layer);
        if (!carried_unit.empty()) {
            return check_carried_signer(carried_unit, found, *inspection_->signer(0), digest,
                                        intake_.certificates_.anchors, intake_.revocations_, time);
        }
        const auto snapshot = context_.ledger.engine().snapshot();
        if (!snapshot) {
            return snapshot.error();
        }
        return check_enrolled_signer(**snapshot, candidate_->caller.principal, found, digest, intake_.revocations_,
                                     context_.clock.now());
    };
    auto working = run_on_worker<Result<SignerVerdict>>(context_, std::move(work));
    co_return co_await std::move(working);
}

asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::conclude_file(SubmissionUnderWay& under_way) {
    using Trouble = std::optional<boundary::Problem>;
    Candidate& candidate = *candidate_;
    const auto& signer = inspection_->signer(0);
    if (!signer && candidate.check_only && inspection_->read_to_the_end()) {
        co_return Trouble{};  // a table that nobody signed: it is looked at, and has no effect whatever it says
    }
    if (!signer || !inspection_->read_to_the_end()) {
        if (!candidate.problem) {
            auto disordered = disorder();
            co_return co_await std::move(disordered);
        }
        co_return Trouble{};
    }
    auto& tracker = under_way.tracker();
    auto checking = check_signer(0, tracker.digest_of(0, signer->digest_algorithm()), {}, {});
    const auto verdict = co_await std::move(checking);
    if (!verdict) {
        co_return Trouble{problem_of(verdict.error())};
    }
    if (verdict->problem) {
        candidate.problem = *verdict->problem;  // says more than what was found in content that nobody signed
        co_return Trouble{};
    }
    candidate.content_digest = tracker.content_digest();
    candidate.certificate = verdict->certificate;
    candidate.certificate_left_out = verdict->certificate_left_out;
    candidate.original_offset = 0;
    candidate.original_length = candidate.package_length;
    candidate.original_state = candidate.package_state;
    crypto::Sha256 original = candidate.original_state;
    candidate.original_digest = original.finish();
    co_return Trouble{};
}

// Other files with many of the same records were committed since this one was staged. What they overtook is taken back
// in operations of its own, invisible as everything staged is, until the commit can take back the rest.
asio::awaitable<Result<void>> Intake::Submission::settle_clashes() {
    struct Settled {
        std::uint64_t duplicates = 0;
        std::vector<boundary::Defect> defects;
        TermCounts terms;
    };
    auto settled = std::make_shared<Settled>();
    std::function<Result<void>(storage::Batch&)> apply =
        [settled, candidate = candidate_, &keys = context_.keys](storage::Batch& batch) -> Result<void> {
        *settled = {};
        settled->terms = candidate->staged_terms;
        const auto overtaken = look_at_clashes(batch.transaction(), candidate->id);
        if (!overtaken) {
            return overtaken.error();
        }
        auto defects = take_back(batch.transaction(), keys.index(), candidate->catalog->name(), *candidate->sealer,
                                 candidate->id, *overtaken, settled->terms);
        if (!defects) {
            return defects.error();
        }
        settled->duplicates = overtaken->duplicates.size();
        settled->defects = std::move(*defects);
        return {};
    };
    auto executing = execute(context_, std::move(apply), kClashesMax * 1024);
    if (const auto done = co_await std::move(executing); !done) {
        co_return done.error();
    }
    Candidate& candidate = *candidate_;
    const auto found = settled->defects.size();
    candidate.staged_stored -= settled->duplicates + found;
    candidate.staged_duplicates += settled->duplicates;
    candidate.staged_terms = std::move(settled->terms);
    candidate.defective += found;
    candidate.defects_total += found;
    for (auto& defect : settled->defects) {
        if (candidate.defects.size() < kDefectsKeptMax) {
            candidate.defects.push_back(std::move(defect));
        }
    }
    std::ranges::stable_sort(candidate.defects, {}, &boundary::Defect::line);
    co_return Result<void>{};
}

asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::commit(SubmissionUnderWay& under_way) {
    using Trouble = std::optional<boundary::Problem>;
    std::size_t size_bytes = candidate_->body.size() + 4096;
    for (const auto& record : candidate_->records) {
        size_bytes += record.canonical.size() + sizeof(PreparedRecord);
    }
    std::function<Result<void>(storage::Batch&)> apply =
        [commit = CommitSubmission(context_, intake_.certificates_), candidate = candidate_,
         decision = decision_](storage::Batch& batch) { return commit.apply(batch, *candidate, *decision); };
    auto executing = execute(context_, apply, size_bytes);
    auto committed = co_await std::move(executing);
    while (committed && decision_->settle_first) {
        auto settling = settle_clashes();
        if (const auto settled = co_await std::move(settling); !settled) {
            committed = settled.error();
            break;
        }
        auto again = execute(context_, apply, size_bytes);
        committed = co_await std::move(again);
    }
    if (!committed) {
        *decision_ = {};
        co_return Trouble{problem_of(committed.error())};
    }
    if (candidate_->object && !decision_->keeps_object) {
        std::function<Result<void>()> erase = [this]() { return context_.objects.erase(candidate_->id); };
        auto erasing = run_on_worker<Result<void>>(context_, std::move(erase));
        [[maybe_unused]] const auto erased = co_await std::move(erasing);  // else the next sweep finds it
    }
    if (decision_->sent_on) {
        intake_.on_parcels();
    }
    if (!decision_->leaf && decision_->problem) {
        co_return *decision_->problem;  // nothing happened: the same again is useful
    }
    static_cast<void>(under_way);
    co_return Trouble{};
}

}  // namespace xinfu::vault
