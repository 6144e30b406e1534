// The small parts of a workbook, each by a handler of its own; and the sheet. Inside the inspector only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/inspector/workbook.hpp"
#include "daemon/inspector/xml_parser.hpp"

namespace xinfu::inspector {

// The value of an attribute, by its name without prefix; empty: absent.
std::string_view attribute(const char* const* attributes, std::string_view name);

// _rels/*.rels: relations by id.
class RelationsHandler final : public XmlHandler {
public:
    struct Relation {
        std::string type;    // its last word: "worksheet"
        std::string target;  // as written
    };
    std::map<std::string, Relation> relations;

    bool on_start(std::string_view name, const char* const* attributes) override;
    bool on_end(std::string_view) override { return true; }
    bool on_text(std::string_view) override { return true; }
    // The first of a type; empty: none.
    std::string target_of(std::string_view type) const;
};

// xl/workbook.xml: the ids of the visible sheets in their order, and the date system.
class SheetsHandler final : public XmlHandler {
public:
    std::vector<std::string> visible;
    bool from_1904 = false;

    bool on_start(std::string_view name, const char* const* attributes) override;
    bool on_end(std::string_view) override { return true; }
    bool on_text(std::string_view) override { return true; }
};

// xl/styles.xml: which cell styles show dates.
class StylesHandler final : public XmlHandler {
public:
    std::vector<bool> date_styles;

    bool on_start(std::string_view name, const char* const* attributes) override;
    bool on_end(std::string_view name) override;
    bool on_text(std::string_view) override { return true; }

private:
    std::map<unsigned, std::string> codes_;
    bool in_cell_styles_ = false;
};

// xl/sharedStrings.xml. Phonetic readings are no part of the text.
class StringsHandler final : public XmlHandler {
public:
    explicit StringsHandler(WorkbookParts& parts) : parts_(parts) {}
    bool on_start(std::string_view name, const char* const* attributes) override;
    bool on_end(std::string_view name) override;
    bool on_text(std::string_view text) override;

private:
    WorkbookParts& parts_;
    bool in_text_ = false;
    int phonetic_ = 0;
};

// xl/worksheets/sheet1.xml: rows as they come.
class SheetHandler final : public XmlHandler {
public:
    static constexpr std::size_t kColumnsMax = 16384;  // ECMA-376 part 1, section 18.3.1.13
    static constexpr std::uint64_t kRowsMax = 1048576;

    // `values_size_max`: octets that the values of all cells may come to, however often they share a text.
    SheetHandler(const WorkbookParts& parts, const RowReader::Sink& sink, std::uint64_t values_size_max)
        : parts_(parts), sink_(sink), values_size_max_(values_size_max) {}
    bool on_start(std::string_view name, const char* const* attributes) override;
    bool on_end(std::string_view name) override;
    bool on_text(std::string_view text) override;

    std::optional<Refusal> refusal;

private:
    bool begin_row(const char* const* attributes);
    bool begin_cell(const char* const* attributes);
    bool end_cell();
    bool end_row();
    bool refuse(const char* code);

    const WorkbookParts& parts_;
    const RowReader::Sink& sink_;
    std::uint64_t values_size_max_;
    std::uint64_t values_size_ = 0;
    std::uint64_t row_ = 0;
    std::size_t column_ = 0;    // of the cell that is open
    std::size_t columns_ = 0;   // taken in this row
    std::size_t width_ = 0;     // cells of the first row that has any
    std::size_t row_size_ = 0;  // octets
    std::string type_;          // of the cell: "s", "n", ...
    std::size_t style_ = 0;
    bool in_row_ = false;
    bool in_cell_ = false;
    bool in_value_ = false;
    bool formula_ = false;
    int phonetic_ = 0;
    std::string value_;
    std::vector<std::string> texts_;
    std::vector<std::uint8_t> marks_;
    std::vector<std::string_view> cells_;
};

}  // namespace xinfu::inspector
