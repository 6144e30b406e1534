#include "daemon/client/json.hpp"

#include <boost/json/src.hpp>  // the library itself: it is used without a shared object

namespace xinfu::client {

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr) {
        return 0;
    }
    if (value->is_uint64()) {
        return value->get_uint64();
    }
    return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

const json::object& object_of(const json::object& object, std::string_view key) {
    static const json::object empty;
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_object() ? value->get_object() : empty;
}

const json::array& array_of(const json::object& object, std::string_view key) {
    static const json::array empty;
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_array() ? value->get_array() : empty;
}

}  // namespace xinfu::client
