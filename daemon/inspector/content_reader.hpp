// ContentReader: what was signed, from its first octet to its rows. Which format it has is told from the octets,
// never from a name: docs/formats/tables.md.
//
// Threads: one strand.
// Trust:   every octet is hostile. What is held is bounded by each format's reader.
// Errors:  a Refusal, final.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/inspector/json_lines.hpp"
#include "daemon/inspector/row_reader.hpp"
#include "daemon/inspector/sheet.hpp"
#include "daemon/inspector/text_decoder.hpp"
#include "daemon/inspector/workbook.hpp"
#include "daemon/inspector/xml_records.hpp"

namespace xinfu::inspector {

class ContentReader {
public:
    explicit ContentReader(Sheet& sheet);

    std::optional<Refusal> feed(std::string_view piece);
    // After the last octet. The sheet's own finish() is the caller's to ask.
    std::optional<Refusal> finish();

private:
    enum class Format { unknown, workbook, text, separated, json, xml };

    std::optional<Refusal> take(std::string_view piece);
    std::optional<Refusal> look_at_beginning();
    std::optional<Refusal> take_text(std::string_view text);
    std::optional<Refusal> look_at_text();
    std::optional<Refusal> take_records(std::string_view text);

    Sheet& sheet_;
    Format format_ = Format::unknown;
    std::string beginning_;  // octets until the container is known, then text until the format is
    TextDecoder decoder_;
    RowReader rows_;
    std::optional<JsonLines> json_;
    std::optional<XmlRecords> xml_;
    std::optional<Workbook> workbook_;
    std::optional<Refusal> failure_;
};

}  // namespace xinfu::inspector
