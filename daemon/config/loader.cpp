#include "daemon/config/loader.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "daemon/config/endpoint.hpp"
#include "daemon/config/fields.hpp"
#include "daemon/config/paths.hpp"

namespace xinfu::config {
namespace {

constexpr std::size_t kFileSizeBytesMax = std::size_t{1} << 20;

bool is_name(std::string_view text, std::size_t size_max) {
    return !text.empty() && text.size() <= size_max && text.front() != '-' && text.back() != '-' &&
           std::ranges::all_of(text,
                               [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

// https://host:port with nothing behind it: what is appended are the contract's paths.
bool is_url(std::string_view text) {
    constexpr std::string_view kScheme = "https://";
    if (!text.starts_with(kScheme)) {
        return false;
    }
    text.remove_prefix(kScheme.size());
    if (text.starts_with('[')) {
        return parse_endpoint(text).has_value();
    }
    const auto colon = text.find(':');
    return colon != std::string_view::npos && colon > 0 &&
           parse_endpoint("127.0.0.1" + std::string(text.substr(colon))).has_value() &&
           std::ranges::all_of(text.substr(0, colon), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '.';
           });
}

// C2SP signed-note verifier key: name+8 hex digits+base64. The signature code decides about the key itself.
bool is_verifier_key(std::string_view text) {
    const auto first = text.find('+');
    const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
    return second != std::string_view::npos && first > 0 && second - first == 9 && second + 1 < text.size();
}

bool stays_beneath(const std::string& path) {
    const std::filesystem::path parts(path);
    return !path.empty() && parts.is_relative() &&
           std::ranges::none_of(parts, [](const auto& part) { return part == ".."; });
}

std::string text_of(std::uint64_t bytes) {
    for (const auto& [unit, name] :
         {std::pair(kTiB, "TiB"), std::pair(kGiB, "GiB"), std::pair(kMiB, "MiB"), std::pair(kKiB, "KiB")}) {
        if (bytes >= unit && bytes % unit == 0) {
            return std::to_string(bytes / unit) + name;
        }
    }
    return std::to_string(bytes);
}

// Collects mistakes; remembers where each key's value stands, for the relations checked at the end.
struct Findings {
    std::string file;
    std::vector<Mistake> mistakes;
    std::map<std::string, YAML::Mark> places;

    void add(const YAML::Mark& mark, const std::string& key, std::string text) {
        Mistake mistake;
        mistake.file = file;
        if (!mark.is_null()) {
            mistake.line = static_cast<std::size_t>(mark.line) + 1;
            mistake.column = static_cast<std::size_t>(mark.column) + 1;
        }
        mistake.key = key;
        mistake.text = std::move(text);
        mistakes.push_back(std::move(mistake));
    }
    // At the key, or, when the file leaves it at its default, at the other key of the relation.
    void add_at(const std::string& key, std::string text, const std::string& other = {}) {
        auto found = places.find(key);
        if (found == places.end()) {
            found = places.find(other);
        }
        add(found == places.end() ? YAML::Mark::null_mark() : found->second, key, std::move(text));
    }
};

// Reads one mapping. Every visited field takes its key; what is left over is unknown.
class Reader {
public:
    Reader(Findings& findings, YAML::Node node, std::string prefix)
        : findings_(findings), node_(std::move(node)), prefix_(std::move(prefix)) {
        if (!node_.IsMap()) {
            findings_.add(node_.Mark(), prefix_, "a mapping of keys is expected here");
            return;
        }
        for (const auto& entry : node_) {
            if (!entry.first.IsScalar()) {
                findings_.add(entry.first.Mark(), prefix_, "a key must be plain text");
                continue;
            }
            const auto& name = entry.first.Scalar();
            if (!values_.emplace(name, Value{entry.first.Mark(), entry.second}).second) {
                findings_.add(entry.first.Mark(), path_of(name), "the key stands here a second time");
            }
        }
    }

    template <class Number>
    void number(const char* key, Number& field, std::uint64_t least, std::uint64_t most) {
        read(key, [&](const YAML::Node& value) {
            const auto parsed = parse_size(value.Scalar());
            const bool bare = value.Scalar().find_first_not_of("0123456789") == std::string::npos;
            if (!parsed || !bare || *parsed < least || *parsed > most) {
                return "a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " is expected";
            }
            field = static_cast<Number>(*parsed);
            return std::string();
        });
    }
    void size(const char* key, std::uint64_t& field, std::uint64_t least, std::uint64_t most) {
        read(key, [&](const YAML::Node& value) {
            const auto parsed = parse_size(value.Scalar());
            if (!parsed || *parsed < least || *parsed > most) {
                return "a size from " + text_of(least) + " to " + text_of(most) +
                       " is expected, in bytes or with KiB, MiB, GiB, TiB";
            }
            field = *parsed;
            return std::string();
        });
    }
    template <class Duration>
    void duration(const char* key, Duration& field, Duration least, Duration most) {
        constexpr auto kUnit = std::chrono::duration_cast<std::chrono::milliseconds>(Duration{1}).count();
        read(key, [&](const YAML::Node& value) {
            const auto parsed = parse_duration_ms(value.Scalar(), kUnit);
            if (!parsed || *parsed % kUnit != 0 || *parsed / kUnit < least.count() || *parsed / kUnit > most.count()) {
                const std::string unit = kUnit == 1 ? "ms" : "s";
                return "a time from " + std::to_string(least.count()) + unit + " to " + std::to_string(most.count()) +
                       unit + " is expected, such as " + std::to_string(most.count()) + unit;
            }
            field = Duration(*parsed / kUnit);
            return std::string();
        });
    }
    void boolean(const char* key, bool& field) {
        read(key, [&](const YAML::Node& value) {
            if (value.Scalar() != "true" && value.Scalar() != "false") {
                return std::string("true or false is expected");
            }
            field = value.Scalar() == "true";
            return std::string();
        });
    }
    void endpoints(const char* key, std::vector<std::string>& field, std::size_t count_max) {
        const YAML::Node value = take(key);
        if (!value) {
            return;
        }
        if (!value.IsSequence() || value.size() == 0 || value.size() > count_max) {
            findings_.add(value.Mark(), path_of(key),
                          "a list of 1 to " + std::to_string(count_max) + " entries \"address:port\" is expected");
            return;
        }
        field.clear();
        std::size_t index = 0;
        for (const auto& entry : value) {
            const std::string path = path_of(key) + "[" + std::to_string(index++) + "]";
            if (!entry.IsScalar() || !parse_endpoint(entry.Scalar())) {
                findings_.add(entry.Mark(), path, kEndpointExpected);
            } else if (std::ranges::find(field, entry.Scalar()) != field.end()) {
                findings_.add(entry.Mark(), path, "stands in the list twice");
            } else {
                field.push_back(entry.Scalar());
            }
        }
    }
    void loopback_endpoint(const char* key, std::string& field) {
        read(key, [&](const YAML::Node& value) {
            const auto endpoint = parse_endpoint(value.Scalar());
            if (!value.Scalar().empty() && (!endpoint || !endpoint->is_loopback())) {
                return std::string("a loopback \"address:port\" is expected, such as 127.0.0.1:9464, or \"\" for none");
            }
            field = value.Scalar();
            return std::string();
        });
    }
    void path(const char* key, std::string& field) {
        text(key, field, "a path is expected",
             [](const std::string& value) { return !value.empty() && value.find('\0') == std::string::npos; });
    }
    void state_path(const char* key, std::string& field) {
        text(key, field, "a path beneath the state directory is expected, such as certificates/route-province.pem",
             stays_beneath, true);
    }
    void name(const char* key, std::string& field, std::size_t size_max) {
        text(
            key, field, "1 to " + std::to_string(size_max) + " of a-z, 0-9 and - (not at the ends) are expected",
            [size_max](const std::string& value) { return is_name(value, size_max); }, true);
    }
    void level(const char* key, std::string& field) {
        text(
            key, field, "province or nation is expected",
            [](const std::string& value) { return value == "province" || value == "nation"; }, true);
    }
    void suite(const char* key, std::string& field) {
        text(key, field, "standard is expected: no other suite exists yet",
             [](const std::string& value) { return value == "standard"; });
    }
    void url(const char* key, std::string& field) {
        text(
            key, field, "https://host:port is expected, without a slash at the end",
            [](const std::string& value) { return is_url(value); }, true);
    }
    void log_key(const char* key, std::string& field) {
        text(
            key, field, "a log's verifier key is expected, as `xinfu status` prints it: name+hash+base64",
            [](const std::string& value) { return is_verifier_key(value); }, true);
    }
    void witness_key(const char* key, std::string& field) {
        text(key, field, "a witness's verifier key is expected, as its `xinfu status` prints it: name+hash+base64",
             [](const std::string& value) { return is_verifier_key(value); });
    }
    template <class Section>
    void section(const char* key, Section& field) {
        const YAML::Node value = take(key);
        if (value) {
            Reader reader(findings_, value, path_of(key));
            visit_fields(reader, field);
            reader.finish();
        }
    }
    template <class Element>
    void list(const char* key, std::vector<Element>& field, std::size_t count_max) {
        const YAML::Node value = take(key);
        if (!value || (value.IsSequence() && value.size() == 0)) {
            return;
        }
        if (!value.IsSequence() || value.size() > count_max) {
            findings_.add(value.Mark(), path_of(key),
                          "a list of at most " + std::to_string(count_max) + " entries is expected");
            return;
        }
        std::size_t index = 0;
        for (const auto& entry : value) {
            Reader reader(findings_, entry, path_of(key) + "[" + std::to_string(index++) + "]");
            visit_fields(reader, field.emplace_back());
            reader.finish();
        }
    }

    void finish() {
        for (const auto& [key, value] : values_) {
            if (known_.contains(key)) {
                continue;
            }
            std::string known;
            for (const auto& name : known_) {
                known += (known.empty() ? "" : ", ") + name;
            }
            findings_.add(value.key_mark, path_of(key), "unknown key; known here: " + known);
        }
    }

private:
    static constexpr const char* kEndpointExpected = "\"address:port\" is expected, such as 0.0.0.0:8443 or [::]:8443";

    struct Value {
        YAML::Mark key_mark;
        YAML::Node node;
    };

    std::string path_of(const std::string& key) const { return prefix_.empty() ? key : prefix_ + "." + key; }

    // The key's value; an undefined node when it is absent.
    YAML::Node take(const std::string& key) {
        known_.insert(key);
        const auto found = values_.find(key);
        if (found == values_.end()) {
            return YAML::Node(YAML::NodeType::Undefined);
        }
        findings_.places[path_of(key)] = found->second.node.Mark();
        return found->second.node;
    }
    // `parse` answers what is wrong with a scalar, or nothing.
    template <class Parse>
    void read(const std::string& key, const Parse& parse) {
        const YAML::Node value = take(key);
        if (!value) {
            return;
        }
        if (!value.IsScalar()) {
            findings_.add(value.Mark(), path_of(key), "one plain value is expected");
            return;
        }
        if (const std::string wrong = parse(value); !wrong.empty()) {
            findings_.add(value.Mark(), path_of(key), wrong);
        }
    }
    template <class Check>
    void text(const std::string& key, std::string& field, const std::string& expected, const Check& fits,
              bool required = false) {
        if (required && !values_.contains(key) && node_.IsMap()) {
            known_.insert(key);
            findings_.add(node_.Mark(), path_of(key), "is missing: " + expected);
            return;
        }
        read(key, [&](const YAML::Node& value) {
            if (!fits(value.Scalar())) {
                return expected;
            }
            field = value.Scalar();
            return std::string();
        });
    }

    Findings& findings_;
    YAML::Node node_;
    std::string prefix_;
    std::map<std::string, Value> values_;
    std::set<std::string> known_;
};

// An origin is "<node>/log", or "<node>/log/<epoch>" after a rollback (docs/FORMATS.md).
void check_log_key(Findings& findings, const std::string& prefix, const std::string& node, const std::string& log_key) {
    const auto origin = log_key.substr(0, log_key.find('+'));
    if (!node.empty() && !log_key.empty() && origin != node + "/log" && !origin.starts_with(node + "/log/")) {
        findings.add_at(prefix + ".log_key", "is the key of another log than " + node + "/log");
    }
}

void check_witnessed(Findings& findings, const Config& config) {
    std::set<std::string> nodes{config.node};
    for (std::size_t n = 0; n < config.witnessed.size(); ++n) {
        const auto& log = config.witnessed[n];
        const std::string prefix = "witnessed[" + std::to_string(n) + "]";
        if (!log.node.empty() && !nodes.insert(log.node).second) {
            findings.add_at(prefix + ".node", log.node == config.node ? "is this node itself" : "is named already");
        }
        check_log_key(findings, prefix, log.node, log.log_key);
    }
}

void check_relations(Findings& findings, const Config& config) {
    const auto& limits = config.gateway.limits;
    if (limits.connections_per_source > limits.connections) {
        findings.add_at("gateway.limits.connections_per_source", "must not exceed gateway.limits.connections",
                        "gateway.limits.connections");
    }
    if (config.vault.leaf_reserve_bytes > config.vault.disk_reserve_bytes) {
        findings.add_at("vault.leaf_reserve_bytes",
                        "must not exceed vault.disk_reserve_bytes: leaves go on where submissions have stopped",
                        "vault.disk_reserve_bytes");
    }
    if (config.courier.retry_min_ms > config.courier.retry_max_ms) {
        findings.add_at("courier.retry_max_ms", "must be at least courier.retry_min_ms", "courier.retry_min_ms");
    }
    std::set<std::string> names;
    for (std::size_t n = 0; n < config.routes.size(); ++n) {
        const auto& route = config.routes[n];
        const std::string prefix = "routes[" + std::to_string(n) + "]";
        if (!route.name.empty() && !names.insert(route.name).second) {
            findings.add_at(prefix + ".name", "is another route's name already");
        }
        if (!route.node.empty() && route.node == config.node) {
            findings.add_at(prefix + ".node", "is this node itself");
        }
        check_log_key(findings, prefix, route.node, route.log_key);
        std::set<std::string> levels{route.level};
        for (std::size_t m = 0; m < route.onward.size(); ++m) {
            const auto& onward = route.onward[m];
            const std::string beyond = prefix + ".onward[" + std::to_string(m) + "]";
            if (!onward.level.empty() && !levels.insert(onward.level).second) {
                findings.add_at(beyond + ".level", "is a level that this route reaches already");
            }
            check_log_key(findings, beyond, onward.node, onward.log_key);
        }
    }
    check_witnessed(findings, config);
}

Loaded unreadable(const std::string& name, const std::string& why) {
    Loaded loaded;
    Mistake mistake;
    mistake.file = name;
    mistake.text = why;
    loaded.mistakes.push_back(std::move(mistake));
    return loaded;
}

Loaded read_document(const YAML::Node& document, const std::string& name) {
    Findings findings;
    findings.file = name;
    Config config;
    Reader reader(findings, document, "");
    visit_fields(reader, config);
    reader.finish();
    check_relations(findings, config);
    std::ranges::stable_sort(findings.mistakes, [](const Mistake& a, const Mistake& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    Loaded loaded;
    loaded.mistakes = std::move(findings.mistakes);
    if (loaded.mistakes.empty()) {
        loaded.config = std::move(config);
    }
    return loaded;
}

}  // namespace

std::string to_string(const Mistake& mistake) {
    std::string text = mistake.file;
    if (mistake.line > 0) {
        text += ":" + std::to_string(mistake.line) + ":" + std::to_string(mistake.column);
    }
    return text + ": " + (mistake.key.empty() ? "" : mistake.key + ": ") + mistake.text;
}

std::vector<Mistake> mistakes_in(const Paths& paths, const std::string& node) {
    // Made, not parsed: the rules are those of files, and nothing in a text is YAML.
    YAML::Node document;
    document["node"] = node;
    YAML::Node gateway;
    for (const auto& endpoint : paths.listen) {
        gateway["listen"].push_back(endpoint);
    }
    if (paths.listen.empty()) {
        gateway["listen"] = YAML::Node(YAML::NodeType::Sequence);
    }
    gateway["metrics"] = paths.metrics;
    gateway["tls12"] = paths.tls12 ? "true" : "false";
    document["gateway"] = gateway;
    for (const auto& route : paths.routes) {
        YAML::Node told;
        told["name"] = route.name;
        told["level"] = route.level;
        told["node"] = route.node;
        told["url"] = route.url;
        told["anchors"] = route.anchors;
        told["log_key"] = route.log_key;
        told["envelope"] = route.envelope;
        if (!route.witness_key.empty()) {
            told["witness_key"] = route.witness_key;
        }
        for (const auto& beyond : route.onward) {
            YAML::Node further;
            further["level"] = beyond.level;
            further["node"] = beyond.node;
            further["log_key"] = beyond.log_key;
            told["onward"].push_back(further);
        }
        document["routes"].push_back(told);
    }
    for (const auto& log : paths.witnessed) {
        YAML::Node told;
        told["node"] = log.node;
        told["log_key"] = log.log_key;
        document["witnessed"].push_back(told);
    }
    return read_document(document, "the paths").mistakes;
}

Loaded load_text(std::string_view text, const std::string& name) try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.size() != 1) {
        return unreadable(name, "one YAML document is expected");
    }
    return read_document(documents.front(), name);
} catch (const YAML::Exception& wrong) {
    Findings findings;
    findings.file = name;
    findings.add(wrong.mark, "", "not YAML: " + wrong.msg);
    Loaded loaded;
    loaded.mistakes = std::move(findings.mistakes);
    return loaded;
}
Loaded load_descriptor(int fd, const std::string& name) {
    std::string text;
    for (;;) {
        char part[4096];
        const ssize_t size = ::pread(fd, part, sizeof part, static_cast<off_t>(text.size()));
        if (size < 0) {
            return unreadable(name, std::strerror(errno));
        }
        if (size == 0) {
            return load_text(text, name);
        }
        text.append(part, static_cast<std::size_t>(size));
        if (text.size() > kFileSizeBytesMax) {
            return unreadable(name, "is larger than 1 MiB");
        }
    }
}

Loaded load_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return unreadable(path, std::strerror(errno));
    }
    auto loaded = load_descriptor(fd, path);
    ::close(fd);
    if (loaded.config) {
        const auto folder = std::filesystem::absolute(path).parent_path();
        for (std::string* place : {&loaded.config->state, &loaded.config->vault.key_wrapping_key}) {
            *place = (folder / *place).lexically_normal().string();
        }
    }
    return loaded;
}

}  // namespace xinfu::config
