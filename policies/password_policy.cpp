#include "policies/password_policy.hpp"

#include <algorithm>
#include <array>

#include "policies/text.hpp"

namespace xinfu::policies {
namespace {

constexpr PasswordParameter kParameters[] = {
    {"characters_min", &PasswordPolicy::characters_min, 8, 128, true},
    {"classes_min", &PasswordPolicy::classes_min, 3, 4, true},
    {"guess_bits_min", &PasswordPolicy::guess_bits_min, 30, 80, true},
    {"history", &PasswordPolicy::history, 1, 24, true},
    {"days_max", &PasswordPolicy::days_max, 1, 90, false},
    {"failures_max", &PasswordPolicy::failures_max, 1, 10, false},
    {"locked_minutes", &PasswordPolicy::locked_minutes, 10, 24 * 60, true},
    {"idle_minutes", &PasswordPolicy::idle_minutes, 1, 30, false},
    {"session_hours", &PasswordPolicy::session_hours, 1, 12, false},
};

std::uint32_t count_classes(std::string_view password) {
    std::array<bool, 4> seen{};
    for (const char byte : password) {
        const bool small = byte >= 'a' && byte <= 'z';
        const bool capital = byte >= 'A' && byte <= 'Z';
        const bool digit = byte >= '0' && byte <= '9';
        seen[small ? 0 : capital ? 1 : digit ? 2 : 3] = true;
    }
    return static_cast<std::uint32_t>(std::ranges::count(seen, true));
}

}  // namespace

std::span<const PasswordParameter> password_parameters() {
    return kParameters;
}

std::vector<std::string_view> weaker_parameters(const PasswordPolicy& policy, const PasswordPolicy& other) {
    std::vector<std::string_view> weaker;
    for (const auto& parameter : kParameters) {
        const auto mine = policy.*parameter.value;
        const auto theirs = other.*parameter.value;
        if (parameter.more_is_stricter ? mine < theirs : mine > theirs) {
            weaker.push_back(parameter.key);
        }
    }
    return weaker;
}

bool is_allowed(const PasswordPolicy& policy) {
    return std::ranges::all_of(kParameters, [&](const PasswordParameter& parameter) {
        const auto value = policy.*parameter.value;
        return value >= parameter.least && value <= parameter.most;
    });
}

std::optional<PasswordFault> find_fault(const PasswordPolicy& policy, std::string_view password,
                                        std::span<const std::string> own_words) {
    if (count_characters(password) < policy.characters_min) {
        return PasswordFault{"XF-1010", {std::to_string(policy.characters_min)}};
    }
    if (count_classes(password) < policy.classes_min) {
        return PasswordFault{"XF-1023", {std::to_string(policy.classes_min)}};
    }
    if (guess_bits(password, own_words) < policy.guess_bits_min) {
        return PasswordFault{"XF-1024"};
    }
    return std::nullopt;
}

}  // namespace xinfu::policies
