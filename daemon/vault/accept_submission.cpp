#include "daemon/vault/accept_submission.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/inspector_pool.hpp"
#include "daemon/vault/metrics.hpp"
#include "daemon/vault/parcel_builder.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/signer_check.hpp"
#include "daemon/vault/submission_under_way.hpp"
#include "policies/access.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using Outcome = boundary::SubmissionOutcome;

constexpr std::size_t kNameSizeBytesMax = 200;
constexpr std::size_t kDefectsToldMax = 1000;  // the rest is read with .../defects
constexpr std::size_t kDefectsPartSizeBytes = 40 * 1024;
constexpr int kAttemptsMax = 2;  // of a body that is here, when an inspector dies

// 1 to 200 bytes of UTF-8 without '/' and without control characters; U+0080 to U+009F are C2 80 to C2 9F.
bool is_name(std::string_view name) {
    if (name.empty() || name.size() > kNameSizeBytesMax || !crypto::is_utf8(name)) {
        return false;
    }
    unsigned char before = 0;
    for (const char c : name) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f || octet == '/' || (before == 0xc2 && octet <= 0x9f)) {
            return false;
        }
        before = octet;
    }
    return true;
}

std::string_view result_name(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::CREATED: return "accepted";
        case Outcome::REPEATED: return "repeated";
        case Outcome::PENDING: return "pending";
        case Outcome::CHECKED: return "checked";
        default: return "refused";
    }
}

// Days since 1970-01-01 in Asia/Shanghai, which is UTC+8 all year.
std::int32_t today_in_shanghai(storage::Milliseconds now) {
    return static_cast<std::int32_t>(
        std::chrono::floor<std::chrono::days>(now + std::chrono::hours{8}).time_since_epoch().count());
}

// What is wrong inside a parcel's original, told to the node that sent it.
boundary::Problem inside_original(const boundary::Problem& what) {
    return what.code().starts_with("XF-7") ? what : problem("XF-7006", {what.code()});
}

// What a manifest says against what the parcel contains. Absent: everything agrees.
std::optional<boundary::Problem> compare_manifest(const boundary::ParcelManifest& manifest, const Candidate& candidate,
                                                  const std::string& records_unit,
                                                  const crypto::Digest& content_digest) {
    const auto differs = [](std::string_view field) { return problem("XF-7004", {std::string(field)}); };
    if (manifest.node() != candidate.parcel->node()) {
        return differs("node");
    }
    if (manifest.route() != candidate.parcel->route()) {
        return differs("route");
    }
    if (manifest.sequence() != candidate.parcel->sequence()) {
        return differs("sequence");
    }
    if (manifest.catalog() != candidate.catalog->name()) {
        return differs("catalog");
    }
    if (manifest.catalog_version() != candidate.catalog->version()) {
        return problem("XF-7007", {manifest.catalog(), manifest.catalog_version()});
    }
    if (!candidate.caller.principal.speaks_for(manifest.unit())) {
        return problem("XF-7005");
    }
    if (!records_unit.empty() && records_unit != manifest.unit()) {
        return differs("unit");
    }
    if (manifest.counts().records() != candidate.rows) {
        return differs("counts");
    }
    if (manifest.origin_digest() != to_hex(content_digest)) {
        return differs("origin_digest");
    }
    if (manifest.original_digest() != to_hex(candidate.original_digest)) {
        return differs("original_digest");
    }
    // Records that did not pass here are told as defects, which say more than a digest.
    if (candidate.defects_total == 0 && manifest.records_digest() != to_hex(candidate.records_digest)) {
        return differs("records_digest");
    }
    return std::nullopt;
}

