// Enrolment: from the certificates named at bootstrap to accounts, and everything that forbids it.
//
// Threads: pure functions.
// Errors:  Stop with Exit::refused.
#pragma once

#include <vector>

#include "daemon/client/node_init.hpp"
#include "policies/access.hpp"

namespace xinfu::client {

struct Enrolled {
    std::vector<storage::Account> accounts;
    std::vector<storage::EnrolledCertificate> certificates;
    std::vector<storage::Person> persons;
    std::vector<std::string> units;  // every unit that an account has or speaks for, each once
};

// One account for each natural person, whatever the number of roles and certificates; one for each machine
// and platform. Refused: certificates out of date, without a valid unit code or of another unit than the account's
// first, persons without number, unknown roles or roles of another kind, roles that exclude each other, one certificate
// twice, and a node without a security administrator and an approver who are different natural persons.
Enrolled enrol(const std::vector<Enrolment>& enrolments, const policies::AccessPolicy& policy,
               const std::vector<crypto::Certificate>& anchors, crypto::UtcSeconds now);

}  // namespace xinfu::client
