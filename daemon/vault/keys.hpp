// Keys: what the vault unwrapped at its start. They never leave the process; the TLS key signs typed handshake
// parts only, the log key checkpoints of durable trees only.
//
// Threads: any; units are added while it serves, all else is immutable.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/envelope_key.hpp"
#include "crypto/key_wrap.hpp"
#include "storage/node_keys.hpp"
#include "storage/submissions.hpp"

namespace xinfu::config {
struct Route;
}

namespace xinfu::vault {

class Keys {
public:
    // `envelopes`: those that have a certificate.
    // `wrapper`: under which keys of units that come later are stored; null: none may come.
    Keys(storage::NodeKeys node, const storage::UnitKeys& units, std::vector<crypto::EnvelopeKey> envelopes = {},
         std::shared_ptr<const crypto::KeyWrapper> wrapper = nullptr);

    const crypto::SigningKey& tls() const { return node_.tls; }
    const crypto::SigningKey& parcel() const { return node_.parcel; }
    // Open what was encrypted for this node, and sign nothing.
    const std::vector<crypto::EnvelopeKey>& envelopes() const { return envelopes_; }
    ByteView index() const { return node_.index.view(); }
    ByteView log_seed() const { return node_.log_seed.view(); }
    ByteView witness_seed() const { return node_.witness_seed.view(); }

    // Wraps and unwraps the data keys of this unit's submissions, each under its submission's id as name. Null: no
    // such unit is enrolled here.
    const crypto::KeyWrapper* unit(std::string_view code) const;
    bool has_unit(std::string_view code) const { return unit(code) != nullptr; }

    // Draws and stores keys for those of the units that have none; they serve once they are committed and given to
    // add_units(). Errors: storage::Errc, not_found without a wrapper.
    Result<storage::UnitKeys> create_units(storage::WriteTransaction& transaction,
                                           const std::vector<std::string>& codes, crypto::RandomSource& random) const;
    void add_units(const storage::UnitKeys& units);

    // A submission's data key, wrapped by its unit's key under the name that its id has as text.
    // Errors: storage::Errc::not_found for a unit without key; crypto::Errc::key_not_unwrapped.
    Result<Bytes> wrap_data_key(std::string_view unit_code, const storage::SubmissionId& id, ByteView key) const;
    Result<crypto::Secret> unwrap_data_key(std::string_view unit_code, const storage::SubmissionId& id,
                                           ByteView wrapped) const;

private:
    storage::NodeKeys node_;
    std::vector<crypto::EnvelopeKey> envelopes_;
    std::shared_ptr<const crypto::KeyWrapper> wrapper_;
    struct Units {
        std::shared_mutex lock;
        std::map<std::string, crypto::KeyWrapper, std::less<>> wrappers;  // from which nothing is taken away
    };
    std::unique_ptr<Units> units_ = std::make_unique<Units>();
};

// The node's certificates, read from the state directory by main.cpp: `tls`, `parcel` and `envelope` name the node,
// `anchors` are whom it believes about others, `upper` whose eyes a route's parcels are for.
struct NodeCertificates {
    std::vector<crypto::Certificate> tls;     // leaf first
    std::vector<crypto::Certificate> parcel;  // leaf first
    std::vector<crypto::Certificate> anchors;
    std::vector<crypto::Certificate> envelope;  // for P-256 and RSA; empty: this node opens no envelopes
    std::map<std::string, crypto::Certificate, std::less<>> upper;  // by route: the P-256 one
};
// Reads certificates/{tls,parcel,anchors,envelope}.pem beneath `directory`, of which the last may be missing, and the
// routes' envelope certificates. Errors: io_failed, certificate_malformed, key_wrong_algorithm.
Result<NodeCertificates> load_node_certificates(const std::string& directory, const std::vector<config::Route>& routes);

// Those of the node's envelope keys that a certificate was issued for.
std::vector<crypto::EnvelopeKey> envelope_keys(const storage::NodeKeys& node,
                                               const std::vector<crypto::Certificate>& certificates);

// Codes of all units that accounts name: their own, and those a platform may speak for. Ascending, each once.
Result<std::vector<std::string>> enrolled_units(const storage::ReadTransaction& transaction);

}  // namespace xinfu::vault
