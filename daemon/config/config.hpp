// Configuration: what xinfu.yaml says, as values. docs/CONFIGURATION.md is the same for people; a test keeps
// it, packaging/xinfu.yaml and this file together.
//
// Threads: immutable once loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace xinfu::config {

// Limits of the gateway, replaced whole by a reload. All of them hold before anybody is identified, so they
// are about addresses and connections, not about principals.
struct GatewayLimits {
    // Connections at one time. 1 to 65536. Further ones are closed unanswered.
    std::uint32_t connections = 1024;
    // Connections at one time from one address (one /64 for IPv6). 1 to `connections`.
    std::uint32_t connections_per_source = 64;
    // Handshakes begun from one address in a minute. 1 to 1000000. Further ones are closed unanswered.
    std::uint32_t handshakes_per_source_minute = 600;
    // Bytes of a request's line and headers. 1 KiB to 64 KiB. Beyond: 431.
    std::uint64_t head_bytes = 16 * 1024;
    // Bytes of a submission. 1 KiB to 1 TiB. Beyond: 413.
    std::uint64_t body_bytes = std::uint64_t{16} << 30;
    // Bytes of any other request's body. 1 KiB to 48 KiB. Beyond: 413.
    std::uint64_t json_bytes = 48 * 1024;
    // From accept to a finished handshake. 1 s to 60 s. Beyond: closed.
    std::chrono::seconds handshake_seconds{10};
    // From the first byte of a request to the end of its headers. 1 s to 60 s. Beyond: closed.
    std::chrono::seconds head_seconds{10};
    // An open connection without a request. 1 s to 3600 s. Beyond: closed.
    std::chrono::seconds idle_seconds{75};
    // A body must bring this many bytes a second, over any window of `body_window_seconds`. 0 to 1 GiB; 0: no
    // minimum. Slower: closed.
    std::uint64_t body_bytes_per_second = 1024;
    // Window over which a body's rate is measured. 1 s to 600 s.
    std::chrono::seconds body_window_seconds{30};
    // Requests on one connection before it is closed. 1 to 10000000.
    std::uint32_t requests_per_connection = 100000;

    bool operator==(const GatewayLimits&) const = default;
};

struct Gateway {
    // Where departments connect: "address:port", IPv6 in brackets, up to 16. The supervisor opens them; under
    // systemd the socket unit does and this list is only informative. Needs a restart.
    std::vector<std::string> listen{"0.0.0.0:8443"};
    // /metrics, /healthz and /readyz, without TLS. Loopback addresses only; empty: none. Needs a restart.
    std::string metrics = "127.0.0.1:9464";
    // TLS 1.2 (ECDHE, AES-GCM, extended master secret) beside 1.3. False: 1.3 only. Needs a restart.
    bool tls12 = true;
    // Threads that wait for the vault's handshake signatures; so many handshakes go on at one time. 1 to 64. Needs a
    // restart.
    std::uint32_t handshake_threads = 32;
    GatewayLimits limits;

    bool operator==(const Gateway&) const = default;
};

struct Vault {
    // Address space of the store: the most it can ever hold. 64 MiB to 16 TiB. Costs nothing until used.
    std::uint64_t map_size_bytes = std::uint64_t{64} << 30;
    // Free disk below which submissions answer 507. 0 to 1 TiB; at least `leaf_reserve_bytes`.
    std::uint64_t disk_reserve_bytes = std::uint64_t{1} << 30;
    // Free disk below which nothing is accepted any more, not even readings, as no leaf could be written.
    // 0 to 1 TiB.
    std::uint64_t leaf_reserve_bytes = std::uint64_t{64} << 20;
    // File with the key-wrapping key, 32 bytes, readable by its owner only. Read by the supervisor; under
    // systemd LoadCredential= names it instead. Absolute, or relative to the configuration file.
    std::string key_wrapping_key = "key-wrapping-key";
    // Submissions in flight at one time. 1 to 4096. Further ones answer 503 with Retry-After.
    std::uint32_t submissions_max = 64;
    // Answers with records (queries, originals, feeds) for one account in an hour, at once if need be. 1 to 1000000000.
    // Beyond: 429. Bounds what an owned gateway can read through open connections.
    std::uint32_t readings_per_account_hour = 10'000;
    // Acts of one account that leave a leaf of their own, in a minute. 1 to 1000000000. Beyond: 429.
    std::uint32_t acts_per_account_minute = 120'000;
    // How long an envelope certificate still counts once a newer one for the same kind of key has begun. 1 to 3650.
    // Longer than any link below has ever been down: parcels wait as they were encrypted.
    std::uint32_t envelope_overlap_days = 90;
    // How long after its next update was due a revocation list is still relied on, with an alarm. 0 to 8760 hours. Then
    // certificates of its issuer are refused until there is a current one.
    std::uint32_t revocation_grace_hours = 168;
    // Hour of the night, in Asia/Shanghai, at which everything stored is read to see whether it is whole. 0 to 23.
    std::uint32_t scrub_hour = 2;
    // How fast that goes at most. 64 KiB to 64 GiB a second.
    std::uint64_t scrub_bytes_per_second = std::uint64_t{64} << 20;
    // Parcels of one route that may wait for the level above. 1 to 1000000000. At 70 % a warning; at the limit files
    // that would make another answer 503 until some are delivered. What is handed in already is not touched.
    std::uint64_t backlog_limit_parcels = 1'000'000;

