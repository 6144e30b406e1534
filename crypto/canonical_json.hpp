// Canonical JSON: one sequence of bytes for one value, so that digests of it can be compared between nodes.
//
// Format:  RFC 8785, of which Xinfu uses objects, arrays, strings, booleans and integers up to 2^53 - 1.
// Threads: a JsonObject belongs to one thread at a time.
// Errors:  aborts on a repeated key and on integers beyond 2^53 - 1. Text must be valid UTF-8: whoever takes
// it
//          from outside checks with is_utf8 first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xinfu::crypto {

bool is_utf8(std::string_view text);  // shortest forms only, no surrogates, up to U+10FFFF

// Appends `text` as a JSON string, quoted and escaped as RFC 8785 section 3.2.2.2 says.
void append_json_string(std::string& out, std::string_view text);

// RFC 8785 section 3.2.3: by UTF-16 code units. For keys below U+E000 that is the order of their bytes.
bool canonical_less(std::string_view a, std::string_view b);

class JsonObject {
public:
    JsonObject& text(std::string_view key, std::string_view value);
    JsonObject& number(std::string_view key, std::int64_t value);
    JsonObject& boolean(std::string_view key, bool value);
    JsonObject& object(std::string_view key, const JsonObject& value);
    JsonObject& texts(std::string_view key, const std::vector<std::string>& values);
    // `json` is canonical already.
    JsonObject& raw(std::string_view key, std::string json);
    JsonObject& text_if(std::string_view key, std::string_view value);  // left out when empty

    bool empty() const { return members_.empty(); }
    std::string encode() const;

private:
    std::vector<std::pair<std::string, std::string>> members_;  // key, canonical value
};

// A record: an object of strings. Fields may come in any order; empty values are left out; keys do not
// repeat.
using TextField = std::pair<std::string_view, std::string_view>;
void append_canonical_record(std::string& out, std::span<const TextField> fields);

}  // namespace xinfu::crypto
