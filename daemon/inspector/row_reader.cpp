#include "daemon/inspector/row_reader.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <csv.h>

#include "daemon/inspector/text_decoder.hpp"
#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

constexpr std::size_t kParserBlockSizeBytes = 16 * 1024;
constexpr std::size_t kHeaderCellsMax = 256;

int is_no_space(unsigned char) {
    return 0;
}  // blanks belong to their cell
int is_line_feed(unsigned char c) {
    return c == '\n' ? 1 : 0;
}

}  // namespace

char tell_separator(std::string_view header) {
    std::size_t commas = 0;
    std::size_t tabs = 0;
    std::size_t semicolons = 0;
    bool quoted = false;
    for (const char c : header) {
        quoted = c == '"' ? !quoted : quoted;
        if (!quoted) {
            commas += c == ',' ? 1 : 0;
            tabs += c == '\t' ? 1 : 0;
            semicolons += c == ';' ? 1 : 0;
        }
    }
    if (commas >= tabs && commas >= semicolons) {
        return ',';
    }
    return tabs >= semicolons ? '\t' : ';';
}

bool RowReader::has_content(std::string_view line) const {
    // Most lines answer at their first octet.
    return line.find_first_not_of(separator_ == ';' ? "; \t\r" : ", \t\r") != std::string_view::npos;
}

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
    if (separator_ == '\0') {
        const bool carriage_returns = carry_.find('\r') != std::string::npos && carry_.find('"') == std::string::npos;
        return carriage_returns ? Refusal{"XF-3075", {}} : Refusal{"XF-3027", {std::to_string(kHeaderCellsMax)}};
    }
    return Refusal{"XF-3024", {std::to_string(line), std::to_string(kRowSizeBytesMax)}};
}

std::optional<Refusal> RowReader::feed(std::string_view piece) {
    while (!failure_ && !piece.empty()) {
        const auto* end = static_cast<const char*>(std::memchr(piece.data(), '\n', piece.size()));
        const std::size_t size = end == nullptr ? piece.size() : static_cast<std::size_t>(end - piece.data()) + 1;
        if (carry_.empty() && end != nullptr) {
            failure_ = take_line(piece.substr(0, size), true);
        } else if (carry_.size() + size > kRowSizeBytesMax) {
            failure_ = too_long(quoted_open_ ? row_line_ : lines_ + 1);
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
    if (const auto at = policies::find_malformed_utf8(line); at != std::string_view::npos) {
        return Refusal{std::string{malformed_code(line.substr(at))}, {std::to_string(lines_)}};
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
    if (separator_ == '\0') {
        bool taken = false;
        if (auto refusal = take_first(line, taken); refusal || taken) {
            return refusal;
        }
    }
    if (quoted_open_ || line.find('"') != std::string_view::npos) {
        return take_quoted(line);
    }
    return take_plain(line);
}

// Lines up to and with the header's first: what separates, and whether it can be a table at all.
std::optional<Refusal> RowReader::take_first(std::string_view line, bool& taken) {
    constexpr std::string_view kHint = "sep=";
    const bool hint = line.size() == kHint.size() + 1 && line.starts_with(kHint) &&
                      std::string_view{",;\t"}.find(line.back()) != std::string_view::npos;
    taken = hint || line.find_first_not_of(",; \t") == std::string_view::npos;
    if (taken && !hint) {
        return std::nullopt;
    }
    separator_ = hint ? line.back() : tell_separator(line);
    csv_set_delim(parser_.get(), static_cast<unsigned char>(separator_));
    if (!hint && line.find('\r') != std::string_view::npos && line.find('"') == std::string_view::npos) {
        return Refusal{"XF-3075", {}};  // lines end in CR alone: all of the file is one line
    }
    return std::nullopt;
}

std::optional<Refusal> RowReader::take_plain(std::string_view line) {
    if (!has_content(line)) {
        return std::nullopt;
    }
    cells_.clear();
    std::size_t begin = 0;
    for (;;) {
        const auto end = line.find(separator_, begin);
        if (cells_.size() < kCellsMax) {
            cells_.push_back(line.substr(begin, end - begin));
        } else if (cells_.size() == kCellsMax) {
            cells_.push_back({});
        }
        if (end == std::string_view::npos) {
            break;
        }
        begin = end + 1;
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
