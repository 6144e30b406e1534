#include "daemon/vault/metrics.hpp"

#include <cstdio>

namespace xinfu::vault {
namespace {

void append(boundary::MetricsView& view, std::string name, double value) {
    auto* sample = view.add_samples();
    sample->set_name(std::move(name));
    sample->set_value(value);
}

std::string bound_text(double bound) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", bound);
    return text;
}

}  // namespace

void Metrics::add(std::string_view sample, double amount) {
    const std::scoped_lock held(lock_);
    const auto found = samples_.find(sample);
    if (found != samples_.end()) {
        found->second += amount;
    } else {
        samples_.emplace(sample, amount);
    }
}

void Metrics::set(std::string_view sample, double value) {
    const std::scoped_lock held(lock_);
    samples_.insert_or_assign(std::string(sample), value);
}

void Metrics::observe(std::string_view name, double value, double smallest_bucket) {
    const std::scoped_lock held(lock_);
    auto found = histograms_.find(name);
    if (found == histograms_.end()) {
        found = histograms_.emplace(std::string(name), Histogram{smallest_bucket, {}, 0, 0}).first;
    }
    Histogram& histogram = found->second;
    double bound = histogram.smallest;
    for (auto& bucket : histogram.buckets) {  // cumulative, as Prometheus wants them
        if (value <= bound) {
            ++bucket;
        }
        bound *= 4;
    }
    ++histogram.count;
    histogram.sum += value;
}

void Metrics::fill(boundary::MetricsView& view) const {
    const std::scoped_lock held(lock_);
    for (const auto& [name, value] : samples_) {
        append(view, name, value);
    }
    for (const auto& [name, histogram] : histograms_) {
        double bound = histogram.smallest;
        for (const auto bucket : histogram.buckets) {
            append(view, name + "_bucket{le=\"" + bound_text(bound) + "\"}", static_cast<double>(bucket));
            bound *= 4;
        }
        append(view, name + "_bucket{le=\"+Inf\"}", static_cast<double>(histogram.count));
        append(view, name + "_sum", histogram.sum);
        append(view, name + "_count", static_cast<double>(histogram.count));
    }
}

}  // namespace xinfu::vault
