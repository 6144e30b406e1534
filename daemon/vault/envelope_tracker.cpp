#include "daemon/vault/envelope_tracker.hpp"

#include "daemon/boundary/error.hpp"

namespace xinfu::vault {

using boundary::Errc;

Result<void> EnvelopeTracker::progress(const boundary::Progress& progress, Bytes& package) {
    for (const auto& cipher : progress.cipher()) {
        const auto piece = window_.find(cipher.offset(), cipher.length());
        if (!opener_ || opened_ || !piece || piece->empty() || cipher.offset() < cipher_end_) {
            return Errc::unexpected;
        }
        opener_->update(*piece, package);
        cipher_end_ = cipher.offset() + cipher.length();
    }
    if (!progress.tag().empty()) {
        if (!opener_ || opened_ || !opener_->finish(as_bytes(progress.tag()), package)) {
            return Errc::unexpected;
        }
        opened_ = true;
        opener_.reset();
    }
    return window_.consume(progress.envelope_consumed());
}

}  // namespace xinfu::vault
