// Whatever the octets: every reading of identifiers is total, normalising twice changes nothing, a code that passes has
// both its check characters and loses them with any one character changed, what is found in a text lies in it, and
// a mask keeps hidden what it must. CHK-06.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policies/identifiers.hpp"
#include "policies/mask.hpp"
#include "policies/text.hpp"

namespace {

using namespace xinfu::policies;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void try_unified_code(const std::string& code) {
    if (check_uscc(code) != UsccDefect::none) {
        return;
    }
    require(code.size() == 18 && is_organisation_code(std::string_view{code}.substr(8, 9)));
    require(code != std::string(18, '0'));
    constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    for (std::size_t at = 0; at < code.size(); ++at) {
        auto changed = code;
        const auto found = kAlphabet.find(code[at]);
        require(found != std::string_view::npos);
        changed[at] = kAlphabet[(found + 1 + code.size() % 29) % kAlphabet.size()];
        require(check_uscc(changed) != UsccDefect::none);
    }
    require(!is_identity_number(code.substr(0, 17)));
}

void try_identity_number(const std::string& number) {
    if (const auto upgraded = upgrade_identity_number(number); !upgraded.empty()) {
        require(is_identity_number(upgraded));
    }
    if (!is_identity_number(number)) {
        return;
    }
    const std::string text = "证件号" + number + "。";
    require(find_identity_number(text) == number);
    for (std::size_t at = 0; at < 17; ++at) {
        auto changed = number;
        changed[at] = static_cast<char>('0' + (changed[at] - '0' + 1) % 10);
        require(!is_identity_number(changed));
    }
    require(mask(MaskRule{6, 4, {}, {}}, number).substr(6, 8) == "********");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    std::string normalised;
    std::string again;
    const bool changed = normalise_code(text, normalised);
    require(changed == (normalised != text));
    if (find_malformed_utf8(text) == std::string_view::npos) {  // else a blank may stand inside a character
        require(!normalise_code(normalised, again) && again == normalised);
    }
    try_unified_code(normalised);
    try_identity_number(normalised);
    static_cast<void>(is_organisation_code(text));
    static_cast<void>(is_registration_number(text));
    static_cast<void>(is_tax_number(text));

    const auto found = find_identity_number(text);
    if (!found.empty()) {
        require(found.data() >= text.data() && found.data() + found.size() <= text.data() + text.size());
        std::string number;
        normalise_code(found, number);
        require(is_identity_number(number));
    }
    // The first line as a mask, the rest as what it hides.
    const auto line = std::min(text.find('\n'), text.size());
    if (const auto rule = parse_mask(text.substr(0, line))) {
        const auto value = text.substr(std::min(line + 1, text.size()));
        const auto hidden = mask(*rule, value);
        require(value.empty() || hidden.find('*') != std::string::npos);
        require(hidden.size() <= value.size() + 16);
    }
    return 0;
}
