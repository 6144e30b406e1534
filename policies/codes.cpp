#include "policies/codes.hpp"

#include <algorithm>

#include "policies/codes_tables.hpp"

namespace xinfu::policies {

std::span<const CodeText> all_codes() {
    static const std::vector<CodeText> joined = [] {
        std::vector<CodeText> codes;
        for (const auto part : {tables::identity(), tables::package(), tables::files(), tables::records(),
                                tables::values(), tables::service(), tables::evidence()}) {
            codes.insert(codes.end(), part.begin(), part.end());
        }
        std::ranges::sort(codes, {}, &CodeText::code);
        return codes;
    }();
    return joined;
}

const CodeText* find_code(std::string_view code) {
    const auto codes = all_codes();
    const auto found = std::ranges::lower_bound(codes, code, {}, &CodeText::code);
    return found != codes.end() && found->code == code ? &*found : nullptr;
}

std::string fill_in(std::string_view sentence, const std::vector<std::string>& arguments) {
    std::string filled;
    filled.reserve(sentence.size() + 32);
    for (std::size_t at = 0; at < sentence.size(); ++at) {
        const bool placeholder = sentence[at] == '{' && at + 2 < sentence.size() && sentence[at + 2] == '}' &&
                                 sentence[at + 1] >= '0' && sentence[at + 1] <= '9';
        if (!placeholder) {
            filled += sentence[at];
            continue;
        }
        const auto index = static_cast<std::size_t>(sentence[at + 1] - '0');
        // An argument that was not given leaves a mark, so that the sentence stays readable.
        filled += index < arguments.size() ? arguments[index] : std::string{"…"};
        at += 2;
    }
    return filled;
}

}  // namespace xinfu::policies
