// JsonLines: records as JSON objects, one a line, each naming its fields itself.
//
// Sources: RFC 8259; jsonlines.org. Strict: no comments, no trailing commas, every name once, UTF-8.
//          Numbers are kept as they are written, so that no digit is lost; null is an absent value; a list of texts is
//          a value of several parts.
// Threads: one strand.
// Trust:   every octet is hostile. At most one line is held, of kLineSizeBytesMax.
// Errors:  a Refusal, final.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/inspector/sheet.hpp"

namespace xinfu::inspector {

class JsonLines {
public:
    static constexpr std::size_t kLineSizeBytesMax = 512 * 1024;

    explicit JsonLines(Sheet& sheet);
    ~JsonLines();
    JsonLines(const JsonLines&) = delete;
    JsonLines& operator=(const JsonLines&) = delete;

    std::optional<Refusal> feed(std::string_view text);
    std::optional<Refusal> finish();

private:
    struct Parser;

    std::optional<Refusal> take_line(std::string_view line);

    Sheet& sheet_;
    std::unique_ptr<Parser> parser_;
    std::string carry_;  // the beginning of a line whose end has not come
    std::uint64_t lines_ = 0;
    std::optional<Refusal> failure_;
};

}  // namespace xinfu::inspector