// Text of a manifest that goes into leaves and further manifests.
bool is_plain(const boundary::ParcelManifest& manifest) {
    constexpr std::uint64_t kIntegerMax = (std::uint64_t{1} << 53) - 1;
    const auto label = [](std::string_view text) {
        return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
    };
    const auto& counts = manifest.counts();
    return label(manifest.node()) && label(manifest.route()) && label(manifest.origin_node()) &&
           manifest.sequence() <= kIntegerMax && manifest.origin_index() <= kIntegerMax &&
           counts.records() <= kIntegerMax && counts.stored() <= kIntegerMax && counts.duplicate() <= kIntegerMax &&
           counts.defective() <= kIntegerMax && counts.warned() <= kIntegerMax && is_name(manifest.name()) &&
           manifest.origin_digest().size() == 64 && from_hex(manifest.origin_digest()).has_value() &&
           storage::submission_id_from_text(manifest.submission()).has_value() && manifest.unit().size() <= 32 &&
           crypto::is_utf8(manifest.unit()) && manifest.catalog().size() <= 64 && crypto::is_utf8(manifest.catalog()) &&
           manifest.catalog_version().size() <= 64 && crypto::is_utf8(manifest.catalog_version());
}

}  // namespace

// One file. Lives in accept()'s frame.
class Intake::Submission {
public:
    Submission(Intake& intake, ExchangePointer exchange)
        : intake_(intake), context_(intake.context_), exchange_(std::move(exchange)) {}

    asio::awaitable<void> run();

private:
    std::optional<boundary::Problem> admit();
    Result<bool> name_is_taken() const;
    asio::awaitable<void> answer_refused(boundary::Problem what);
    asio::awaitable<void> work();
    asio::awaitable<std::optional<boundary::Problem>> inspect(SubmissionUnderWay& under_way);
    asio::awaitable<std::optional<boundary::Problem>> conclude(SubmissionUnderWay& under_way);
    asio::awaitable<std::optional<boundary::Problem>> conclude_file(SubmissionUnderWay& under_way);
    asio::awaitable<std::optional<boundary::Problem>> conclude_parcel(SubmissionUnderWay& under_way);
    asio::awaitable<Result<SignerVerdict>> check_signer(unsigned layer, std::optional<Bytes> digest,
                                                        std::string embedded_unit, crypto::UtcSeconds time);
    asio::awaitable<std::optional<boundary::Problem>> commit(SubmissionUnderWay& under_way);
    asio::awaitable<void> answer();
    asio::awaitable<std::optional<boundary::Problem>> disorder();

    Intake& intake_;
    Context& context_;
    ExchangePointer exchange_;
    std::shared_ptr<Candidate> candidate_ = std::make_shared<Candidate>();
    std::shared_ptr<Decision> decision_ = std::make_shared<Decision>();
    bool stores_ = true;
    bool opened_ = false;
    std::shared_ptr<Inspection> inspection_;
};

asio::awaitable<void> Intake::accept(ExchangePointer exchange) {
    Submission submission(*this, std::move(exchange));
    auto running = submission.run();
    co_await std::move(running);
}

// Before any byte of the body: what makes it useless to send one.
std::optional<boundary::Problem> Intake::Submission::admit() {
    const auto& open = exchange_->request().open_submission();
    Candidate& candidate = *candidate_;
    candidate.caller = exchange_->caller();
    candidate.policies = context_.policies.current();
    candidate.name = open.name();
    candidate.check_only = open.check_only();
    candidate.catalog = candidate.policies->find_catalog(open.catalog());
    if (candidate.catalog == nullptr) {
        return problem("XF-2003");
    }
    if (!candidate.check_only && !is_name(candidate.name)) {
        return problem("XF-1110");
    }
    if (candidate.caller.principal.kind == storage::AccountKind::platform) {
        if (candidate.check_only) {
            return problem("XF-2001");
        }
        candidate.parcel = storage::parse_parcel_name(candidate.name);
        if (!candidate.parcel) {
            return problem("XF-7008");
        }
    } else {
        candidate.unit = candidate.caller.principal.unit;
    }
    if (intake_.under_way_.size() >= context_.config.vault.submissions_max) {
        return problem("XF-6001", {}, 1);
    }
    const auto mine = intake_.per_account_.find(candidate.caller.principal.account);
    if (mine != intake_.per_account_.end() && mine->second >= kPerAccountMax) {
        return problem("XF-6009", {}, 1);
    }
    if (context_.ledger.engine().statistics().disk_free_bytes < context_.config.vault.disk_reserve_bytes) {
        return problem("XF-6002", {}, 60);
    }
    return std::nullopt;
}

