// Refusal: why a file as a whole is not accepted. The words are policies/codes.hpp's.
#pragma once

#include <string>
#include <vector>

#include "daemon/boundary/common.pb.h"

namespace xinfu::inspector {

struct Refusal {
    std::string code;  // "XF-3nnn"
    std::vector<std::string> arguments;
};

inline boundary::Problem to_problem(const Refusal& refusal) {
    boundary::Problem problem;
    problem.set_code(refusal.code);
    for (const auto& argument : refusal.arguments) {
        problem.add_arguments(argument);
    }
    return problem;
}

}  // namespace xinfu::inspector
