// JsonReader: values of a small JSON object by their dotted path. All JSON that an inspector reads goes
// through here.
//
// Trust:   hostile; nesting and size are bounded, and what is not exactly of the asked type is absent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace xinfu::inspector {

class JsonReader {
public:
    JsonReader();
    ~JsonReader();
    JsonReader(const JsonReader&) = delete;
    JsonReader& operator=(const JsonReader&) = delete;

    // An object, in valid UTF-8, nested at most eight deep. False: it is something else.
    bool parse(std::string_view text);

    // "counts.records"; "acknowledgements.0.level"
    std::optional<std::string> text(std::string_view path) const;
    std::optional<std::uint64_t> number(std::string_view path) const;  // whole, 0 to 2^53 - 1
    std::size_t size(std::string_view path) const;                     // of a list; 0 when there is none

private:
    struct Value;
    std::unique_ptr<Value> value_;
};

}  // namespace xinfu::inspector
