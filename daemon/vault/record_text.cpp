#include "daemon/vault/record_text.hpp"

#include <algorithm>

#include "crypto/canonical_json.hpp"
#include "policies/mask.hpp"

namespace xinfu::vault {
namespace {

// The vault reads back what it wrote itself: {"code":"value",...} with RFC 8785's escapes.
class RecordText {
public:
    explicit RecordText(std::string_view text) : rest_(text) {}

    std::optional<RecordFields> read() {
        RecordFields fields;
        if (!take('{')) {
            return std::nullopt;
        }
        if (take('}')) {
            return rest_.empty() ? std::optional(std::move(fields)) : std::nullopt;
        }
        do {
            auto code = text();
            if (!code || !take(':')) {
                return std::nullopt;
            }
            auto value = text();
            if (!value) {
                return std::nullopt;
            }
            fields.emplace_back(std::move(*code), std::move(*value));
        } while (take(','));
        return take('}') && rest_.empty() ? std::optional(std::move(fields)) : std::nullopt;
    }

private:
    bool take(char expected) {
        if (rest_.empty() || rest_.front() != expected) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    std::optional<std::string> text() {
        if (!take('"')) {
            return std::nullopt;
        }
        std::string out;
        while (!rest_.empty()) {
            const char next = rest_.front();
            rest_.remove_prefix(1);
            if (next == '"') {
                return out;
            }
            if (next != '\\') {
                out.push_back(next);
                continue;
            }
            if (rest_.empty()) {
                return std::nullopt;
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
                case 'u': {  // control characters only: RFC 8785 section 3.2.2.2
                    const auto code = rest_.size() >= 4 ? from_hex(rest_.substr(0, 4)) : std::nullopt;
                    if (!code || (*code)[0] != 0 || (*code)[1] >= 0x20) {
                        return std::nullopt;
                    }
                    out.push_back(static_cast<char>((*code)[1]));
                    rest_.remove_prefix(4);
                    break;
                }
                default: return std::nullopt;
            }
        }
        return std::nullopt;
    }

    std::string_view rest_;
};

}  // namespace

std::optional<RecordFields> read_record_text(std::string_view canonical) {
    return RecordText(canonical).read();
}

std::string mask_record(std::string_view canonical, const MaskField& mask) {
    const auto fields = read_record_text(canonical);
    if (!fields) {
        return {};
    }
    const std::function<std::string_view(std::string_view)> value_of = [&fields](std::string_view code) {
        const auto found = std::ranges::find(*fields, code, &std::pair<std::string, std::string>::first);
        return found == fields->end() ? std::string_view() : std::string_view(found->second);
    };
    std::vector<std::string> shown;
    shown.reserve(fields->size());
    for (const auto& [code, value] : *fields) {
        shown.push_back(mask(code, value, value_of));
    }
    std::vector<crypto::TextField> masked;
    for (std::size_t i = 0; i < fields->size(); ++i) {
        masked.emplace_back((*fields)[i].first, shown[i]);
    }
    std::string out;
    crypto::append_canonical_record(out, masked);
    return out;
}

CatalogMask::CatalogMask(const PolicySet& policies, std::string_view catalog) {
    for (const auto* version : policies.versions(catalog)) {
        for (const auto& field : version->fields()) {
            described_.emplace(field.code(), &field);
        }
    }
}

std::string CatalogMask::operator()(std::string_view code, std::string_view value,
                                    const std::function<std::string_view(std::string_view)>& value_of) const {
    const auto found = described_.find(code);
    // A field the pack does not describe is nobody's to read.
    const bool hidden = found == described_.end() || found->second->visibility() == "secret";
    return hidden ? policies::mask(policies::MaskRule{}, value)
                  : policies::mask_by(found->second->mask(), value, value_of);
}

}  // namespace xinfu::vault
