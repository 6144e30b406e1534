// Submissions: what was handed in, under which name, and what was found wrong with it.
//
// A submission's rows may exist before its row in Table::submissions does: records of a big file are staged in
// earlier transactions. They count only once that row is there; what a crash left behind is named by
// Table::staged and swept.
//
// Format:  docs/FORMATS.md, section on rows; storage/submission_rows.proto.
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine; `corrupt` for a row that does not parse.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"
#include "storage/engine.hpp"
#include "storage/submission_rows.pb.h"

namespace xinfu::storage {

// 48 bits of milliseconds, then 80 random bits: neighbours in time are neighbours in the store.
using SubmissionId = std::array<std::uint8_t, 16>;

SubmissionId make_submission_id(std::int64_t time_ms, const std::array<std::uint8_t, 10>& random);
std::string to_text(const SubmissionId& id);  // 32 lower-case hexadecimal digits
std::optional<SubmissionId> submission_id_from_text(std::string_view text);
std::optional<SubmissionId> submission_id_from_bytes(ByteView bytes);

Result<std::optional<rows::Submission>> find_submission(const ReadTransaction& transaction, const SubmissionId& id);
Result<void> put_submission(WriteTransaction& transaction, const SubmissionId& id, const rows::Submission& row);

struct IdentifiedSubmission {
    SubmissionId id{};
    rows::Submission row;
};
// The first from this id on, in order; an empty optional: there is none.
Result<std::optional<IdentifiedSubmission>> first_submission(const ReadTransaction& transaction,
                                                             const SubmissionId& from);
// To the next id in order; false: that was the last there can be.
bool advance(SubmissionId& id);

// Whether records of this submission count: it is accepted or withdrawn.
bool claims_count(const rows::Submission& row);
// "pending", "accepted", "refused", "withdrawn".
std::string_view to_text(rows::Submission::State state);

// A name is taken by a pending, accepted or withdrawn submission of (unit, catalog). File names may name
// persons, so the key is a keyed digest.
Result<std::optional<SubmissionId>> find_name(const ReadTransaction& transaction, ByteView index_key,
                                              std::string_view unit, std::string_view catalog, std::string_view name);
Result<void> put_name(WriteTransaction& transaction, ByteView index_key, std::string_view unit,
                      std::string_view catalog, std::string_view name, const SubmissionId& id);
Result<void> erase_name(WriteTransaction& transaction, ByteView index_key, std::string_view unit,
                        std::string_view catalog, std::string_view name);

// At upper levels: which submission here carries the one that the first node calls `origin`. The first to say so keeps
// it; a unit names only its own.
Result<std::optional<SubmissionId>> find_origin(const ReadTransaction& transaction, ByteView index_key,
                                                std::string_view unit, std::string_view catalog,
                                                const SubmissionId& origin);
Result<void> put_origin(WriteTransaction& transaction, ByteView index_key, std::string_view unit,
                        std::string_view catalog, const SubmissionId& origin, const SubmissionId& id);

// A refusal is repeated for the same content of the same account under the same name and catalog version.
struct RefusedContent {
    std::string_view unit;
    std::string_view catalog;
    std::string_view catalog_version;
    std::string_view name;
    std::string_view account;
    ByteView content_digest;
};
Result<std::optional<SubmissionId>> find_refusal(const ReadTransaction& transaction, ByteView index_key,
                                                 const RefusedContent& content);
Result<void> put_refusal(WriteTransaction& transaction, ByteView index_key, const RefusedContent& content,
                         const SubmissionId& id);

inline constexpr std::size_t kDefectsPerPart = 256;
Result<void> put_defect_part(WriteTransaction& transaction, const SubmissionId& id, std::uint32_t part,
                             const rows::DefectPart& defects);
// In the order in which they were found, part by part; false stops.
Result<void> visit_defects(const ReadTransaction& transaction, const SubmissionId& id,
                           const std::function<bool(const rows::Defect&)>& visitor);

// Feed positions: `count` of them, gap-free per catalog, from 1. Answers the first.
Result<std::uint64_t> append_feed(WriteTransaction& transaction, std::string_view catalog, const SubmissionId& id,
                                  std::uint64_t count);

// Staging: written with a submission's first early row, erased with its commit or at the end of its sweep.
Result<void> put_staging(WriteTransaction& transaction, const SubmissionId& id, const rows::Staging& staging);
Result<std::optional<rows::Staging>> find_staging(const ReadTransaction& transaction, const SubmissionId& id);
Result<void> erase_staging(WriteTransaction& transaction, const SubmissionId& id);
// Ids with anything in Table::staged, ascending from `from` on, at most `max`.
Result<std::vector<SubmissionId>> staged_submissions(const ReadTransaction& transaction, const SubmissionId& from,
                                                     std::size_t max);

// Objects that committed rows name.
Result<void> put_object(WriteTransaction& transaction, ByteView object_id, const rows::Object& row);
Result<void> erase_object(WriteTransaction& transaction, ByteView object_id);
Result<bool> object_is_named(const ReadTransaction& transaction, ByteView object_id);

}  // namespace xinfu::storage
