// RowReader: a CSV text as it arrives, in pieces of any size, as rows of cells.
//
// Sources: RFC 4180; UTF-8; lines end in LF or CR LF; cells may contain line ends inside quotes. The first row tells
//          whether commas, tabs or semicolons separate; so does a line "sep=;" before it, as spreadsheets write.
//          Rows without any content are skipped.
// Threads: one strand.
// Trust:   every octet is hostile. At most one row is held, of kRowSizeBytesMax.
// Errors:  a Refusal, final.
//
// Rows without a quotation mark, nearly all of a big file, are split at their separators where they lie.
// Everything that has one is libcsv's to understand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/inspector/refusal.hpp"

struct csv_parser;

namespace xinfu::inspector {

struct Row {
    std::uint64_t line;                          // 1-based, where it begins
    const std::vector<std::string_view>& cells;  // valid for the call; quotes removed
    std::span<const std::uint8_t> marks = {};    // of the cells, by the constants below; empty: none has one
};
inline constexpr std::uint8_t kNoMark = 0;
inline constexpr std::uint8_t kFormula = 1;  // the value is what a spreadsheet calculated
inline constexpr std::uint8_t kFormulaWithoutValue = 2;

// Which of ',', '\t' and ';' stands most often outside quotes in a header line; ',' when none does.
char tell_separator(std::string_view header);

class RowReader {
public:
    static constexpr std::size_t kRowSizeBytesMax = 256 * 1024;
    static constexpr std::size_t kCellsMax = 1024;  // further ones are counted together as one more

    using Sink = std::function<std::optional<Refusal>(const Row& row)>;

    explicit RowReader(Sink sink);
    ~RowReader();
    RowReader(const RowReader&) = delete;
    RowReader& operator=(const RowReader&) = delete;

    std::optional<Refusal> feed(std::string_view piece);
    std::optional<Refusal> finish();

private:
    struct ParserDeleter {
        void operator()(csv_parser* parser) const;
    };

    std::optional<Refusal> take_line(std::string_view line, bool whole);
    std::optional<Refusal> take_plain(std::string_view line);
    std::optional<Refusal> take_quoted(std::string_view line);
    std::optional<Refusal> take_first(std::string_view line, bool& taken);
    std::optional<Refusal> too_long(std::uint64_t line) const;
    bool has_content(std::string_view line) const;
    void cell_ended(const char* text, std::size_t size);
    void row_ended();

    Sink sink_;
    std::unique_ptr<csv_parser, ParserDeleter> parser_;
    char separator_ = '\0';          // '\0': no row yet
    std::string carry_;              // the beginning of a line whose end has not come
    std::uint64_t lines_ = 0;        // taken so far
    bool quoted_open_ = false;       // libcsv is inside a row
    std::uint64_t row_line_ = 0;     // where that row began
    std::size_t row_size_ = 0;       // its octets so far
    std::string row_text_;           // its cells, one after the other
    std::vector<std::size_t> ends_;  // where each ends in row_text_
    std::vector<std::string_view> cells_;
    std::optional<Refusal> failure_;
};

}  // namespace xinfu::inspector
