#include "daemon/vault/receipt.hpp"

#include <utility>

#include "crypto/tlog_proof.hpp"
#include "storage/error.hpp"
#include "storage/witness.hpp"

namespace xinfu::vault {

Result<std::string> make_receipt(const storage::Ledger& ledger, std::uint64_t index, ByteView entry,
                                 const storage::Committed& committed) {
    auto hashes = ledger.tree().inclusion_proof(index, committed.tree_size);
    if (!hashes) {
        return {boost::system::in_place_error, hashes.error()};
    }
    crypto::TlogProof proof;
    proof.extra.assign(entry.begin(), entry.end());
    proof.index = index;
    proof.hashes = std::move(*hashes);
    proof.checkpoint = *committed.checkpoint;
    return crypto::encode_tlog_proof(proof);
}

Result<std::string> newest_receipt(storage::Ledger& ledger, std::uint64_t index) {
    auto committed = ledger.head();
    const auto snapshot = ledger.engine().snapshot();
    const auto cosigned =
        snapshot ? storage::newest_cosigned(**snapshot)
                 : Result<std::optional<storage::Committed>>(boost::system::in_place_error, snapshot.error());
    if (!cosigned) {
        return {boost::system::in_place_error, cosigned.error()};
    }
    if (*cosigned && index < (*cosigned)->tree_size) {
        committed = **cosigned;
    }
    if (index >= committed.tree_size) {
        return {boost::system::in_place_error, storage::Errc::not_found};
    }
    const auto entry = ledger.tree().entry(index);
    if (!entry) {
        return {boost::system::in_place_error, entry.error()};
    }
    return make_receipt(ledger, index, *entry, committed);
}

}  // namespace xinfu::vault
