// Mask: how a personal value is shown to those who may know that it exists but not what it is.
//
// A rule is the text of a pack's field: "first,last" characters kept, such as "6,4" for identity numbers,
// "1,0" for names and "3,4" for telephone numbers; optionally " when FIELD=VALUE", so that a name is masked
// only for natural persons: "1,0 when CF_XDR_LB=自然人". An empty rule masks nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace xinfu::policies {

struct MaskRule {
    std::size_t first = 0;
    std::size_t last = 0;
    std::string when_field;  // empty: always
    std::string when_value;
};

std::optional<MaskRule> parse_mask(std::string_view rule);

// One '*' for each hidden character (code point), at most 16 of them. At least a third of the characters is
// hidden, whatever the rule keeps; bytes that are not UTF-8 count as one character each.
std::string mask(const MaskRule& rule, std::string_view value);

// `value_of` answers the record's value of another field, or an empty view. A rule that cannot be parsed
// hides everything.
std::string mask_by(std::string_view rule, std::string_view value,
                    const std::function<std::string_view(std::string_view field)>& value_of);

}  // namespace xinfu::policies
