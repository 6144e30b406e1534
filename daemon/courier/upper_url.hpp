// UpperUrl: where an upper level listens: https://host:port.
//
// Errors: an empty optional for anything else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xinfu::courier {

struct UpperUrl {
    std::string host;  // a name or the text of an address, without brackets
    std::uint16_t port = 443;

    std::string authority() const;  // as a Host header has it
    bool is_address() const;        // no name to resolve
};

std::optional<UpperUrl> parse_upper_url(std::string_view text);

}  // namespace xinfu::courier
