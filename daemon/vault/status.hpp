// Status: how the node is, for `xinfu status`, /metrics and the service manager's one line.
//
// Threads: the vault's `io`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/boundary/gateway.pb.h"
#include "daemon/vault/certificate_watch.hpp"
#include "daemon/vault/clock_watch.hpp"
#include "daemon/vault/context.hpp"
#include "daemon/vault/cosignatures.hpp"
#include "daemon/vault/damage.hpp"
#include "daemon/vault/paths.hpp"
#include "daemon/vault/revocation.hpp"

namespace xinfu::vault {

class Status {
public:
    // `links` answers the state of every route.
    Status(Context& context, const Revocations& revocations, const Damage& damage, const ClockWatch& clock,
           const Paths& paths, const CertificateWatch& certificates, const Cosignatures& cosignatures,
           std::string log_key, std::string witness_key, std::function<std::vector<boundary::LinkView>()> links);

    boundary::StatusView view() const;
    // "ready, 1204 log entries, 3 parcels waiting"
    std::string line(bool draining) const;
    // Gauges of the store, the log and the links.
    void measure(bool ready) const;

private:
    Context& context_;
    const Revocations& revocations_;
    const Damage& damage_;
    const ClockWatch& clock_;
    const Paths& paths_;
    const CertificateWatch& certificates_;
    const Cosignatures& cosignatures_;
    std::string log_key_;
    std::string witness_key_;
    std::function<std::vector<boundary::LinkView>()> links_;
    storage::Milliseconds started_;
};

}  // namespace xinfu::vault
