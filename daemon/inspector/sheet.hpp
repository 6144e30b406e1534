// Sheet: the rows of one file against one catalog: the header says which column is which field, every further
// row is checked and told to the vault.
//
// Threads: one strand.
// Trust:   rows are hostile.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/inspector/outbox.hpp"
#include "daemon/inspector/packs.hpp"
#include "daemon/inspector/row_reader.hpp"
#include "policies/catalog.hpp"
#include "policies/file_checks.hpp"
#include "policies/quality.hpp"
#include "policies/working_days.hpp"

namespace xinfu::inspector {

// A header cell or a field's name as it may stand in a sentence: short, and without anything a terminal would obey.
std::string shown(std::string_view cell);

// A record that names its fields itself. Views are valid for the call.
struct NamedRow {
    std::uint64_t line = 0;
    std::vector<std::string_view> names;
    std::vector<std::string_view> cells;  // as many
};

class Sheet {
public:
    static constexpr std::size_t kColumnsMax = 256;
    static constexpr std::size_t kRecordSizeBytesMax = 240 * 1024;  // what the vault takes, with room for its own

    // `versions` of the catalog, at least one: the first whose header this is. `relayed`: from another node; whether
    // a report was late was decided on the day that node took it.
    Sheet(std::vector<const policies::Catalog*> versions, const policies::WorkingDays& calendar, policies::Day today,
          bool relayed, Outbox& outbox)
        : versions_(std::move(versions)), calendar_(calendar), today_(today), relayed_(relayed), outbox_(outbox) {}

    // All catalogs of the node, to tell a file that was handed in under the wrong one. Asked for when that is to be
    // told. They outlive the sheet.
    using Catalogs = std::function<const Packs::Catalogs&()>;
    void know(Catalogs catalogs) { catalogs_ = std::move(catalogs); }

    std::optional<Refusal> take(const Row& row);
    // Of one file, either rows or named rows. Names that repeat from record to record are looked up once.
    std::optional<Refusal> take_named(const NamedRow& row);
    // After the last row. Errors: no header, no record.
    std::optional<Refusal> finish() const;

    const policies::Catalog& catalog() const { return *versions_[chosen_]; }
    std::uint64_t records() const { return records_; }
    std::uint64_t defective() const { return defective_; }
    // The version that judged, and how many records and findings there were.
    void tell_counts(boundary::Verdict& verdict) const;

private:
    std::optional<Refusal> take_header(const Row& row);
    std::optional<Refusal> read_headers(const Row& row, std::size_t count);
    std::optional<Refusal> read_header(const Row& row, std::size_t count);
    std::optional<Refusal> other_catalog(const Row& row, std::size_t count) const;
    void forget_header();
    bool is_header_again(const Row& row) const;
    void mark_formulas(const Row& row);
    void take_record(const Row& row);
    void take_operation(const Row& row);
    void forget_lateness();
    bool changes_records() const { return operation_columns_[0] != policies::kNoField; }

    std::vector<const policies::Catalog*> versions_;
    std::size_t chosen_ = 0;
    const policies::WorkingDays& calendar_;
    policies::Day today_;
    bool relayed_;
    Outbox& outbox_;
    Catalogs catalogs_;
    std::vector<std::string> names_;  // of the last named record
    bool named_ = false;
    std::string header_cell_;           // the first one
    std::vector<std::size_t> columns_;  // field of each column, kNoField: an operation's; empty: no header yet
    std::array<std::size_t, 4> operation_columns_{policies::kNoField, policies::kNoField, policies::kNoField,
                                                  policies::kNoField};  // where they are
    std::vector<std::string_view> by_field_;
    policies::CheckedRecord checked_;
    policies::FileChecks file_checks_;
    std::uint64_t records_ = 0;
    std::uint64_t defective_ = 0;
    std::uint64_t warned_ = 0;
    policies::QualityCounts quality_;  // rows that change records are not counted
};

}  // namespace xinfu::inspector
