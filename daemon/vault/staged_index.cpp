#include "daemon/vault/staged_index.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "daemon/vault/keys.hpp"
#include "storage/object_store.hpp"

namespace xinfu::vault {
namespace {

constexpr std::size_t kHeldMax = 16384;  // rows of each kind in memory: 1.9 MiB
// Pages that one operation may change: 16 MiB in memory until its commit. Rows of the two tables are about so many a
// page, and a new page begins half full.
constexpr std::uint64_t kPagesMax = 4096;
constexpr std::uint64_t kRowsPerPage = 20;
constexpr std::uint64_t kRowsMax = 16384;   // other operations wait for one such part
constexpr std::size_t kRowSizeBytes = 256;  // in the store, roughly
constexpr std::uint64_t kBlocksMax = 64;
constexpr std::size_t kBlockSizeBytes = 64 * 1024;

auto create_scratch(Context& context) {
    return [&objects = context.objects]() { return objects.create_scratch(); };
}

bool earlier(const boundary::Defect& a, const boundary::Defect& b) {
    return a.line() < b.line();
}

}  // namespace

bool StagedIndex::SubjectEntry::operator<(const SubjectEntry& other) const {
    const int order = std::memcmp(subject.data(), other.subject.data(), subject.size());
    return order < 0 || (order == 0 && slot < other.slot);
}

StagedIndex::StagedIndex(Context& context)
    : context_(context), claims_(create_scratch(context), kHeldMax), subjects_(create_scratch(context), kHeldMax) {}

void StagedIndex::add(const PreparedRecord& record, std::uint32_t slot) {
    claims_.add({record.identity, record.digest, record.line, slot});
    subjects_.add({record.subject_key, slot});
}

Result<void> StagedIndex::spill() {
    const auto spilled = claims_.spill();
    return spilled ? subjects_.spill() : spilled;
}

asio::awaitable<Result<StagedIndex::Findings>> StagedIndex::write(std::shared_ptr<const Candidate> candidate) {
    auto claiming = write_claims(candidate);
    if (const auto written = co_await std::move(claiming); !written) {
        co_return written.error();
    }
    auto entering = write_subjects(candidate);
    if (const auto written = co_await std::move(entering); !written) {
        co_return written.error();
    }
    findings_.terms = candidate->staged_terms;
    auto taking_back = take_back(candidate);
    if (const auto taken = co_await std::move(taking_back); !taken) {
        co_return taken.error();
    }
    co_return std::move(findings_);
}

template <class Row>
asio::awaitable<Result<void>> StagedIndex::sort(storage::ExternalSort<Row>& rows) {
    std::function<Result<void>()> work = [&rows]() { return rows.finish(); };
    auto sorting = run_on_worker<Result<void>>(context_, std::move(work));
    co_return co_await std::move(sorting);
}

// As many rows as change about kPagesMax pages. Keys are spread evenly, so a part of the rows falls on the same part of
// the table's pages: where the table is large each row has a page of its own, where it is small they share.
template <class Row>
Result<std::shared_ptr<std::vector<Row>>> StagedIndex::next_part(storage::ExternalSort<Row>& rows,
                                                                 storage::Table table) {
    const auto snapshot = context_.ledger.engine().snapshot();
    if (!snapshot) {
        return snapshot.error();
    }
    const auto entries = (*snapshot)->count(table);
    if (!entries) {
        return entries.error();
    }
    const std::uint64_t pages = std::min(rows.size(), *entries / kRowsPerPage) + rows.size() / kRowsPerPage + 1;
    const std::uint64_t wanted = std::min(kRowsMax, kPagesMax * std::max<std::uint64_t>(rows.size() / pages, 1));
    auto part = std::make_shared<std::vector<Row>>();
    part->reserve(static_cast<std::size_t>(std::min(wanted, rows.size())));
    while (part->size() < wanted) {
        Row row;
        const auto more = rows.next(row);
        if (!more) {
            return more.error();
        }
        if (!*more) {
            break;
        }
        part->push_back(row);
    }
    return part;
}

asio::awaitable<Result<void>> StagedIndex::write_claims(std::shared_ptr<const Candidate> candidate) {
    auto sorting = sort(claims_);
    if (const auto sorted = co_await std::move(sorting); !sorted) {
        co_return sorted.error();
    }
    for (;;) {
        const auto part = next_part(claims_, storage::Table::identity_claims);
        if (!part || (*part)->empty()) {
            co_return part ? Result<void>{} : Result<void>{part.error()};
        }
        auto judged = std::make_shared<Judged>();
        std::function<Result<void>(storage::Batch&)> apply = [judged, candidate,
                                                              claims = *part](storage::Batch& batch) -> Result<void> {
            auto put = put_staged_claims(batch.transaction(), *candidate->sealer, candidate->id, *claims);
            if (!put) {
                return put.error();
            }
            *judged = std::move(*put);
            return {};
        };
        auto executing = execute(context_, std::move(apply), (*part)->size() * kRowSizeBytes);
        if (const auto done = co_await std::move(executing); !done) {
            co_return done.error();
        }
        keep(**part, *judged);
    }
}

void StagedIndex::keep(const std::vector<StagedClaim>& claims, const Judged& judged) {
    if (judged.fresh == claims.size()) {
        return;
    }
    for (std::size_t i = 0; i < claims.size(); ++i) {
        if (judged.fates[i] != Fate::fresh) {
            const std::size_t word = claims[i].slot / 64;
            taken_back_.resize(std::max(taken_back_.size(), word + 1));
            taken_back_[word] |= std::uint64_t{1} << claims[i].slot % 64;
        }
    }
    findings_.duplicates += judged.duplicates;
    auto& defects = findings_.defects;
    const std::size_t before = defects.size();
    append_defects(judged, claims, defects);
    findings_.defective += defects.size() - before;
    if (defects.size() > kDefectsKeptMax) {
        std::ranges::nth_element(defects, defects.begin() + kDefectsKeptMax, earlier);
        defects.resize(kDefectsKeptMax);
    }
}

bool StagedIndex::is_taken_back(std::uint32_t slot) const {
    return slot / 64 < taken_back_.size() && (taken_back_[slot / 64] >> slot % 64 & 1) != 0;
}

asio::awaitable<Result<void>> StagedIndex::write_subjects(std::shared_ptr<const Candidate> candidate) {
    auto sorting = sort(subjects_);
    if (const auto sorted = co_await std::move(sorting); !sorted) {
        co_return sorted.error();
    }
    for (;;) {
        const auto part = next_part(subjects_, storage::Table::subject_index);
        if (!part || (*part)->empty()) {
            co_return part ? Result<void>{} : Result<void>{part.error()};
        }
        std::erase_if(**part, [this](const SubjectEntry& entry) { return is_taken_back(entry.slot); });
        std::function<Result<void>(storage::Batch&)> apply = [candidate,
                                                              entries = *part](storage::Batch& batch) -> Result<void> {
            for (const auto& entry : *entries) {
                const auto put =
                    storage::put_subject_entry(batch.transaction(), entry.subject, {candidate->id, entry.slot});
                if (!put) {
                    return put.error();
                }
            }
            return {};
        };
        auto executing = execute(context_, std::move(apply), (*part)->size() * kRowSizeBytes);
        if (const auto done = co_await std::move(executing); !done) {
            co_return done.error();
        }
    }
}

// Neither claim nor entry was put for these.
asio::awaitable<Result<void>> StagedIndex::take_back(std::shared_ptr<const Candidate> candidate) {
    static_assert(storage::kRecordsPerBlock == 64, "a word of taken_back_ is a block");
    using Blocks = std::vector<std::pair<std::uint32_t, std::vector<std::uint32_t>>>;
    for (std::size_t word = 0; word < taken_back_.size();) {
        auto blocks = std::make_shared<Blocks>();
        for (; word < taken_back_.size() && blocks->size() < kBlocksMax; ++word) {
            if (taken_back_[word] == 0) {
                continue;
            }
            const auto block = static_cast<std::uint32_t>(word);
            std::vector<std::uint32_t> slots;
            for (std::uint32_t position = 0; position < storage::kRecordsPerBlock; ++position) {
                if (const std::uint32_t slot = block * storage::kRecordsPerBlock + position; is_taken_back(slot)) {
                    slots.push_back(slot);
                }
            }
            blocks->emplace_back(block, std::move(slots));
        }
        if (blocks->empty()) {
            break;
        }
        auto left = std::make_shared<TermCounts>();
        std::function<Result<void>(storage::Batch&)> apply = [this, candidate, blocks,
                                                              left](storage::Batch& batch) -> Result<void> {
            *left = findings_.terms;
            for (const auto& [block, slots] : *blocks) {
                const auto dropped =
                    storage::drop_unindexed(batch.transaction(), *candidate->sealer, candidate->id, block, slots);
                if (!dropped) {
                    return dropped.error();
                }
                for (const auto& record : *dropped) {
                    left->remove(record);
                }
            }
            return {};
        };
        auto executing = execute(context_, std::move(apply), blocks->size() * kBlockSizeBytes);
        if (const auto done = co_await std::move(executing); !done) {
            co_return done.error();
        }
        findings_.terms = std::move(*left);
    }
    co_return Result<void>{};
}

}  // namespace xinfu::vault
