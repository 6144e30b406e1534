// Whatever the workbook: rows ascend, cells are in UTF-8 and bounded, and every refusal has a code. An input that
// begins with '<' stands for a part that was unpacked, since few mutations of an archive leave its checksums right.
#include <cstdlib>
#include <string>

#include "daemon/inspector/workbook_parts.hpp"
#include "policies/codes.hpp"
#include "policies/text.hpp"

namespace {

using namespace xinfu;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

constexpr std::uint64_t kValuesSizeBytesMax = 4096;

struct Rows {
    std::uint64_t last_line = 0;
    std::uint64_t values = 0;  // octets told
    std::string told;

    inspector::RowReader::Sink sink() {
        return [this](const inspector::Row& row) -> std::optional<inspector::Refusal> {
            require(row.line > last_line && row.line <= inspector::SheetHandler::kRowsMax);
            require(!row.cells.empty() && row.cells.size() <= inspector::RowReader::kCellsMax + 1);
            require(row.marks.empty() || row.marks.size() <= row.cells.size());
            last_line = row.line;
            std::size_t size = 0;
            for (const auto cell : row.cells) {
                require(policies::find_malformed_utf8(cell) == std::string_view::npos);
                told += cell;
                told += '|';
                size += cell.size();
            }
            require(size <= inspector::RowReader::kRowSizeBytesMax);
            require((values += size) <= kValuesSizeBytesMax);
            return std::nullopt;
        };
    }
};

void require_code(const std::optional<inspector::Refusal>& refusal) {
    require(!refusal || policies::find_code(refusal->code) != nullptr);
}

std::string read_part(std::string_view part, std::size_t piece_size) {
    Rows rows;
    const auto sink = rows.sink();
    inspector::WorkbookParts parts;
    parts.texts = "甲乙";
    parts.ends = {3, 6};
    parts.date_styles = {false, true};
    inspector::SheetHandler sheet(parts, sink, kValuesSizeBytesMax);
    inspector::XmlParser parser(sheet, false);
    bool going = true;
    for (std::size_t at = 0; going && at < part.size(); at += piece_size) {
        going = parser.feed(part.substr(at, piece_size));
    }
    going = going && parser.finish();
    require_code(sheet.refusal);
    return rows.told + (going ? "" : "!") + (sheet.refusal ? sheet.refusal->code : "");
}

template <class Handler>
void read_small(Handler& handler, std::string_view part) {
    inspector::XmlParser parser(handler, false);
    (void)(parser.feed(part) && parser.finish());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    if (input.starts_with('<')) {
        const auto whole = read_part(input, size + 1);
        require(read_part(input, 1) == whole);
        inspector::WorkbookParts parts;
        inspector::StringsHandler strings(parts);
        read_small(strings, input);
        require(parts.ends.empty() || parts.ends.back() <= parts.texts.size());
        inspector::StylesHandler styles;
        read_small(styles, input);
        inspector::SheetsHandler sheets;
        read_small(sheets, input);
        inspector::RelationsHandler relations;
        read_small(relations, input);
        return 0;
    }
    Rows rows;
    inspector::Workbook workbook(rows.sink());
    require_code(workbook.feed(input));
    require_code(workbook.finish());
    return 0;
}
