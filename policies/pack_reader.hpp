// PackReader: walks a pack's YAML, and collects every mistake instead of stopping at the first. Inside
// policies/ only; nothing outside sees YAML.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "policies/pack.hpp"
#include "policies/working_days.hpp"

namespace xinfu::policies {

class PackReader {
public:
    // Parses; an undefined node and a mistake when the text is no YAML or too large.
    YAML::Node parse(std::string_view yaml);

    void mistake(const YAML::Node& at, std::string text);
    bool failed() const { return !mistakes_.empty(); }
    std::vector<Mistake> take() { return std::move(mistakes_); }

    // Values of scalars. `what` names the key for the sentence. Answers false after a mistake.
    bool text(const YAML::Node& node, std::string_view what, std::string& out, std::size_t size_max = 4000);
    bool number(const YAML::Node& node, std::string_view what, std::int64_t least, std::int64_t most,
                std::int64_t& out);
    bool boolean(const YAML::Node& node, std::string_view what, bool& out);
    bool date(const YAML::Node& node, std::string_view what, Day& out);  // YYYY-MM-DD
    bool texts(const YAML::Node& node, std::string_view what, std::vector<std::string>& out,
               std::size_t count_max = 512);
    bool sequence(const YAML::Node& node, std::string_view what, std::size_t count_max);

    // The index of the node's text in `words`.
    template <class Enum>
    bool word(const YAML::Node& node, std::string_view what,
              std::initializer_list<std::pair<std::string_view, Enum>> words, Enum& out) {
        std::string chosen;
        if (!text(node, what, chosen)) {
            return false;
        }
        std::string allowed;
        for (const auto& [word_text, value] : words) {
            if (chosen == word_text) {
                out = value;
                return true;
            }
            allowed += allowed.empty() ? "" : ", ";
            allowed += word_text;
        }
        mistake(node, std::string{what} + " is none of: " + allowed);
        return false;
    }

private:
    std::vector<Mistake> mistakes_;
};

// A mapping of which every key must be asked for.
class MapReader {
public:
    // When `node` is no mapping, that is a mistake and the map is empty.
    MapReader(PackReader& reader, const YAML::Node& node, std::string_view what);
    ~MapReader();  // reports keys that nobody asked for, and repeated ones
    MapReader(const MapReader&) = delete;
    MapReader& operator=(const MapReader&) = delete;

    YAML::Node optional(std::string_view key);  // undefined when absent
    YAML::Node required(std::string_view key);  // absent: a mistake
    bool has(std::string_view key) const;

    void text(std::string_view key, std::string& out);           // required, not empty
    void optional_text(std::string_view key, std::string& out);  // may be absent
    const YAML::Node& node() const { return node_; }

private:
    PackReader& reader_;
    YAML::Node node_;
    std::string what_;
    std::vector<std::string> asked_;
};

}  // namespace xinfu::policies
