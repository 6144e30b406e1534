#include "policies/password_policy.hpp"

#include <algorithm>

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

}  // namespace xinfu::policies
