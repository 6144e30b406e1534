// Proofs of possession that were taken. Each is taken once; it is forgotten when the certificate that it speaks for has
// long been out of date, for then it opens nothing any more.
//
// Threads: functions on a transaction; the transaction's rules apply.
// Errors:  storage::Errc of the engine.
#pragma once

#include <chrono>
#include <cstddef>

#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "storage/engine.hpp"

namespace xinfu::storage {

// How long after the certificate's last day: a clock that was set back meanwhile finds the proof still there.
inline constexpr std::chrono::days kHandshakeProofMargin{32};

// False: it was taken before. `proof` is the SHA-256 of the CertificateVerify, `not_after` its certificate's.
Result<bool> take_handshake_proof(WriteTransaction& transaction, crypto::UtcSeconds not_after,
                                  const crypto::Digest& proof, std::chrono::milliseconds taken);
// Forgets at most `max` of those whose time is over at `now`. Answers how many.
Result<std::size_t> forget_handshake_proofs(WriteTransaction& transaction, crypto::UtcSeconds now, std::size_t max);
// Whether forget_handshake_proofs() would find anything.
Result<bool> has_old_handshake_proofs(const ReadTransaction& transaction, crypto::UtcSeconds now);

}  // namespace xinfu::storage
