// NodeInit: makes a new node: its directory, keys, policies, accounts and the first leaf of its log.
//
// A directory is made whole or not at all: whatever fails removes what was begun.
// Errors:  Stop: Exit::refused for what may not be enrolled, Exit::usage for files.
#pragma once

#include <string>
#include <vector>

#include "crypto/certificate.hpp"
#include "daemon/config/config.hpp"
#include "storage/accounts.hpp"

namespace xinfu::client {

struct Enrolment {
    storage::AccountKind kind = storage::AccountKind::machine;
    std::string role;
    std::vector<crypto::Certificate> certificates;  // all of the one account
    std::vector<std::string> units;                 // platforms: whom it may speak for
};

struct NodePlan {
    std::string directory;
    config::Config config;                     // what xinfu.yaml will say; `state` is "state"
    std::vector<std::string> hosts;            // names and addresses of its TLS certificate
    std::vector<Enrolment> enrolments;         // persons, machines, platforms
    std::vector<crypto::Certificate> anchors;  // who may have issued the certificates; empty: placed later
};

struct MadeNode {
    std::string log_key;  // C2SP verifier keys
    std::string witness_key;
    std::string tls_request;  // paths of the PKCS #10 requests
    std::string parcel_request;
    std::vector<std::string> envelope_requests;  // of a P-256 and an RSA key
};

MadeNode make_node(const NodePlan& plan);

// xinfu.yaml: only what differs from the defaults. make_node() writes it; again after routes were added.
void write_configuration(const std::string& directory, const config::Config& config);

}  // namespace xinfu::client
