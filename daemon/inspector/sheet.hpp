// Sheet: the rows of one file against one catalog: the header says which column is which field, every further
// row is checked and told to the vault.
//
// Threads: one strand.
// Trust:   rows are hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/inspector/outbox.hpp"
#include "daemon/inspector/row_reader.hpp"
#include "policies/catalog.hpp"
#include "policies/working_days.hpp"

namespace xinfu::inspector {

class Sheet {
public:
    static constexpr std::size_t kColumnsMax = 256;
    static constexpr std::size_t kRecordSizeBytesMax = 240 * 1024;  // what the vault takes, with room for its own

    Sheet(const policies::Catalog& catalog, const policies::WorkingDays& calendar, policies::Day today, Outbox& outbox)
        : catalog_(catalog), calendar_(calendar), today_(today), outbox_(outbox) {}

    std::optional<Refusal> take(const Row& row);
    // After the last row. Errors: no header, no record.
    std::optional<Refusal> finish() const;

    std::uint64_t records() const { return records_; }
    std::uint64_t defective() const { return defective_; }
    std::uint64_t warned() const { return warned_; }

private:
    std::optional<Refusal> take_header(const Row& row);
    void take_record(const Row& row);

    const policies::Catalog& catalog_;
    const policies::WorkingDays& calendar_;
    policies::Day today_;
    Outbox& outbox_;
    std::vector<std::size_t> columns_;  // field of each column; empty: no header yet
    std::vector<std::string_view> by_field_;
    policies::CheckedRecord checked_;
    std::uint64_t records_ = 0;
    std::uint64_t defective_ = 0;
    std::uint64_t warned_ = 0;
};

}  // namespace xinfu::inspector
