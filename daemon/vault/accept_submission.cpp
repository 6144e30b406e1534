#include "daemon/vault/accept_submission.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/config/config.hpp"
#include "daemon/vault/active_policies.hpp"
#include "daemon/vault/backlog.hpp"
#include "daemon/vault/counted_leaves.hpp"
#include "daemon/vault/inspector_pool.hpp"
#include "daemon/vault/metrics.hpp"
#include "daemon/vault/receipt.hpp"
#include "daemon/vault/submission_intake.hpp"
#include "storage/error.hpp"

namespace xinfu::vault {
namespace {

using Outcome = boundary::SubmissionOutcome;

constexpr std::size_t kDefectsToldMax = 1000;  // the rest is read with .../defects
constexpr std::size_t kDefectsPartSizeBytes = 40 * 1024;
constexpr int kAttemptsMax = 2;  // of a body that is here, when an inspector dies

std::string_view result_name(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::CREATED: return "accepted";
        case Outcome::REPEATED: return "repeated";
        case Outcome::PENDING: return "pending";
        case Outcome::CHECKED: return "checked";
        default: return "refused";
    }
}

}  // namespace

bool is_submission_name(std::string_view name) {
    if (name.empty() || name.size() > kSubmissionNameSizeBytesMax || !crypto::is_utf8(name)) {
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
    // At upper levels the first node's day decided already.
    const bool relayed = candidate.caller.principal.kind == storage::AccountKind::platform;
    candidate.today = day_in_shanghai(context_.clock.now());
    candidate.versions =
        candidate.policies->versions(open.catalog(), relayed ? std::nullopt : std::optional(candidate.today));
    if (candidate.versions.empty()) {
        return problem("XF-5030");
    }
    candidate.catalog = candidate.versions.front();
    if (!candidate.check_only && !is_submission_name(candidate.name)) {
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
    if (context_.ledger.engine().disk_free_bytes() < context_.config.vault.disk_reserve_bytes) {
        return problem("XF-6002", {}, 60);
    }
    return too_much_waits();
}

// Known before the body comes only of what would surely be refused for it at the commit: checks and files that wait
// for an approval make no parcel, and a name that is taken is a repetition or a conflict.
std::optional<boundary::Problem> Intake::Submission::too_much_waits() const {
    const Candidate& candidate = *candidate_;
    if (candidate.check_only ||
        std::ranges::all_of(candidate.versions, [](const auto* version) { return waits_for_approval(*version); })) {
        return std::nullopt;
    }
    const auto snapshot = context_.ledger.engine().snapshot();
    auto refusal =
        snapshot ? backlog_refusal(context_, **snapshot) : Result<std::optional<boundary::Problem>>(snapshot.error());
    if (!refusal) {
        return problem_of(refusal.error());
    }
    if (*refusal) {
        const auto taken = name_is_taken();
        if (!taken) {
            return problem_of(taken.error());
        }
        if (*taken) {
            return std::nullopt;
        }
    }
    return std::move(*refusal);
}

asio::awaitable<void> Intake::Submission::run() {
    if (auto refused = admit()) {
        auto answering = answer_refused(std::move(*refused));
        co_await std::move(answering);
        co_return;
    }
    // Not kept by reference: each attempt of work() has a candidate of its own.
    const auto id =
        storage::make_submission_id(context_.clock.now().time_since_epoch().count(), context_.random.array<10>());
    candidate_->id = id;
    const std::string account = candidate_->caller.principal.account;
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
    intake_.under_way_.insert(id);
    ++intake_.per_account_[account];
    {
        const UnderWay guard{intake_, id, account};
        auto working = work();
        co_await std::move(working);
    }
    const bool accepted = decision_->kind == Outcome::CREATED || decision_->kind == Outcome::PENDING;
    if (candidate_->staged && !(accepted && decision_->id == id)) {
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
        fresh->versions = candidate_->versions;
        fresh->catalog = candidate_->versions.front();
        fresh->name = candidate_->name;
        fresh->unit = candidate_->unit;
        fresh->check_only = candidate_->check_only;
        fresh->today = candidate_->today;
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
    for (const auto* version : candidate_->versions) {
        order.add_catalog_versions(version->version());
    }
    order.set_parcel(candidate_->parcel.has_value());
    order.set_plain(candidate_->check_only);
    order.set_today(static_cast<std::int32_t>(candidate_->today));
    inspection_ = std::make_shared<Inspection>(context_.io, lease->channel(), lease->replies(), under_way.tracker(),
                                               under_way, context_.inspectors.limits().silence_max);

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
    auto settling = under_way.settle_staging();
    if (const auto staged = co_await std::move(settling);
        !staged && (end == InspectionEnd::verdict || end == InspectionEnd::refused)) {
        lease->drop();
        co_return Trouble{problem_of(staged.error())};
    }
    switch (end) {
        case InspectionEnd::verdict: break;
        case InspectionEnd::refused: break;
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
    if (end == InspectionEnd::verdict) {
        lease->keep();
    } else {
        lease->drop();  // it is in the midst of this body
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
