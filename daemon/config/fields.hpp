// Fields: the one list of keys, with their ranges, that reading, describing and checking share. A visitor
// gets every field of a section in the order of the file people write.
#pragma once

#include <chrono>
#include <cstdint>

#include "daemon/config/config.hpp"

namespace xinfu::config {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kTiB = 1024 * kGiB;

template <class Visitor>
void visit_fields(Visitor& visitor, GatewayLimits& limits) {
    using std::chrono::seconds;
    visitor.number("connections", limits.connections, 1, 65536);
    visitor.number("connections_per_source", limits.connections_per_source, 1, 65536);
    visitor.number("handshakes_per_source_minute", limits.handshakes_per_source_minute, 1, 1000000);
    visitor.size("head_bytes", limits.head_bytes, kKiB, 64 * kKiB);
    visitor.size("body_bytes", limits.body_bytes, kKiB, kTiB);
    visitor.size("json_bytes", limits.json_bytes, kKiB, 48 * kKiB);
    visitor.duration("handshake_seconds", limits.handshake_seconds, seconds{1}, seconds{60});
    visitor.duration("head_seconds", limits.head_seconds, seconds{1}, seconds{60});
    visitor.duration("idle_seconds", limits.idle_seconds, seconds{1}, seconds{3600});
    visitor.size("body_bytes_per_second", limits.body_bytes_per_second, 0, kGiB);
    visitor.duration("body_window_seconds", limits.body_window_seconds, seconds{1}, seconds{600});
    visitor.number("requests_per_connection", limits.requests_per_connection, 1, 10000000);
}

template <class Visitor>
void visit_fields(Visitor& visitor, Gateway& gateway) {
    visitor.endpoints("listen", gateway.listen, 16);
    visitor.loopback_endpoint("metrics", gateway.metrics);
    visitor.boolean("tls12", gateway.tls12);
    visitor.number("handshake_threads", gateway.handshake_threads, 1, 64);
    visitor.section("limits", gateway.limits);
}

template <class Visitor>
void visit_fields(Visitor& visitor, Vault& vault) {
    visitor.size("map_size_bytes", vault.map_size_bytes, 64 * kMiB, 16 * kTiB);
    visitor.size("disk_reserve_bytes", vault.disk_reserve_bytes, 0, kTiB);
    visitor.size("leaf_reserve_bytes", vault.leaf_reserve_bytes, 0, kTiB);
    visitor.path("key_wrapping_key", vault.key_wrapping_key);
    visitor.number("submissions_max", vault.submissions_max, 1, 4096);
    visitor.number("readings_per_account_hour", vault.readings_per_account_hour, 1, 1'000'000'000);
    visitor.number("acts_per_account_minute", vault.acts_per_account_minute, 1, 1'000'000'000);
    visitor.number("envelope_overlap_days", vault.envelope_overlap_days, 1, 3650);
    visitor.number("revocation_grace_hours", vault.revocation_grace_hours, 0, 8760);
    visitor.number("scrub_hour", vault.scrub_hour, 0, 23);
    visitor.size("scrub_bytes_per_second", vault.scrub_bytes_per_second, 64 * kKiB, 64 * kGiB);
    visitor.number("backlog_limit_parcels", vault.backlog_limit_parcels, 1, 1'000'000'000);
}

template <class Visitor>
void visit_fields(Visitor& visitor, Inspector& inspector) {
    visitor.number("instances_max", inspector.instances_max, 1, 1024);
    visitor.duration("idle_seconds", inspector.idle_seconds, std::chrono::seconds{1}, std::chrono::seconds{3600});
    visitor.size("memory_bytes", inspector.memory_bytes, 32 * kMiB, 4 * kGiB);
}

template <class Visitor>
void visit_fields(Visitor& visitor, Courier& courier) {
    using std::chrono::milliseconds;
    visitor.duration("retry_min_ms", courier.retry_min_ms, milliseconds{10}, milliseconds{3'600'000});
    visitor.duration("retry_max_ms", courier.retry_max_ms, milliseconds{10}, milliseconds{86'400'000});
    visitor.duration("answer_seconds", courier.answer_seconds, std::chrono::seconds{1}, std::chrono::seconds{600});
}

template <class Visitor>
void visit_fields(Visitor& visitor, Supervisor& supervisor) {
    visitor.duration("restart_delay_ms", supervisor.restart_delay_ms, std::chrono::milliseconds{0},
                     std::chrono::milliseconds{60000});
    visitor.duration("drain_seconds", supervisor.drain_seconds, std::chrono::seconds{1}, std::chrono::seconds{600});
}

template <class Visitor>
void visit_fields(Visitor& visitor, Onward& onward) {
    visitor.level("level", onward.level);
    visitor.name("node", onward.node, 63);
    visitor.log_key("log_key", onward.log_key);
}

template <class Visitor>
void visit_fields(Visitor& visitor, Route& route) {
    visitor.name("name", route.name, 32);
    visitor.level("level", route.level);
    visitor.name("node", route.node, 63);
    visitor.url("url", route.url);
    visitor.state_path("anchors", route.anchors);
    visitor.log_key("log_key", route.log_key);
    visitor.witness_key("witness_key", route.witness_key);
    visitor.state_path("envelope", route.envelope);
    visitor.list("onward", route.onward, 4);
}

template <class Visitor>
void visit_fields(Visitor& visitor, WitnessedLog& log) {
    visitor.name("node", log.node, 63);
    visitor.log_key("log_key", log.log_key);
}

template <class Visitor>
void visit_fields(Visitor& visitor, Config& config) {
    visitor.name("node", config.node, 63);
    visitor.path("state", config.state);
    visitor.suite("suite", config.suite);
    visitor.section("gateway", config.gateway);
    visitor.section("vault", config.vault);
    visitor.section("inspector", config.inspector);
    visitor.list("routes", config.routes, 16);
    visitor.list("witnessed", config.witnessed, 256);
    visitor.section("courier", config.courier);
    visitor.section("supervisor", config.supervisor);
}

}  // namespace xinfu::config
