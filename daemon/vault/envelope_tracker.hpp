// EnvelopeTracker: the vault's own view of an enveloped body while an inspector reads it. It keeps the octets that the
// inspector has not passed yet, opens exactly those that the inspector calls cipher text, and verifies the tag itself:
// what the inspector found inside counts for nothing before opened().
//
// Threads: one strand.
// Trust:   every Progress is a claim of an inspector. A lie about where the cipher text lies makes the tag wrong.
// Errors:  boundary::Errc::unexpected: the inspector said what cannot be, or called a wrong tag right.
#pragma once

#include <cstdint>
#include <optional>

#include "crypto/gcm_stream.hpp"
#include "crypto/result.hpp"
#include "daemon/boundary/inspector.pb.h"
#include "daemon/vault/sent_window.hpp"

namespace xinfu::vault {

class EnvelopeTracker {
public:
    // How many further octets of the body may be sent now.
    std::size_t room() const { return window_.room(); }
    // Octets on their way to the inspector. Precondition: at most room().
    void sent(ByteView bytes) { window_.send(bytes); }
    bool all_consumed() const { return window_.consumed() == window_.sent(); }

    // The content key was asked for; once.
    bool begun() const { return opener_.has_value() || opened_; }
    void begin(ByteView key, ByteView nonce) { opener_.emplace(key, nonce); }

    // Appends what the cipher spans contain to `package`, at most a window of it.
    Result<void> progress(const boundary::Progress& progress, Bytes& package);
    bool opened() const { return opened_; }

private:
    SentWindow window_;
    std::uint64_t cipher_end_ = 0;
    std::optional<crypto::GcmOpener> opener_;
    bool opened_ = false;
};

}  // namespace xinfu::vault