asio::awaitable<void> Intake::Submission::run() {
    if (auto refused = admit()) {
        auto answering = answer_refused(std::move(*refused));
        co_await std::move(answering);
        co_return;
    }
    Candidate& candidate = *candidate_;
    candidate.id =
        storage::make_submission_id(context_.clock.now().time_since_epoch().count(), context_.random.array<10>());
    const std::string account = candidate.caller.principal.account;
    struct UnderWay {
        Intake& intake;
        storage::SubmissionId id;
        const std::string& account;
        ~UnderWay() {
            intake.under_way_.erase(id);
            const auto mine = intake.per_account_.find(account);
            if (--mine->second == 0) {
                intake.per_account_.erase(mine);
            }
        }
    };
    intake_.under_way_.insert(candidate.id);
    ++intake_.per_account_[account];
    {
        const UnderWay guard{intake_, candidate.id, account};
        auto working = work();
        co_await std::move(working);
    }
    const bool accepted = decision_->kind == Outcome::CREATED || decision_->kind == Outcome::PENDING;
    if (candidate.staged && !(accepted && decision_->id == candidate.id)) {
        intake_.on_leftovers();
    }
}

// Permission, form and capacity: no body was read. Capacity is no act of the caller's and leaves no leaf.
asio::awaitable<void> Intake::Submission::answer_refused(boundary::Problem what) {
    if (!what.code().starts_with("XF-6")) {
        const bool known = candidate_->catalog != nullptr;
        auto recording = record_refusal(context_, exchange_->caller(),
                                        exchange_->request().open_submission().check_only() ? "check" : "submit",
                                        what.code(), known ? candidate_->catalog->name() : std::string());
        if (const auto recorded = co_await std::move(recording); !recorded) {
            what = problem_of(recorded.error());
        }
    }
    auto answering = answer_problem(exchange_, std::move(what));
    [[maybe_unused]] const auto answered = co_await std::move(answering);
}

Result<bool> Intake::Submission::name_is_taken() const {
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return Result<bool>(boost::system::in_place_error, snapshot.error());
    }
    if (candidate_->parcel) {
        const auto taken = storage::find_incoming(**snapshot, *candidate_->parcel);
        return taken ? Result<bool>(taken->has_value()) : Result<bool>(boost::system::in_place_error, taken.error());
    }
    const auto taken = storage::find_name(**snapshot, context_.keys.index(), candidate_->unit,
                                          candidate_->catalog->name(), candidate_->name);
    return taken ? Result<bool>(taken->has_value()) : Result<bool>(boost::system::in_place_error, taken.error());
}

