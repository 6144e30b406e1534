// A visitor of the configuration's fields that writes down each key with its default and range, in the words
// of docs/CONFIGURATION.md.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/fields.hpp"

namespace xinfu::config::test {

struct Key {
    std::string path;
    std::string fallback;  // "none" where the file must say it
    std::string range;
};

inline std::string size_text(std::uint64_t bytes) {
    for (const auto& [unit, name] :
         {std::pair(kTiB, "TiB"), std::pair(kGiB, "GiB"), std::pair(kMiB, "MiB"), std::pair(kKiB, "KiB")}) {
        if (bytes >= unit && bytes % unit == 0) {
            return std::to_string(bytes / unit) + name;
        }
    }
    return std::to_string(bytes);
}
inline std::string time_text(std::chrono::seconds time) {
    return std::to_string(time.count()) + "s";
}
inline std::string time_text(std::chrono::milliseconds time) {
    return std::to_string(time.count()) + "ms";
}

class Describer {
public:
    explicit Describer(std::string prefix = {}) : prefix_(std::move(prefix)) {}

    template <class Number>
    void number(const char* key, Number field, std::uint64_t least, std::uint64_t most) {
        add(key, std::to_string(field), std::to_string(least) + " to " + std::to_string(most));
    }
    void size(const char* key, std::uint64_t field, std::uint64_t least, std::uint64_t most) {
        add(key, size_text(field), size_text(least) + " to " + size_text(most));
    }
    template <class Duration>
    void duration(const char* key, Duration field, Duration least, Duration most) {
        add(key, time_text(field), time_text(least) + " to " + time_text(most));
    }
    void boolean(const char* key, bool field) { add(key, field ? "true" : "false", "true or false"); }
    void endpoints(const char* key, const std::vector<std::string>& field, std::size_t count_max) {
        add(key, field.front(), "1 to " + std::to_string(count_max) + " endpoints");
    }
    void loopback_endpoint(const char* key, const std::string& field) { add(key, field, "loopback endpoint"); }
    void path(const char* key, const std::string& field) { add(key, field, "path"); }
    void state_path(const char* key, const std::string& field) { add(key, field, "path beneath state"); }
    void name(const char* key, const std::string& field, std::size_t size_max) {
        add(key, field, "name, " + std::to_string(size_max));
    }
    void level(const char* key, const std::string& field) { add(key, field, "level"); }
    void suite(const char* key, const std::string& field) { add(key, field, "suite"); }
    void url(const char* key, const std::string& field) { add(key, field, "url"); }
    void log_key(const char* key, const std::string& field) { add(key, field, "log key"); }
    void witness_key(const char* key, const std::string& field) { add(key, field, "witness key"); }
    template <class Section>
    void section(const char* key, Section& field) {
        describe(prefix_ + key + ".", field);
    }
    template <class Element>
    void list(const char* key, std::vector<Element>&, std::size_t count_max) {
        if (!prefix_.empty()) {
            add(key, "", "at most " + std::to_string(count_max));
        }
        Element element;
        describe(prefix_ + key + "[].", element);
    }

    std::vector<Key> keys;

private:
    template <class Section>
    void describe(const std::string& prefix, Section& section) {
        Describer inner(prefix);
        visit_fields(inner, section);
        keys.insert(keys.end(), inner.keys.begin(), inner.keys.end());
    }
    void add(const char* key, const std::string& fallback, const std::string& range) {
        keys.push_back({prefix_ + key, fallback.empty() ? "none" : fallback, range});
    }
    std::string prefix_;
};

}  // namespace xinfu::config::test
