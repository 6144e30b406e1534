// Boost.JSON, compiled once in json.cpp, and the few ways in which the command looks into an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace xinfu::client {

namespace json = boost::json;

// Missing members and members of another kind are empty.
std::string text_of(const json::object& object, std::string_view key);
std::uint64_t number_of(const json::object& object, std::string_view key);
const json::object& object_of(const json::object& object, std::string_view key);
const json::array& array_of(const json::object& object, std::string_view key);

}  // namespace xinfu::client
