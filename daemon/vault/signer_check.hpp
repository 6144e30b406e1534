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
    std::optional<crypto::UtcSeconds> signing_time;  // as the signer says
};

// The signer has to be an enrolled certificate of this account. `digest`: of the content, under the algorithm the
// signer names; absent: not computed, since it was not announced.
Result<SignerVerdict> check_enrolled_signer(const storage::ReadTransaction& transaction, const Principal& principal,
                                            const boundary::SignerFound& signer, const std::optional<Bytes>& digest,
                                            const Revocations& revocations, storage::Milliseconds now);

// The signer has to be the embedded certificate, of this unit, with a path to the node's anchors at `time`.
SignerVerdict check_embedded_signer(const std::string& unit, const boundary::SignerFound& signer,
                                    const std::optional<Bytes>& digest, const std::vector<crypto::Certificate>& anchors,
                                    const Revocations& revocations, crypto::UtcSeconds time);

}  // namespace xinfu::vault
