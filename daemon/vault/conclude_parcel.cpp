#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crypto/canonical_json.hpp"
#include "daemon/boundary/error.hpp"
#include "daemon/vault/parcel_builder.hpp"
#include "daemon/vault/submission_intake.hpp"

namespace xinfu::vault {
namespace {

// What is wrong inside a parcel's original, told to the node that sent it. The envelope is that node's own work.
boundary::Problem inside_original(const boundary::Problem& what) {
    const auto& code = what.code();
    const bool shell = code == "XF-3028" || (code >= "XF-3040" && code <= "XF-3069");
    return shell || code.starts_with("XF-7") ? what : problem("XF-7006", {code});
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
           manifest.received_day() <= kIntegerMax && counts.records() <= kIntegerMax &&
           counts.stored() <= kIntegerMax && counts.duplicate() <= kIntegerMax && counts.defective() <= kIntegerMax &&
           counts.warned() <= kIntegerMax && is_submission_name(manifest.name()) &&
           manifest.origin_digest().size() == 64 && from_hex(manifest.origin_digest()).has_value() &&
           storage::submission_id_from_text(manifest.submission()).has_value() && manifest.unit().size() <= 32 &&
           crypto::is_utf8(manifest.unit()) && manifest.catalog().size() <= 64 && crypto::is_utf8(manifest.catalog()) &&
           manifest.catalog_version().size() <= 64 && crypto::is_utf8(manifest.catalog_version());
}

}  // namespace

asio::awaitable<std::optional<boundary::Problem>> Intake::Submission::conclude_parcel(SubmissionUnderWay& under_way) {
    using Trouble = std::optional<boundary::Problem>;
    Candidate& candidate = *candidate_;
    const auto& outer = inspection_->signer(0);
    const auto& inner = inspection_->signer(1);
    const auto& verdict = inspection_->verdict();
    // A node that opens envelopes takes nothing from other nodes that came without one: whoever carried it has read it.
    if (!candidate.enveloped && !context_.keys.envelopes().empty()) {
        candidate.problem = problem("XF-7019");
        co_return Trouble{};
    }
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
    candidate.certificate_left_out = unit->certificate_left_out;
    candidate.unit = manifest.unit();
    candidate.manifest = manifest;
    co_return Trouble{};
}

}  // namespace xinfu::vault
