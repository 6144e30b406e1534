// Metrics: what the gateway counts of itself, in the text format of Prometheus. No personal data, no names.
//
// Threads: one strand.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace xinfu::gateway {

class Metrics {
public:
    std::uint64_t connections_total = 0;
    std::uint64_t connections_open = 0;
    std::uint64_t handshakes_total = 0;  // completed
    std::uint64_t handshakes_open = 0;   // in progress
    std::uint64_t bodies_bytes_total = 0;
    std::uint64_t vault_links_total = 0;

    void count_refusal(std::string_view code) { ++refusals_[std::string(code)]; }
    void count_answer(std::string_view act, unsigned status, std::chrono::steady_clock::duration took);

    std::string render() const;

private:
    // Upper bounds in seconds; a last bucket takes the rest.
    static constexpr std::array<double, 9> kBounds{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 10, 60};
    struct Act {
        std::map<unsigned, std::uint64_t> answers;  // by status
        std::array<std::uint64_t, kBounds.size() + 1> buckets{};
        double seconds = 0;
    };
    std::map<std::string, Act> acts_;
    std::map<std::string, std::uint64_t> refusals_;
};

}  // namespace xinfu::gateway
