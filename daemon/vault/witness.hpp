// Witness: co-signs checkpoints of other nodes' logs, whose keys are among the approved paths. What it signs says: this
// is the largest tree of that log I have seen, and it continues every one I signed before.
//
// Each co-signed checkpoint is an entry of this node's own log and is kept, in one transaction, before the signature
// leaves; two requests about one log cannot both be right about the size before.
//
// Source:  C2SP tlog-witness, tlog-cosignature v1.
// Threads: the vault's `io`.
// Trust:   whoever asks is an enrolled lower node; what counts is the log's own signature.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "crypto/note.hpp"
#include "daemon/vault/exchange.hpp"

namespace xinfu::vault {

class Witness {
public:
    explicit Witness(Context& context);

    // Reads this node's witness key and the pinned keys of the logs. Errors: crypto::Errc::key_malformed.
    Result<void> start();
    // C2SP verifier key; after start().
    std::string verifier_key() const { return signer_->verifier_key(); }

    asio::awaitable<void> add_checkpoint(ExchangePointer exchange);

    // By the statuses of C2SP tlog-witness.
    struct Refused {
        std::uint32_t status = 0;
        boundary::Problem problem;
        std::uint64_t size = 0;
    };

private:
    asio::awaitable<void> refuse(ExchangePointer exchange, Refused refused);
    Context& context_;
    std::optional<crypto::WitnessSigner> signer_;
    std::vector<crypto::NoteVerifier> logs_;  // their names are the logs' origins
};

}  // namespace xinfu::vault