asio::awaitable<void> Intake::Submission::work() {
    std::optional<boundary::Problem> trouble;
    if (candidate_->check_only) {
        stores_ = false;
    } else if (const auto taken = name_is_taken(); !taken) {
        trouble = problem_of(taken.error());
    } else {
        stores_ = !*taken;  // then the answer is a repetition or a conflict, and nothing of it is kept
    }
    for (int attempt = 1; !trouble; ++attempt) {
        // What an earlier attempt filled in does not count: a body that is here is small and nothing was staged.
        auto fresh = std::make_shared<Candidate>();
        fresh->id = candidate_->id;
        fresh->caller = candidate_->caller;
        fresh->policies = candidate_->policies;
        fresh->catalog = candidate_->catalog;
        fresh->name = candidate_->name;
        fresh->unit = candidate_->unit;
        fresh->check_only = candidate_->check_only;
        fresh->parcel = candidate_->parcel;
        candidate_ = std::move(fresh);

        SubmissionUnderWay under_way(context_, candidate_, context_.random.secret(crypto::kSealKeySizeBytes), stores_);
        auto inspecting = inspect(under_way);
        trouble = co_await std::move(inspecting);
        if (!trouble) {
            auto concluding = conclude(under_way);
            trouble = co_await std::move(concluding);
        }
        if (!trouble) {
            auto committing = commit(under_way);
            trouble = co_await std::move(committing);
            if (!trouble) {
                auto answering = answer();
                co_await std::move(answering);
                co_return;
            }
        }
        auto discarding = under_way.finish_body(false);
        [[maybe_unused]] const auto discarded = co_await std::move(discarding);
        if (trouble->code() == "XF-6006" && !opened_ && attempt < kAttemptsMax) {
            trouble.reset();
            continue;
        }
        break;
    }
    if (opened_) {
        exchange_->stop_waiting();
    }
    auto answering = answer_problem(exchange_, std::move(*trouble));
    [[maybe_unused]] const auto answered = co_await std::move(answering);
}

// Sends the body through an inspector. Absent: there is a verdict, and it fits what was told.
asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::inspect(SubmissionUnderWay& under_way) {
    using Trouble = std::optional<boundary::Problem>;
    const auto& open = exchange_->request().open_submission();
    auto taking = context_.inspectors.take(candidate_->caller.principal.account, candidate_->policies);
    auto lease = co_await std::move(taking);
    if (!lease) {
        co_return lease.error() == storage::Errc::busy ? Trouble{problem("XF-6001", {}, 1)}
                                                       : Trouble{problem("XF-6003", {}, 1)};
    }
    boundary::Inspect order;
    order.set_catalog(candidate_->catalog->name());
    order.set_parcel(candidate_->parcel.has_value());
    order.set_today(today_in_shanghai(context_.clock.now()));
    inspection_ = std::make_shared<Inspection>(context_.io, lease->channel(), under_way.tracker(), under_way);

    InspectionEnd end{};
    if (open.has_body()) {
        order.set_body(open.body());
        auto running = inspection_->run_whole(std::move(order));
        end = co_await std::move(running);
    } else {
        auto pair = boundary::make_stream_pair();
        if (!pair) {
            lease->drop();
            co_return Trouble{problem_of(pair.error())};
        }
        boundary::GatewayReply reply;
        reply.mutable_opened();
        reply.set_more(true);  // the outcome follows
        opened_ = true;
        auto opening = exchange_->reply(std::move(reply), std::move(pair->second));
        if (const auto told = co_await std::move(opening); !told) {
            lease->drop();
            co_return Trouble{problem("XF-6004")};
        }
        Inspection::Finish finish = [exchange = exchange_]() { return exchange->finish(); };
        std::function<void()> stop_waiting = [exchange = exchange_]() { exchange->stop_waiting(); };
        auto running = inspection_->run_stream(std::move(order), std::move(pair->first), std::move(finish),
                                               std::move(stop_waiting));
        end = co_await std::move(running);
    }
    switch (end) {
        case InspectionEnd::verdict: break;
        case InspectionEnd::client_gone: lease->drop(); co_return Trouble{problem("XF-6004")};
        case InspectionEnd::storage_failed: lease->drop(); co_return Trouble{problem_of(inspection_->error())};
        case InspectionEnd::inspector_gone: {
            lease->crash();
            auto recording =
                record_refusal(context_, candidate_->caller, "inspect", "XF-6006", candidate_->catalog->name());
            [[maybe_unused]] const auto recorded = co_await std::move(recording);
            co_return Trouble{problem("XF-6006")};
        }
        case InspectionEnd::inspector_wrong: {
            lease->crash();
            auto disordered = disorder();
            co_return co_await std::move(disordered);
        }
    }
    const bool to_the_end = inspection_->read_to_the_end();
    if (!under_way.settle(inspection_->verdict(), to_the_end)) {
        lease->crash();
        auto disordered = disorder();
        co_return co_await std::move(disordered);
    }
    if (to_the_end || !opened_) {
        lease->keep();
    } else {
        lease->drop();  // bytes of this body may still be on their way to it
    }
    co_return Trouble{};
}

