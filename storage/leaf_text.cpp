#include "storage/leaf_text.hpp"

#include <algorithm>

namespace xinfu::storage {
namespace {

// What the leaf writer writes: texts, integers and objects of these, in RFC 8785's form.
class Reader {
public:
    using Members = std::vector<std::pair<std::string, std::string>>;

    Reader(std::string_view text, Members& members) : rest_(text), members_(members) {}

    bool whole() { return object({}, 0) && rest_.empty(); }

private:
    static constexpr int kDepthMax = 2;

    bool take(char expected) {
        if (rest_.empty() || rest_.front() != expected) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    bool object(const std::string& prefix, int depth) {
        if (depth == kDepthMax || !take('{')) {
            return false;
        }
        if (take('}')) {
            return true;
        }
        do {
            std::string name = prefix;
            if (!text(name) || !take(':') || !value(std::move(name), depth)) {
                return false;
            }
        } while (take(','));
        return take('}');
    }

    bool value(std::string name, int depth) {
        if (rest_.empty()) {
            return false;
        }
        if (rest_.front() == '{') {
            name.push_back('.');
            return object(name, depth + 1);
        }
        std::string out;
        if (rest_.front() == '"') {
            if (!text(out)) {
                return false;
            }
        } else {
            const std::size_t length = std::min(rest_.find_first_not_of("-0123456789"), rest_.size());
            if (length == 0) {
                return false;
            }
            out = rest_.substr(0, length);
            rest_.remove_prefix(length);
        }
        members_.emplace_back(std::move(name), std::move(out));
        return true;
    }

    // Appends to `out`.
    bool text(std::string& out) {
        if (!take('"')) {
            return false;
        }
        while (!rest_.empty()) {
            const std::size_t plain = std::min(rest_.find_first_of("\"\\"), rest_.size());
            out += rest_.substr(0, plain);
            rest_.remove_prefix(plain);
            if (take('"')) {
                return true;
            }
            if (!take('\\') || rest_.empty()) {
                return false;
            }
            const char escape = rest_.front();
            rest_.remove_prefix(1);
            switch (escape) {
                case '"': out.push_back('"'); break;
                case '\\': out.push_back('\\'); break;
                case 'b': out.push_back('\b'); break;
                case 'f': out.push_back('\f'); break;
                case 'n': out.push_back('\n'); break;
                case 'r': out.push_back('\r'); break;
                case 't': out.push_back('\t'); break;
                case 'u': {  // RFC 8785 writes only the other control characters so
                    constexpr std::string_view kDigits = "0123456789abcdef";
                    const auto high = rest_.size() < 4 ? std::string_view::npos : kDigits.find(rest_[2]);
                    const auto low = rest_.size() < 4 ? std::string_view::npos : kDigits.find(rest_[3]);
                    if (!rest_.starts_with("00") || high > 1 || low == std::string_view::npos) {
                        return false;
                    }
                    out.push_back(static_cast<char>(high * 16 + low));
                    rest_.remove_prefix(4);
                    break;
                }
                default: return false;
            }
        }
        return false;
    }

    std::string_view rest_;
    Members& members_;
};

}  // namespace

std::optional<LeafText> LeafText::read(ByteView entry) {
    LeafText leaf;
    leaf.members_.reserve(24);
    return Reader(as_text(entry), leaf.members_).whole() ? std::optional(std::move(leaf)) : std::nullopt;
}

std::string_view LeafText::operator[](std::string_view name) const {
    const auto found =
        std::ranges::find(members_, name, [](const auto& member) -> std::string_view { return member.first; });
    return found == members_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace xinfu::storage
