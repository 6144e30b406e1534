// Whatever the octets: they are decoded and read the same in any pieces, lines ascend, and what is told of a record are
// values that the catalog knows, in UTF-8, without characters that no record may have.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/inspector/row_reader.hpp"
#include "daemon/inspector/text_decoder.hpp"
#include "policies/catalog.hpp"
#include "policies/text.hpp"

namespace {

using namespace xinfu;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

std::string read_pack(const std::string& name) {
    std::ifstream file(std::string{XINFU_SOURCE_DIR} + "/policies/packs/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

const policies::Catalog& catalog() {
    static const auto loaded = policies::load_catalog(read_pack("administrative-penalty.yaml"));
    return loaded.value.value();
}

// One line of text for everything that was told.
std::string read(std::string_view text, std::size_t piece_size) {
    static const policies::WorkingDays kCalendar;
    const policies::Day today{std::chrono::days{20779}};
    std::string told;
    std::uint64_t last_line = 0;
    std::vector<std::string_view> by_field(catalog().fields.size());
    policies::CheckedRecord checked;
    inspector::RowReader reader([&](const inspector::Row& row) -> std::optional<inspector::Refusal> {
        require(row.line > last_line && !row.cells.empty());
        last_line = row.line;
        // Without a header the cells fill the fields from the left: the checks see everything.
        std::fill(by_field.begin(), by_field.end(), std::string_view{});
        for (std::size_t i = 0; i < row.cells.size() && i < by_field.size(); ++i) {
            by_field[i] = row.cells[i];
        }
        policies::check_record(catalog(), kCalendar, today, by_field, checked);
        told += std::to_string(row.line) + ":" + std::to_string(row.cells.size());
        for (std::size_t i = 0; i < by_field.size(); ++i) {
            require(policies::find_malformed_utf8(checked.values[i]) == std::string_view::npos);
            require(checked.wrong[i] != 0 || policies::find_forbidden(checked.values[i], true) == 0);
            told += "|";
            told += checked.values[i];
        }
        for (const auto& finding : checked.findings) {
            told += "!";
            told += finding.code;
        }
        return std::nullopt;
    });
    inspector::TextDecoder decoder([&](std::string_view decoded) { return reader.feed(decoded); });
    std::optional<inspector::Refusal> refusal;
    for (std::size_t at = 0; at < text.size() && !refusal; at += piece_size) {
        refusal = decoder.feed(text.substr(at, piece_size));
    }
    if (!refusal) {
        refusal = decoder.finish();
    }
    if (!refusal) {
        refusal = reader.finish();
    }
    return told + (refusal ? refusal->code : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto whole = read(text, size + 1);
    require(read(text, 1) == whole);
    require(read(text, 7) == whole);
    return 0;
}
