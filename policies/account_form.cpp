#include "policies/account_form.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "policies/identifiers.hpp"

namespace xinfu::policies {
namespace {

constexpr std::string_view kIncomplete = "XF-2018";

// IPv4 addresses are those of ::ffff:0:0/96, so that one comparison serves both.
struct Network {
    std::array<std::uint8_t, 16> address{};
    unsigned bits = 128;
};

std::optional<Network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string address(text.substr(0, slash));
    Network network;
    unsigned most = 128;
    unsigned before = 0;
    if (::inet_pton(AF_INET, address.c_str(), &network.address[12]) == 1) {
        network.address[10] = network.address[11] = 0xff;
        most = 32;
        before = 96;
    } else if (::inet_pton(AF_INET6, address.c_str(), network.address.data()) != 1) {
        return std::nullopt;
    }
    unsigned bits = most;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (error != std::errc{} || end != digits.data() + digits.size() || bits > most) {
            return std::nullopt;
        }
    }
    network.bits = before + bits;
    return network;
}

bool contains(const Network& network, const std::array<std::uint8_t, 16>& address) {
    const std::size_t whole = network.bits / 8;
    if (std::memcmp(network.address.data(), address.data(), whole) != 0) {
        return false;
    }
    const unsigned rest = network.bits % 8;
    return rest == 0 || ((network.address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

// Printable, and short enough for a line. `required` ones are not empty.
bool is_text(std::string_view text, bool required) {
    return (!text.empty() || !required) && text.size() <= kFormTextBytesMax &&
           std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

FormDefect wrong(std::string member) {
    return {kIncomplete, {std::move(member)}};
}

bool repeats(std::vector<std::string> list) {
    std::ranges::sort(list);
    return std::ranges::adjacent_find(list) != list.end();
}

std::optional<FormDefect> check_roles(const AccountForm& form, const AccessPolicy& policy) {
    if (form.roles.empty() || form.roles.size() > kFormListMax || repeats(form.roles)) {
        return wrong("roles");
    }
    for (const auto& held : form.roles) {
        const Role* role = policy.find(held);
        if (role == nullptr || role->kind != form.kind) {
            return wrong("roles");
        }
    }
    if (const auto conflict = find_conflict(policy, form.roles); !conflict.first.empty()) {
        return FormDefect{"XF-2010", {conflict.first, conflict.second}};
    }
    return std::nullopt;
}

}  // namespace

bool is_address_or_network(std::string_view text) {
    return parse_network(text).has_value();
}

bool lies_in(std::string_view address, const std::vector<std::string>& networks) {
    if (networks.empty()) {
        return true;
    }
    const auto at = parse_network(address);
    return at && at->bits == 128 && std::ranges::any_of(networks, [&](const std::string& text) {
               const auto network = parse_network(text);
               return network && contains(*network, at->address);
           });
}

std::optional<FormDefect> check_account_form(const AccountForm& form, const AccessPolicy& policy,
                                             const std::vector<std::string>& catalogs, std::int32_t today) {
    const bool person = form.kind == "person";
    if (!person && form.kind != "machine" && form.kind != "platform") {
        return wrong("kind");
    }
    if (check_uscc(form.unit) != UsccDefect::none) {
        return wrong("unit");
    }
    const std::pair<const char*, const std::string*> texts[] = {
        {"unit_name", &form.unit_name}, {"name", &form.name}, {"post", &form.post}, {"phone", &form.phone}};
    for (const auto& [member, text] : texts) {
        if (!is_text(*text, person || text == &form.unit_name || text == &form.name)) {
            return wrong(member);
        }
    }
    if (auto defect = check_roles(form, policy)) {
        return defect;
    }
    const auto known = [&](const std::string& name) { return std::ranges::find(catalogs, name) != catalogs.end(); };
    if (form.catalogs.size() > kFormListMax || repeats(form.catalogs) || !std::ranges::all_of(form.catalogs, known)) {
        return wrong("catalogs");
    }
    const auto is_unit = [](const std::string& unit) { return check_uscc(unit) == UsccDefect::none; };
    if ((form.kind == "platform") == form.units.empty() || form.units.size() > kFormUnitsMax || repeats(form.units) ||
        !std::ranges::all_of(form.units, is_unit)) {
        return wrong("units");
    }
    if (form.sources.size() > kFormListMax || !std::ranges::all_of(form.sources, is_address_or_network)) {
        return wrong("sources");
    }
    if (form.valid_until ? *form.valid_until < today || *form.valid_until > today + kAccountDaysMax : person) {
        return wrong("valid_until");
    }
    return std::nullopt;
}

}  // namespace xinfu::policies
