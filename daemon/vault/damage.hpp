// Damage: tells whoever looks after the node that something stored is not what was written: one line of the journal for
// each piece, a metric, and a warning in the status until the next start.
//
// Threads: internally locked.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "daemon/boundary/service.hpp"
#include "daemon/vault/metrics.hpp"

namespace xinfu::vault {

class Damage {
public:
    Damage(boundary::Service& service, Metrics& metrics) : service_(service), metrics_(metrics) {}

    // `what` as in storage::OnDamage.
    void tell(const std::string& what);
    bool seen() const;

private:
    boundary::Service& service_;
    Metrics& metrics_;
    mutable std::mutex lock_;
    std::set<std::string> told_;  // at most kToldMax
};

}  // namespace xinfu::vault