    bool operator==(const Vault&) const = default;
};

struct Inspector {
    // Instances at one time, one for each principal with a file in flight. 1 to 1024. Further files wait.
    std::uint32_t instances_max = 16;
    // How long an instance without work is kept for its principal. 1 s to 3600 s.
    std::chrono::seconds idle_seconds{30};
    // Private memory of one instance. 32 MiB to 4 GiB. Beyond: the instance ends, the file is refused.
    std::uint64_t memory_bytes = std::uint64_t{256} << 20;

    bool operator==(const Inspector&) const = default;
};

struct Courier {
    // Wait after a failed delivery, doubled with jitter up to the maximum. 10 ms to an hour.
    std::chrono::milliseconds retry_min_ms{500};
    // At least `retry_min_ms`, at most a day.
    std::chrono::milliseconds retry_max_ms{60000};
    // From connect to the end of the answer's head, without the body's own time. 1 s to 600 s.
    std::chrono::seconds answer_seconds{60};

    bool operator==(const Courier&) const = default;
};

struct Supervisor {
    // Wait before a process that died soon after its start is started again; a process that had worked for
    // ten seconds is started at once. 0 to 60000; 0: never wait.
    std::chrono::milliseconds restart_delay_ms{500};
    // How long a process may take to finish its work after SIGTERM before it is killed. 1 s to 600 s.
    std::chrono::seconds drain_seconds{20};

    bool operator==(const Supervisor&) const = default;
};

// A level further up than the one a route leads to.
struct Onward {
    std::string level;    // province or nation
    std::string node;     // its name, the first part of its log's origin
    std::string log_key;  // its log's C2SP verifier key: pinned

    bool operator==(const Onward&) const = default;
};

// Where sealed parcels go.
struct Route {
    std::string name;         // 1 to 32 of a-z, 0-9 and -; part of every parcel's name
    std::string level;        // province or nation
    std::string node;         // the upper node's name, the first part of its log's origin
    std::string url;          // https://host:port, no trailing slash
    std::string anchors;      // PEM file beneath the state directory: who signs the upper server's certificate
    std::string log_key;      // the upper log's C2SP verifier key: receipts are verified with it
    std::string witness_key;  // its C2SP verifier key as a witness; empty: it is not asked to co-sign this node's log
    std::string envelope;     // PEM file beneath the state directory: the upper node's envelope certificate
    std::vector<Onward> onward;  // levels beyond, nearest first

    bool operator==(const Route&) const = default;
};

// Another node's log that this node co-signs as its witness.
struct WitnessedLog {
    std::string node;     // its name, the first part of its log's origin
    std::string log_key;  // its log's C2SP verifier key: pinned

    bool operator==(const WitnessedLog&) const = default;
};

struct Config {
    // This node's name, 1 to 63 of a-z, 0-9 and -. The log's origin is "<node>/log". Never changes.
    std::string node;
    // State directory: absolute, or relative to the configuration file.
    std::string state = "/var/lib/xinfu";
    // Algorithms: standard.
    std::string suite = "standard";
    Gateway gateway;
    Vault vault;
    Inspector inspector;
    std::vector<Route> routes;
    std::vector<WitnessedLog> witnessed;
    Courier courier;
    Supervisor supervisor;

    bool operator==(const Config&) const = default;
};

}  // namespace xinfu::config
