// Workbook: the first visible worksheet of an XLSX file, as rows of cells. Formulas are not calculated: their stored
// values are taken, and marked. Dates are told by their style.
//
// Sources: ECMA-376 part 1, sections 18.2 (workbook), 18.3 (worksheet), 18.4 (shared strings), 18.8 (styles).
// Threads: one strand.
// Trust:   hostile. The file is held, of kSizeBytesMax, and its shared strings; the sheet is read as it is unpacked.
// Every
//          part has a bound on what it unpacks to. Nothing is opened, whatever the parts' names say.
// Errors:  a Refusal, final.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/inspector/refusal.hpp"
#include "daemon/inspector/row_reader.hpp"
#include "daemon/inspector/zip_archive.hpp"

namespace xinfu::inspector {

// What a workbook says besides its sheet.
struct WorkbookParts {
    bool from_1904 = false;
    std::string sheet;  // part names; empty: none
    std::string shared_strings;
    std::string styles;
    std::string texts;                // of all shared strings, one after the other
    std::vector<std::uint32_t> ends;  // where each ends
    std::vector<bool> date_styles;    // by index of cell style
};

class Workbook {
public:
    static constexpr std::size_t kSizeBytesMax = std::size_t{32} << 20;
    static constexpr std::uint64_t kSmallPartSizeBytesMax = std::uint64_t{8} << 20;  // relations, names, styles
    static constexpr std::uint64_t kSharedStringsSizeBytesMax = std::uint64_t{48} << 20;
    static constexpr std::uint64_t kSheetSizeBytesMax = std::uint64_t{512} << 20;
    // What the cells' values may come to, and so much more for each octet of the file: far beyond any honest sheet, and
    // less than the vault lets an inspector tell of a body.
    static constexpr std::uint64_t kValuesSizeBytesMax = std::uint64_t{32} << 20;
    static constexpr std::uint64_t kValuesPerOctetMax = 96;

    explicit Workbook(RowReader::Sink sink) : sink_(std::move(sink)) {}

    std::optional<Refusal> feed(std::string_view piece);
    // Reads it: until here the octets are only gathered.
    std::optional<Refusal> finish();

private:
    std::optional<Refusal> read();

    RowReader::Sink sink_;
    std::string octets_;
    std::optional<Refusal> failure_;
};

// A number as a spreadsheet shows it: fifteen digits, no exponent below 1E+15; as a date with a date style.
std::string number_text(std::string_view raw, bool date, bool from_1904);
// Whether a number format shows a date: a built-in one by its id, or a code such as "yyyy/m/d".
bool is_date_format(unsigned id, std::string_view code);
// "A1" is column 0; npos: no cell's name.
std::size_t column_of(std::string_view reference);

}  // namespace xinfu::inspector
