// Loader: reads xinfu.yaml into a Config, or says everything that is wrong with it.
//
// Trust:   the file is the administrator's; it is still held to its rules, and nothing in it is executed.
// Errors:  a list of mistakes; yaml-cpp's exceptions stop here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.hpp"

namespace xinfu::config {

struct Mistake {
    std::string file;
    std::size_t line = 0;    // 1-based; 0: the file as a whole
    std::size_t column = 0;  // 1-based
    std::string key;         // "gateway.limits.connections"
    std::string text;        // what is wrong and what would be right
};

// "xinfu.yaml:12:5: gateway.limits.connections: ..."
std::string to_string(const Mistake& mistake);

struct Loaded {
    std::optional<Config> config;   // absent when there are mistakes
    std::vector<Mistake> mistakes;  // all of them, in the order of the file
};

// `name` is what mistakes call the file. Relative paths stay as they are.
Loaded load_text(std::string_view text, const std::string& name);
// Reads the file; `state` and `vault.key_wrapping_key` become absolute, relative to the file's folder.
Loaded load_file(const std::string& path);
// Reads a descriptor from its beginning, without moving its position; relative paths stay as they are.
Loaded load_descriptor(int fd, const std::string& name);

}  // namespace xinfu::config