// An inspector said what cannot be: audited, and nothing of what it said is believed.
asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::disorder() {
    auto recording =
        record_refusal(context_, candidate_->caller, "boundary_fault", "XF-9002", candidate_->catalog->name());
    [[maybe_unused]] const auto recorded = co_await std::move(recording);
    co_return std::optional<boundary::Problem>{problem("XF-9002")};
}

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
    const bool acceptable =
        !candidate.problem && stores_ && (candidate.defects_total == 0 || candidate.catalog->accept_valid());
    if (acceptable) {
        const auto wrapped = under_way.wrapped_key(candidate.unit);
        if (!wrapped) {
            co_return std::optional<boundary::Problem>{problem_of(wrapped.error())};
        }
        candidate.wrapped_key = *wrapped;
    }
    auto finishing = under_way.finish_body(acceptable);
    if (const auto finished = co_await std::move(finishing); !finished) {
        co_return std::optional<boundary::Problem>{problem_of(finished.error())};
    }
    co_return std::optional<boundary::Problem>{};
}

asio::awaitable<Result<SignerVerdict>> Intake::Submission::check_signer(unsigned layer, std::optional<Bytes> digest,
                                                                        std::string embedded_unit,
                                                                        crypto::UtcSeconds time) {
    std::function<Result<SignerVerdict>()> work = [this, layer, digest = std::move(digest),
                                                   embedded_unit = std::move(embedded_unit),
                                                   time]() -> Result<SignerVerdict> {
        const boundary::SignerFound& found = *inspection_->signer(layer);
        if (!embedded_unit.empty()) {
            return check_embedded_signer(embedded_unit, found, digest, intake_.certificates_.anchors,
                                         intake_.revocations_, time);
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
    candidate.original_offset = 0;
    candidate.original_length = candidate.body_length;
    candidate.original_digest = candidate.body_digest;
    candidate.original_state = under_way.body_state();
    co_return Trouble{};
}

asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::conclude_parcel(SubmissionUnderWay& under_way) {
    using Trouble = std::optional<boundary::Problem>;
    Candidate& candidate = *candidate_;
    const auto& outer = inspection_->signer(0);
    const auto& inner = inspection_->signer(1);
    const auto& verdict = inspection_->verdict();
    if (candidate.problem) {
        candidate.problem = inside_original(*candidate.problem);
        co_return Trouble{};
    }
    auto& tracker = under_way.tracker();
    const auto split = !outer || !inner ? Result<void>(boundary::Errc::unexpected)
                                        : tracker.split(inner->original_offset(), inner->original_length(),
                                                        as_bytes(verdict.manifest()));
    if (!split) {
        auto disordered = disorder();
        co_return co_await std::move(disordered);
    }
    // The inspector's reading of the manifest is only taken when it leads back to the signed bytes.
    const auto& manifest = verdict.parsed_manifest();
    if (!is_plain(manifest) || encode_manifest(manifest) != verdict.manifest()) {
        candidate.problem = problem("XF-7003", {"form"});
        co_return Trouble{};
    }
    auto checking_node = check_signer(0, tracker.digest_of(0, outer->digest_algorithm()), {}, {});
    const auto node = co_await std::move(checking_node);
    if (!node) {
        co_return Trouble{problem_of(node.error())};
    }
    if (node->problem) {
        candidate.problem = *node->problem;
        co_return Trouble{};
    }
    candidate.original_offset = inner->original_offset();
    candidate.original_length = inner->original_length();
    candidate.original_state = tracker.original_state();
    crypto::Sha256 original = candidate.original_state;
    candidate.original_digest = original.finish();
    const crypto::Digest content_digest = tracker.content_digest();
    if (auto differs = compare_manifest(manifest, candidate, under_way.unit(), content_digest)) {
        candidate.problem = std::move(*differs);
        co_return Trouble{};
    }
    // A certificate that was valid when the node took the file over stays good for it, however long the link was
    // down. The node says when that was, never later than now.
    const auto now = std::chrono::floor<std::chrono::seconds>(context_.clock.now());
    const auto signed_at = node->signing_time ? std::min(*node->signing_time, now) : now;
    auto checking_unit = check_signer(1, tracker.digest_of(1, inner->digest_algorithm()), manifest.unit(), signed_at);
    const auto unit = co_await std::move(checking_unit);
    if (!unit) {
        co_return Trouble{problem_of(unit.error())};
    }
    if (unit->problem) {
        candidate.problem = inside_original(*unit->problem);
        co_return Trouble{};
    }
    candidate.content_digest = content_digest;
    candidate.certificate = unit->certificate;
    candidate.unit = manifest.unit();
    candidate.manifest = manifest;
    co_return Trouble{};
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
    auto executing = execute(context_, std::move(apply), size_bytes);
    const auto committed = co_await std::move(executing);
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

asio::awaitable<void> Intake::Submission::answer() {
    if (opened_) {
        exchange_->stop_waiting();
    }
    const Decision& decision = *decision_;
    const std::string labels = "{catalog=\"" + (candidate_->catalog ? candidate_->catalog->name() : std::string()) +
                               "\",result=\"" + std::string(result_name(decision.kind)) + "\"}";
    context_.metrics.add("xinfu_submissions_total" + labels);
    context_.metrics.add("xinfu_submission_body_bytes_total" + labels, static_cast<double>(candidate_->body_length));
    context_.metrics.add("xinfu_submission_records_total" + labels, static_cast<double>(decision.counts.records()));
    boundary::GatewayReply reply;
    auto& outcome = *reply.mutable_outcome();
    outcome.set_kind(decision.kind);
    if (decision.id && !candidate_->check_only) {
        outcome.set_id(storage::to_text(*decision.id));
    }
    if (decision.leaf) {
        auto receipt = newest_receipt(context_.ledger, *decision.leaf);
        if (!receipt) {
            auto answering = answer_problem(exchange_, problem_of(receipt.error()));
            [[maybe_unused]] const auto answered = co_await std::move(answering);
            co_return;
        }
        outcome.set_receipt(std::move(*receipt));
    }
    if (decision.problem) {
        *outcome.mutable_problem() = *decision.problem;
    }
    *outcome.mutable_counts() = decision.counts;
    outcome.set_defects_total(decision.defects_total);
    outcome.set_warnings_total(decision.warnings_total);
    const std::size_t told = std::min(decision.defects.size(), kDefectsToldMax);
    reply.set_more(told > 0);
    auto sending = exchange_->reply(std::move(reply), boundary::Descriptor{});
    if (const auto sent = co_await std::move(sending); !sent) {
        co_return;
    }
    for (std::size_t at = 0; at < told;) {
        boundary::GatewayReply part;
        auto& list = *part.mutable_defects();
        for (std::size_t size = 0; at < told && size < kDefectsPartSizeBytes; ++at) {
            *list.add_defects() = decision.defects[at];
            size += decision.defects[at].ByteSizeLong();
        }
        part.set_more(at < told);
        auto sending_part = exchange_->reply(std::move(part), boundary::Descriptor{});
        if (const auto sent = co_await std::move(sending_part); !sent) {
            co_return;
        }
    }
}

}  // namespace xinfu::vault
