// XmlRecords: records as XML: a root element, in it records, in each the fields as elements named by field code or
// title, with text only. The line told of a record is its number: a document may stand in one single line.
//
// Threads: one strand.
// Trust:   hostile; at most one record is held, of kRecordSizeBytesMax.
// Errors:  a Refusal, final.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/inspector/sheet.hpp"
#include "daemon/inspector/xml_parser.hpp"

namespace xinfu::inspector {

class XmlRecords final : public XmlHandler {
public:
    static constexpr std::size_t kRecordSizeBytesMax = 256 * 1024;
    static constexpr std::size_t kFieldsMax = 1024;

    explicit XmlRecords(Sheet& sheet) : sheet_(sheet), parser_(*this, true) {}

    // Takes UTF-8.
    std::optional<Refusal> feed(std::string_view text);
    std::optional<Refusal> finish();

    bool on_start(std::string_view name, const char* const* attributes) override;
    bool on_end(std::string_view name) override;
    bool on_text(std::string_view text) override;

private:
    bool refuse(const char* code);
    std::optional<Refusal> outcome();

    Sheet& sheet_;
    XmlParser parser_;
    int depth_ = 0;  // 1: in the root, 2: in a record, 3: in a field
    std::uint64_t records_ = 0;
    std::size_t size_ = 0;  // octets of this record
    std::vector<std::string> names_;
    std::vector<std::string> values_;
    NamedRow row_;
    std::optional<Refusal> failure_;
};

}  // namespace xinfu::inspector
