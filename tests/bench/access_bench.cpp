// How long one decision takes: a thousand accounts, a hundred roles with ten thousand grants in all, whoever asks.
//   build/release/bin/access_bench
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "policies/access.hpp"

namespace {

using namespace xinfu::policies;

constexpr std::size_t kRoles = 100;
constexpr std::size_t kGrants = 10000;
constexpr std::size_t kAccounts = 1000;

struct World {
    AccessPolicy policy;
    std::vector<std::vector<std::string>> accounts;  // their roles
};

const World& world() {
    static const World made = [] {
        World world;
        std::mt19937 random{20261123};
        for (std::size_t r = 0; r < kRoles; ++r) {
            Role role;
            role.name = "role_of_a_section_" + std::to_string(r);
            for (std::size_t g = 0; g < kGrants / kRoles; ++g) {
                role.grants.push_back({std::string{verb::all[random() % std::size(verb::all)]},
                                       "administrative-catalog-" + std::to_string(random() % 50),
                                       static_cast<Scope>(random() % 3)});
            }
            world.policy.roles.push_back(std::move(role));
        }
        for (std::size_t a = 0; a < kAccounts; ++a) {
            world.accounts.push_back({world.policy.roles[random() % kRoles].name,
                                      world.policy.roles[random() % kRoles].name,
                                      world.policy.roles[random() % kRoles].name});
        }
        return world;
    }();
    return made;
}

void decision(benchmark::State& state) {
    const auto& [policy, accounts] = world();
    std::size_t n = 0;
    for (auto _ : state) {
        const auto verb = verb::all[n % std::size(verb::all)];
        const bool permit =
            decide(policy, accounts[n++ % kAccounts], verb, "administrative-catalog-7", Relation::own_unit).permit;
        benchmark::DoNotOptimize(permit);
    }
}
BENCHMARK(decision);

}  // namespace

BENCHMARK_MAIN();
