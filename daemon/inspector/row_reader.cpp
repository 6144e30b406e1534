#include "daemon/inspector/row_reader.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <csv.h>

#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kParserBlockSizeBytes = 16 * 1024;
constexpr std::size_t kBeginningSizeBytes = 16;  // enough to recognise a kind of file

int is_no_space(unsigned char) {
    return 0;
}  // blanks belong to their cell
int is_line_feed(unsigned char c) {
    return c == '\n' ? 1 : 0;
}

bool has_content(std::string_view line) {
    // Most lines answer at their first octet.
    return line.find_first_not_of(", \t\r") != std::string_view::npos;
}

}  // namespace

void RowReader::ParserDeleter::operator()(csv_parser* parser) const {
    csv_free(parser);
    delete parser;
}

RowReader::RowReader(Sink sink) : sink_(std::move(sink)), parser_(new csv_parser{}) {
    if (csv_init(parser_.get(), CSV_STRICT | CSV_STRICT_FINI) != 0) {
        throw std::bad_alloc{};
    }
    csv_set_space_func(parser_.get(), is_no_space);
    csv_set_term_func(parser_.get(), is_line_feed);
    csv_set_blk_size(parser_.get(), kParserBlockSizeBytes);
}

RowReader::~RowReader() = default;

std::optional<Refusal> RowReader::too_long(std::uint64_t line) const {
    return Refusal{"XF-3024", {std::to_string(line), std::to_string(kRowSizeBytesMax)}};
}

// What people send by mistake, by its first octets.
std::optional<Refusal> RowReader::look_at_beginning(std::string_view text) const {
    const auto looks_like = [](const char* what) { return Refusal{"XF-3029", {what}}; };
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
        return looks_like("UTF-16");
    }
    if (text.starts_with("PK\x03\x04")) {
        return looks_like("XLSX");
    }
    if (text.starts_with("\xD0\xCF\x11\xE0")) {
        return looks_like("XLS");
    }
    if (text.starts_with("%PDF-")) {
        return looks_like("PDF");
    }
    if (text.starts_with("<?xml") || text.starts_with("\xEF\xBB\xBF<?xml")) {
        return looks_like("XML");
    }
    return std::nullopt;
}

std::optional<Refusal> RowReader::feed(std::string_view piece) {
    while (!failure_ && !piece.empty()) {
        const auto* end = static_cast<const char*>(std::memchr(piece.data(), '\n', piece.size()));
        const std::size_t size = end == nullptr ? piece.size() : static_cast<std::size_t>(end - piece.data()) + 1;
        if (carry_.empty() && end != nullptr) {
            failure_ = take_line(piece.substr(0, size), true);
        } else if (carry_.size() + size > kRowSizeBytesMax) {
            const auto beginning =
                carry_.substr(0, kBeginningSizeBytes) + std::string{piece.substr(0, kBeginningSizeBytes)};
            failure_ = lines_ == 0 ? look_at_beginning(beginning) : std::nullopt;
            if (!failure_) {
                failure_ = too_long(quoted_open_ ? row_line_ : lines_ + 1);
            }
        } else {
            carry_.append(piece.substr(0, size));
            if (end != nullptr) {
                failure_ = take_line(carry_, true);
                carry_.clear();
            }
        }
        piece.remove_prefix(size);
    }
    return failure_;
}

std::optional<Refusal> RowReader::finish() {
    if (!failure_ && !carry_.empty()) {
        failure_ = take_line(carry_, false);
        carry_.clear();
    }
    if (!failure_ && quoted_open_) {
        failure_ = Refusal{"XF-3023", {std::to_string(row_line_)}};
    }
    return failure_;
}

std::optional<Refusal> RowReader::take_line(std::string_view line, bool whole) {
    ++lines_;
    if (lines_ == 1) {
        if (auto mistaken = look_at_beginning(line)) {
            return mistaken;
        }
        if (line.starts_with("\xEF\xBB\xBF")) {
            line.remove_prefix(3);
        }
    }
    if (policies::find_malformed_utf8(line) != std::string_view::npos) {
        return Refusal{"XF-3020", {std::to_string(lines_)}};
    }
    if (line.find('\0') != std::string_view::npos) {
        return Refusal{"XF-3032", {std::to_string(lines_)}};
    }
    if (whole) {
        line.remove_suffix(1);
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    if (quoted_open_ || line.find('"') != std::string_view::npos) {
        return take_quoted(line);
    }
    return take_plain(line);
}

std::optional<Refusal> RowReader::take_plain(std::string_view line) {
    if (!has_content(line)) {
        return std::nullopt;
    }
    cells_.clear();
    std::size_t begin = 0;
    for (;;) {
        const auto comma = line.find(',', begin);
        if (cells_.size() < kCellsMax) {
            cells_.push_back(line.substr(begin, comma - begin));
        } else if (cells_.size() == kCellsMax) {
            cells_.push_back({});
        }
        if (comma == std::string_view::npos) {
            break;
        }
        begin = comma + 1;
    }
    return sink_(Row{lines_, cells_});
}

std::optional<Refusal> RowReader::take_quoted(std::string_view line) {
    if (!quoted_open_) {
        quoted_open_ = true;
        row_line_ = lines_;
        row_size_ = 0;
        row_text_.clear();
        ends_.clear();
    }
    row_size_ += line.size() + 1;
    if (row_size_ > kRowSizeBytesMax) {
        return too_long(row_line_);
    }
    const auto on_cell = [](void* text, std::size_t size, void* self) {
        static_cast<RowReader*>(self)->cell_ended(static_cast<const char*>(text), size);
    };
    const auto on_row = [](int, void* self) { static_cast<RowReader*>(self)->row_ended(); };
    const bool parsed = csv_parse(parser_.get(), line.data(), line.size(), on_cell, on_row, this) == line.size() &&
                        csv_parse(parser_.get(), "\n", 1, on_cell, on_row, this) == 1;
    if (!parsed) {
        if (csv_error(parser_.get()) != CSV_EPARSE) {
            throw std::bad_alloc{};
        }
        return Refusal{"XF-3023", {std::to_string(lines_)}};
    }
    return failure_;
}

void RowReader::cell_ended(const char* text, std::size_t size) {
    if (ends_.size() <= kCellsMax) {
        row_text_.append(text == nullptr ? std::string_view{} : std::string_view{text, size});
        ends_.push_back(row_text_.size());
    }
}

void RowReader::row_ended() {
    quoted_open_ = false;
    cells_.clear();
    std::size_t begin = 0;
    for (const auto end : ends_) {
        cells_.push_back(std::string_view{row_text_}.substr(begin, end - begin));
        begin = end;
    }
    const bool blank = std::ranges::all_of(cells_, [](std::string_view cell) { return cell.empty(); });
    if (!blank && !failure_) {
        failure_ = sink_(Row{row_line_, cells_});
    }
}

}  // namespace xinfu::inspector
