// EnvelopeCertificates: which of the node's envelope certificates counts when. Certificates are replaced: of each kind
// of key (P-256, RSA) the one that began last is the one senders are given; the ones before it open what was encrypted
// for them until `vault.envelope_overlap_days` after that.
//
// Threads: functions without state.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "crypto/envelope_key.hpp"
#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

// Until when `key`, one of `keys`, opens envelopes. Absent: until a newer one begins.
std::optional<crypto::UtcSeconds> opens_until(const std::vector<crypto::EnvelopeKey>& keys,
                                              const crypto::EnvelopeKey& key, std::chrono::days overlap);

// Of this kind the one that began last, and not after `now`. Null: none.
const crypto::EnvelopeKey* newest(const std::vector<crypto::EnvelopeKey>& keys, crypto::KeyKind kind,
                                  crypto::UtcSeconds now);

// XF-1128 when there is none.
asio::awaitable<void> get_envelope_certificate(Context& context, ExchangePointer exchange);

}  // namespace xinfu::vault
