#include "daemon/gateway/metrics.hpp"

#include <sstream>

namespace xinfu::gateway {

void Metrics::count_answer(std::string_view act, unsigned status, std::chrono::steady_clock::duration took) {
    Act& counted = acts_[std::string(act)];
    ++counted.answers[status];
    const double seconds = std::chrono::duration<double>(took).count();
    counted.seconds += seconds;
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && seconds > kBounds[bucket]) {
        ++bucket;
    }
    ++counted.buckets[bucket];
}

std::string Metrics::render() const {
    std::ostringstream out;
    const auto single = [&out](std::string_view name, std::string_view type, std::string_view help,
                               std::uint64_t value) {
        out << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type << '\n'
            << name << ' ' << value << '\n';
    };
    single("xinfu_gateway_connections_total", "counter", "TLS connections accepted", connections_total);
    single("xinfu_gateway_connections", "gauge", "TLS connections open", connections_open);
    single("xinfu_gateway_handshakes_total", "counter", "TLS handshakes completed", handshakes_total);
    single("xinfu_gateway_handshakes", "gauge", "TLS handshakes in progress", handshakes_open);
    single("xinfu_gateway_body_bytes_total", "counter", "bytes of request bodies received", bodies_bytes_total);
    single("xinfu_gateway_vault_links_total", "counter", "times the vault connected", vault_links_total);

    out << "# HELP xinfu_gateway_refusals_total connections ended before a principal was known\n"
           "# TYPE xinfu_gateway_refusals_total counter\n";
    for (const auto& [code, count] : refusals_) {
        out << "xinfu_gateway_refusals_total{code=\"" << code << "\"} " << count << '\n';
    }
    out << "# HELP xinfu_gateway_requests_total answers by act and status\n"
           "# TYPE xinfu_gateway_requests_total counter\n";
    for (const auto& [act, counted] : acts_) {
        for (const auto& [status, count] : counted.answers) {
            out << "xinfu_gateway_requests_total{act=\"" << act << "\",status=\"" << status << "\"} " << count << '\n';
        }
    }
    out << "# HELP xinfu_gateway_request_seconds from a request's head to the end of its answer\n"
           "# TYPE xinfu_gateway_request_seconds histogram\n";
    for (const auto& [act, counted] : acts_) {
        std::uint64_t total = 0;
        for (std::size_t n = 0; n < counted.buckets.size(); ++n) {
            total += counted.buckets[n];
            out << "xinfu_gateway_request_seconds_bucket{act=\"" << act << "\",le=\"";
            if (n < kBounds.size()) {
                out << kBounds[n];
            } else {
                out << "+Inf";
            }
            out << "\"} " << total << '\n';
        }
        out << "xinfu_gateway_request_seconds_sum{act=\"" << act << "\"} " << counted.seconds << '\n'
            << "xinfu_gateway_request_seconds_count{act=\"" << act << "\"} " << total << '\n';
    }
    return out.str();
}

}  // namespace xinfu::gateway
