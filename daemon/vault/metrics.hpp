// Metrics: what the vault counts for /metrics. Names are complete Prometheus sample names, prefix xinfu_, base units,
// labels in Prometheus form; no personal data in any of them.
//
// Threads: internally locked.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "daemon/boundary/gateway.pb.h"

namespace xinfu::vault {

class Metrics {
public:
    // A counter, such as `xinfu_submissions_total{result="accepted"}`.
    void add(std::string_view sample, double amount = 1);
    // A gauge.
    void set(std::string_view sample, double value);
    // A duration or size into a histogram of this name (without suffix and labels): buckets by powers of four from
    // one millisecond or one byte on.
    void observe(std::string_view name, double value, double smallest_bucket = 0.001);

    void fill(boundary::MetricsView& view) const;

private:
    struct Histogram {
        double smallest = 0.001;
        std::array<std::uint64_t, 12> buckets{};
        std::uint64_t count = 0;
        double sum = 0;
    };
    mutable std::mutex lock_;
    std::map<std::string, double, std::less<>> samples_;
    std::map<std::string, Histogram, std::less<>> histograms_;
};

}  // namespace xinfu::vault
