#include "daemon/inspector/json_reader.hpp"

#include <charconv>

#include <boost/json/src.hpp>  // the library itself, without a shared object

namespace xinfu::inspector {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 8;
constexpr std::uint64_t kNumberMax = (std::uint64_t{1} << 53) - 1;  // RFC 8785 section 3.2.2.3

const json::value* find(const json::value& root, std::string_view path) {
    const json::value* at = &root;
    while (!path.empty()) {
        const auto dot = path.find('.');
        const auto key = path.substr(0, dot);
        path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
        if (const auto* object = at->if_object()) {
            at = object->if_contains(json::string_view{key.data(), key.size()});
        } else if (const auto* list = at->if_array()) {
            std::size_t index = 0;
            const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
            const bool valid = error == std::errc{} && end == key.data() + key.size() && index < list->size();
            at = valid ? &(*list)[index] : nullptr;
        } else {
            at = nullptr;
        }
        if (at == nullptr) {
            return nullptr;
        }
    }
    return at;
}

}  // namespace

struct JsonReader::Value {
    json::value root;
};

JsonReader::JsonReader() : value_(std::make_unique<Value>()) {}
JsonReader::~JsonReader() = default;

bool JsonReader::parse(std::string_view text) {
    json::parse_options options;
    options.max_depth = kDepthMax;
    json::error_code error;
    value_->root = json::parse(json::string_view{text.data(), text.size()}, error, {}, options);
    return !error && value_->root.is_object();
}

std::optional<std::string> JsonReader::text(std::string_view path) const {
    const auto* found = find(value_->root, path);
    const auto* string = found == nullptr ? nullptr : found->if_string();
    if (string == nullptr) {
        return std::nullopt;
    }
    return std::string{string->data(), string->size()};
}

std::optional<std::uint64_t> JsonReader::number(std::string_view path) const {
    const auto* found = find(value_->root, path);
    if (found == nullptr || !(found->is_int64() || found->is_uint64())) {
        return std::nullopt;
    }
    json::error_code error;
    const auto number = found->to_number<std::uint64_t>(error);
    return error || number > kNumberMax ? std::nullopt : std::optional{number};
}

std::size_t JsonReader::size(std::string_view path) const {
    const auto* found = find(value_->root, path);
    const auto* list = found == nullptr ? nullptr : found->if_array();
    return list == nullptr ? 0 : list->size();
}

}  // namespace xinfu::inspector
