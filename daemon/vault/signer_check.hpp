// SignerCheck: whose signature is on a file. The inspector only says what the CMS contains; which certificate may
// have made the signature, and whether it did, is decided here.
//
// Threads: any, with a snapshot of its own: signatures are verified on worker threads.
// Trust:   SignerFound is an inspector's claim about hostile bytes; the digest is the vault's own.
// Errors:  storage::Errc; what is wrong with the signature is a problem, not an error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/certificate.hpp"
#include "crypto/utc.hpp"
#include "daemon/boundary/common.pb.h"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/vault/principal.hpp"
#include "daemon/vault/revocation.hpp"
#include "storage/ledger.hpp"

namespace xinfu::vault {

struct SignerVerdict {
    std::optional<boundary::Problem> problem;
    crypto::Digest certificate{};                    // SHA-256 of the one whose key signed
    Bytes certificate_left_out;                      // that one, DER, where the CMS does not embed it; else empty
    std::optional<crypto::UtcSeconds> signing_time;  // as the signer says
};

// The signer has to be an enrolled certificate of this account. `digest`: of the content, under the algorithm the
// signer names; absent: not computed, since it was not announced.
Result<SignerVerdict> check_enrolled_signer(const storage::ReadTransaction& transaction, const Principal& principal,
                                            const boundary::SignerFound& signer, const std::optional<Bytes>& digest,
                                            const Revocations& revocations, storage::Milliseconds now);

// Inside a parcel, whose signer is `carrier`: the signer has to be of this unit, with a path to the node's anchors at
// `time`. Its certificate is the embedded one, or, where it was left out, one that the parcel embeds beside its own;
// who brings it does not matter.
SignerVerdict check_carried_signer(const std::string& unit, const boundary::SignerFound& signer,
                                   const boundary::SignerFound& carrier, const std::optional<Bytes>& digest,
                                   const std::vector<crypto::Certificate>& anchors, const Revocations& revocations,
                                   crypto::UtcSeconds time);

}  // namespace xinfu::vault
