#include "daemon/inspector/json_lines.hpp"

#include <vector>

#include <boost/json/basic_parser_impl.hpp>

#include "daemon/inspector/text_decoder.hpp"
#include "policies/text.hpp"

namespace xinfu::inspector {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 3;  // the object and a list of texts in it; one more, to be refused by its name

// What a line says: names and values, in its order. Everything else in it is an error.
class LineHandler {
public:
    static constexpr std::size_t max_object_size = 1024;
    static constexpr std::size_t max_array_size = 1024;
    static constexpr std::size_t max_key_size = 1024;
    static constexpr std::size_t max_string_size = JsonLines::kLineSizeBytesMax;

    std::vector<std::string> names;
    std::vector<std::string> values;
    bool wrong_kind = false;  // of the last name's value

    void clear() {
        names.clear();
        values.clear();
        text_.clear();
        number_.clear();
        depth_ = 0;
        listed_ = 0;
        wrong_kind = false;
    }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }
    bool on_object_begin(json::error_code& error) { return depth_++ == 0 || refuse(error); }
    bool on_object_end(std::size_t, json::error_code&) { return true; }
    bool on_array_begin(json::error_code& error) {
        if (depth_ != 1) {
            return refuse(error);
        }
        depth_ = 2;
        listed_ = 0;
        values.emplace_back();
        return true;
    }
    bool on_array_end(std::size_t, json::error_code&) {
        depth_ = 1;
        return true;
    }
    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view rest, std::size_t, json::error_code&) {
        text_.append(rest.data(), rest.size());
        names.push_back(std::move(text_));
        text_.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_string(json::string_view rest, std::size_t, json::error_code& error) {
        text_.append(rest.data(), rest.size());
        return put(text_, error);
    }
    bool on_number_part(json::string_view part, json::error_code&) {
        number_.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t, json::string_view rest, json::error_code& error) { return put_number(rest, error); }
    bool on_uint64(std::uint64_t, json::string_view rest, json::error_code& error) { return put_number(rest, error); }
    bool on_double(double, json::string_view rest, json::error_code& error) { return put_number(rest, error); }
    bool on_bool(bool, json::error_code& error) { return refuse(error); }
    bool on_null(json::error_code& error) { return depth_ == 1 ? put(text_, error) : refuse(error); }
    bool on_comment_part(json::string_view, json::error_code& error) { return refuse(error); }
    bool on_comment(json::string_view, json::error_code& error) { return refuse(error); }

private:
    bool refuse(json::error_code& error) {
        wrong_kind = depth_ > 0;
        error = json::error::syntax;
        return false;
    }
    bool put_number(json::string_view rest, json::error_code& error) {
        number_.append(rest.data(), rest.size());
        const bool put_there = depth_ == 1 && put(number_, error);
        return put_there || refuse(error);
    }
    bool put(std::string& text, json::error_code& error) {
        if (depth_ == 1) {
            values.push_back(std::move(text));
        } else if (depth_ == 2) {
            values.back() += (listed_++ == 0 ? "" : ";") + text;
        } else {
            return refuse(error);
        }
        text.clear();
        return true;
    }

    std::string text_;
    std::string number_;
    std::size_t depth_ = 0;
    std::size_t listed_ = 0;
};

json::parse_options strict() {
    json::parse_options options;
    options.max_depth = kDepthMax;
    return options;
}

}  // namespace

struct JsonLines::Parser {
    json::basic_parser<LineHandler> parser{strict()};
    NamedRow row;
};

JsonLines::JsonLines(Sheet& sheet) : sheet_(sheet), parser_(std::make_unique<Parser>()) {}
JsonLines::~JsonLines() = default;

std::optional<Refusal> JsonLines::feed(std::string_view text) {
    while (!failure_ && !text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        if (carry_.size() + line.size() > kLineSizeBytesMax) {
            failure_ = Refusal{"XF-3024", {std::to_string(lines_ + 1), std::to_string(kLineSizeBytesMax)}};
        } else if (end == std::string_view::npos) {
            carry_ += line;
            break;
        } else if (carry_.empty()) {
            failure_ = take_line(line);
        } else {
            carry_ += line;
            failure_ = take_line(carry_);
            carry_.clear();
        }
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return failure_;
}

std::optional<Refusal> JsonLines::finish() {
    if (!failure_ && !carry_.empty()) {
        failure_ = take_line(carry_);
        carry_.clear();
    }
    return failure_;
}

std::optional<Refusal> JsonLines::take_line(std::string_view line) {
    ++lines_;
    const auto number = std::to_string(lines_);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
        return std::nullopt;
    }
    if (const auto at = policies::find_malformed_utf8(line); at != std::string_view::npos) {
        return Refusal{std::string{malformed_code(line.substr(at))}, {number}};
    }
    auto& parser = parser_->parser;
    auto& handler = parser.handler();
    parser.reset();
    handler.clear();
    json::error_code error;
    const auto read = parser.write_some(false, line.data(), line.size(), error);
    if (handler.wrong_kind) {
        return Refusal{"XF-3081", {number, shown(handler.names.empty() ? "" : handler.names.back())}};
    }
    if (error || line.find_first_not_of(" \t\r", read) != std::string_view::npos) {
        return Refusal{"XF-3080", {number, "byte " + std::to_string(read + 1)}};
    }
    auto& row = parser_->row;
    row.line = lines_;
    row.names.assign(handler.names.begin(), handler.names.end());
    row.cells.assign(handler.values.begin(), handler.values.end());
    return sheet_.take_named(row);
}

}  // namespace xinfu::inspector
