// StagedIndex: the claims and subject entries of a big file, made when all its records are staged. Their keys are
// digests: put one by one as records come, each would change a page of its own, and that page would be written for one
// row. Here they are sorted first and put in the order of their keys, so that a page is written once for a file.
//
// Until then nobody sees what the file claims. What others commit meanwhile is found when its own claims are put, and
// what they commit afterwards by the notes of clashes, as with every staged file (claims.hpp).
//
// Threads: add() and spill() where the file is read; write() on the vault's `io`.
// Errors:  storage::Errc. What was put stays invisible, and the sweep finds it by the file's blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "daemon/vault/claims.hpp"
#include "daemon/vault/commit_submission.hpp"
#include "daemon/vault/context.hpp"
#include "storage/external_sort.hpp"

namespace xinfu::vault {

class StagedIndex {
public:
    explicit StagedIndex(Context& context);

    void add(const PreparedRecord& record, std::uint32_t slot);
    // Whether spill() is due: writes what is held to a scratch file. Some milliseconds of work.
    bool full() const { return claims_.full(); }
    Result<void> spill();

    struct Findings {
        std::uint64_t duplicates = 0;
        std::uint64_t defective = 0;
        TermCounts terms;                       // the candidate's, without those of records that were taken back
        std::vector<boundary::Defect> defects;  // those of the first lines, at most kDefectsKeptMax; in no order
    };
    // Once, after all records of the candidate are staged. Records that are not fresh are taken back.
    asio::awaitable<Result<Findings>> write(std::shared_ptr<const Candidate> candidate);

private:
    struct SubjectEntry {
        crypto::Digest subject{};
        std::uint32_t slot = 0;
        bool operator<(const SubjectEntry& other) const;
    };
    template <class Row>
    asio::awaitable<Result<void>> sort(storage::ExternalSort<Row>& rows);
    template <class Row>
    Result<std::shared_ptr<std::vector<Row>>> next_part(storage::ExternalSort<Row>& rows, storage::Table table);
    asio::awaitable<Result<void>> write_claims(std::shared_ptr<const Candidate> candidate);
    asio::awaitable<Result<void>> write_subjects(std::shared_ptr<const Candidate> candidate);
    asio::awaitable<Result<void>> take_back(std::shared_ptr<const Candidate> candidate);
    void keep(const std::vector<StagedClaim>& claims, const Judged& judged);

    bool is_taken_back(std::uint32_t slot) const;

    Context& context_;
    storage::ExternalSort<StagedClaim> claims_;
    storage::ExternalSort<SubjectEntry> subjects_;
    std::vector<std::uint64_t> taken_back_;  // a bit for each slot; empty while there is none
    Findings findings_;
};

}  // namespace xinfu::vault
