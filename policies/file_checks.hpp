// FileChecks: the catalog's checks that compare the records of one file with each other: what is determined by
// another field, such as a name by its code, is the same throughout the file.
//
// A file may have any number of records, so what is remembered is bounded: digests of values, in sets of kSetSize, at
// most kValuesMax of them (8 MiB, and half of that more while the table grows). Nothing is forgotten before that
// many are there, or a set is full at that size: from some ninety thousand different values on a few, the ones in
// their set that were not met for longest. A difference may then go unnoticed; none is ever invented, but for two
// codes in 2^64 with one digest.
//
// Threads: one strand.
// Trust:   hostile values. One who makes codes with one digest only harms what is said of his own file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "policies/catalog.hpp"

namespace xinfu::policies {

class FileChecks {
public:
    static constexpr std::size_t kValuesMax = 1u << 19;

    // Compares a record that check_record() made with the earlier ones, adds what it finds, and remembers the record.
    // `line`: of the file, ascending. Of `catalog` the same in every call. Same calls: same findings.
    void compare(const Catalog& catalog, std::uint64_t line, CheckedRecord& checked);

private:
    static constexpr std::size_t kSetSize = 8;

    struct Remembered {
        std::uint64_t key = 0;         // digest of check and determining values; 0: no value
        std::uint64_t value_line = 0;  // 24 bits of the value's digest, 40 bits of the line
    };

    // Of the value without blanks and width; once for each field of a record.
    std::uint64_t digest(const CheckedRecord& checked, std::size_t field);
    // The line on which `key` had another value; 0: none. The latest value and line are kept.
    std::uint64_t exchange(std::uint64_t key, std::uint64_t value, std::uint64_t line);
    Remembered* set_of(std::uint64_t key) { return &table_[(key % (table_.size() / kSetSize)) * kSetSize]; }
    void grow();

    std::vector<std::pair<std::size_t, std::uint64_t>> digests_;  // of this record, by field
    std::vector<Remembered> table_;  // a power of two; each set begins with what was met last
};

}  // namespace xinfu::policies
